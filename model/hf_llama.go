package model

import (
	"encoding/json"

	"plumb/arch"
)

// llamaNames are the tensors of one layer, by ours.
var llamaNames = map[string]string{
	"attention.norm.gain":  "input_layernorm.weight",
	"attention.q.weight":   "self_attn.q_proj.weight",
	"attention.q.bias":     "self_attn.q_proj.bias",
	"attention.k.weight":   "self_attn.k_proj.weight",
	"attention.k.bias":     "self_attn.k_proj.bias",
	"attention.v.weight":   "self_attn.v_proj.weight",
	"attention.v.bias":     "self_attn.v_proj.bias",
	"attention.out.weight": "self_attn.o_proj.weight",
	"attention.out.bias":   "self_attn.o_proj.bias",
	"ffn.norm.gain":        "post_attention_layernorm.weight",
	"ffn.gate.weight":      "mlp.gate_proj.weight",
	"ffn.gate.bias":        "mlp.gate_proj.bias",
	"ffn.up.weight":        "mlp.up_proj.weight",
	"ffn.up.bias":          "mlp.up_proj.bias",
	"ffn.down.weight":      "mlp.down_proj.weight",
	"ffn.down.bias":        "mlp.down_proj.bias",
}

func llamaSource(name string) source {
	switch name {
	case "embedding.weight":
		return whole("model.embed_tokens.weight")
	case "norm.gain":
		return whole("model.norm.weight")
	case "head.weight":
		return whole("lm_head.weight")
	}
	block, rest, _ := blockName(name)
	return whole("model.layers." + block + "." + llamaNames[rest])
}

func llamaConfig(raw map[string]json.RawMessage) (arch.Config, error) {
	r := hfConfig{raw: raw}
	c := arch.Config{
		Vocab: r.integer("vocab_size"), Context: r.integerOr("max_position_embeddings", 2048),
		Layers: r.integer("num_hidden_layers"), Repeat: 1,
		Width: r.integer("hidden_size"), Heads: r.integer("num_attention_heads"), Hidden: r.integer("intermediate_size"),
		Activation: "swiglu", Norm: "rmsnorm", NormEps: r.numberOr("rms_norm_eps", 1e-6),
		Position: "rotary", RotaryTheta: r.numberOr("rope_theta", 10000), RotaryShare: 1,
		TiedHead: r.flag("tie_word_embeddings"),
		FFNBias:  r.flag("mlp_bias"),
	}
	c.QKVBias = r.flag("attention_bias")
	c.OutBias = c.QKVBias
	c.KVHeads = r.integerOr("num_key_value_heads", c.Heads)
	c.HeadDim = r.integerOr("head_dim", c.Width/max(1, c.Heads))
	r.mustBe("hidden_act", "silu")
	r.absent("rope_scaling", "sliding_window", "layer_sharing")
	r.ignore("architectures", "model_type", "torch_dtype", "dtype", "initializer_range", "bos_token_id", "eos_token_id",
		"pad_token_id", "use_cache", "transformers_version", "attention_dropout", "pretraining_tp", "_name_or_path")
	return c, r.problems()
}
