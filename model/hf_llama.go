package model

import (
	"cmp"

	"plumb/arch"
)

// Llama and all that is built like it (TinyLlama, SmolLM2), and MobileLLM.
func init() {
	families.Add("LlamaForCausalLM", family{modelType: "llama", prefix: "model.", config: llamaConfig, source: llamaSource, spare: llamaSpare})
	families.Add("MobileLLMForCausalLM", family{modelType: "mobilellm", prefix: "model.", config: llamaConfig, source: llamaSource, spare: llamaSpare})
}

// llamaSpare are tables that older versions stored.
var llamaSpare = []string{"rotary_emb.inv_freq"}

var llamaNames = names{
	outer: map[string]string{
		"embedding.weight": "model.embed_tokens.weight",
		"norm.gain":        "model.norm.weight",
		"head.weight":      "lm_head.weight",
	},
	block: "model.layers.%.",
	inner: map[string]string{
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
	},
}

func llamaSource(_ arch.Config, name string) source { return llamaNames.find(name) }

// llamaShape reads what Llama and its kin have; what a file leaves out is as in
// usual, where key-value heads of 0 mean as many as heads, and a head width of
// 0 the width over the heads.
func llamaShape(r *hfConfig, usual arch.Config) arch.Config {
	c := arch.Config{
		Vocab: r.integer("vocab_size", usual.Vocab), Context: r.integer("max_position_embeddings", usual.Context),
		Layers: r.integer("num_hidden_layers", usual.Layers), Width: r.integer("hidden_size", usual.Width),
		Heads: r.integer("num_attention_heads", usual.Heads), Hidden: r.integer("intermediate_size", usual.Hidden),
		Norm: "rmsnorm", NormEps: r.number("rms_norm_eps", 1e-6),
		TiedHead: r.flag("tie_word_embeddings", usual.TiedHead),
	}
	c.KVHeads = r.integer("num_key_value_heads", cmp.Or(usual.KVHeads, c.Heads))
	c.HeadDim = r.integer("head_dim", cmp.Or(usual.HeadDim, c.Width/max(1, c.Heads)))
	r.rotary(&c)
	return c
}

// llamaConfig also reads MobileLLM's configs, in which share_embedding ties the
// output matrix whatever tie_word_embeddings says, and layer_sharing runs every
// block twice in a row (arXiv 2402.14905v2 and its repository).
func llamaConfig(r *hfConfig) arch.Config {
	c := llamaShape(r, arch.Config{Vocab: 32000, Context: 2048, Layers: 32, Width: 4096, Heads: 32, Hidden: 11008})
	c.Activation = r.gatedActivation("hidden_act", "silu")
	c.QKVBias, c.FFNBias = r.flag("attention_bias", false), r.flag("mlp_bias", false)
	c.OutBias = c.QKVBias
	c.TiedHead = r.flag("share_embedding", false) || c.TiedHead
	if r.flag("layer_sharing", false) && c.Layers > 0 && c.Layers < 1<<20 {
		c.Layers, c.Sharing, c.Repeat = 2*c.Layers, "immediate", 2
	}
	r.mustBe("rope_interleaved", false)
	r.ignore("is_llama_config") // SmolLM2
	return c
}
