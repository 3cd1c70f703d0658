package model

import (
	"encoding/json"

	"plumb/arch"
)

// gpt2Names are the tensors of one layer, by ours. The matrices of GPT-2 are
// stored as [in, out], and query, key and value as one.
var gpt2Names = map[string]source{
	"attention.norm.gain":  whole("ln_1.weight"),
	"attention.norm.bias":  whole("ln_1.bias"),
	"attention.q.weight":   {"attn.c_attn.weight", true, 0, 3},
	"attention.k.weight":   {"attn.c_attn.weight", true, 1, 3},
	"attention.v.weight":   {"attn.c_attn.weight", true, 2, 3},
	"attention.q.bias":     {"attn.c_attn.bias", false, 0, 3},
	"attention.k.bias":     {"attn.c_attn.bias", false, 1, 3},
	"attention.v.bias":     {"attn.c_attn.bias", false, 2, 3},
	"attention.out.weight": {"attn.c_proj.weight", true, 0, 1},
	"attention.out.bias":   whole("attn.c_proj.bias"),
	"ffn.norm.gain":        whole("ln_2.weight"),
	"ffn.norm.bias":        whole("ln_2.bias"),
	"ffn.up.weight":        {"mlp.c_fc.weight", true, 0, 1},
	"ffn.up.bias":          whole("mlp.c_fc.bias"),
	"ffn.down.weight":      {"mlp.c_proj.weight", true, 0, 1},
	"ffn.down.bias":        whole("mlp.c_proj.bias"),
}

func gpt2Source(name string) source {
	switch name {
	case "embedding.weight":
		return whole("wte.weight")
	case "position.weight":
		return whole("wpe.weight")
	case "norm.gain":
		return whole("ln_f.weight")
	case "norm.bias":
		return whole("ln_f.bias")
	case "head.weight":
		return whole("lm_head.weight")
	}
	block, rest, _ := blockName(name)
	s := gpt2Names[rest]
	s.tensor = "h." + block + "." + s.tensor
	return s
}

func gpt2Config(raw map[string]json.RawMessage) (arch.Config, error) {
	r := hfConfig{raw: raw}
	c := arch.Config{
		Vocab: r.integer("vocab_size"), Context: r.integerOr("n_positions", 1024),
		Layers: r.integer("n_layer"), Repeat: 1,
		Width: r.integer("n_embd"), Heads: r.integer("n_head"),
		Activation: "gelu", Norm: "layernorm", NormEps: r.numberOr("layer_norm_epsilon", 1e-5),
		Position: "learned", QKVBias: true, OutBias: true, FFNBias: true, TiedHead: true,
	}
	c.KVHeads = c.Heads
	c.HeadDim = c.Width / max(1, c.Heads)
	c.Hidden = r.integerOr("n_inner", 4*c.Width)
	r.mustBe("activation_function", "gelu_new")
	r.absent("scale_attn_by_inverse_layer_idx", "reorder_and_upcast_attn", "add_cross_attention")
	r.ignore("architectures", "model_type", "torch_dtype", "dtype", "initializer_range", "bos_token_id", "eos_token_id",
		"pad_token_id", "use_cache", "transformers_version", "n_ctx", "attn_pdrop", "embd_pdrop", "resid_pdrop",
		"scale_attn_weights", "summary_activation", "summary_first_dropout", "summary_proj_to_labels", "summary_type",
		"summary_use_proj", "task_specific_params", "_name_or_path", "gradient_checkpointing", "tie_word_embeddings", "_num_labels", "id2label", "label2id")
	return c, r.problems()
}
