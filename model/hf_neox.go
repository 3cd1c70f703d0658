package model

import "plumb/arch"

func init() {
	families.Add("GPTNeoXForCausalLM", family{
		modelType: "gpt_neox", prefix: "gpt_neox.", config: neoxConfig, source: neoxSource,
		spare: []string{".attention.bias", ".attention.masked_bias", "rotary_emb.inv_freq"},
	})
}

var neoxNames = names{
	outer: map[string]string{
		"embedding.weight": "gpt_neox.embed_in.weight",
		"norm.gain":        "gpt_neox.final_layer_norm.weight",
		"norm.bias":        "gpt_neox.final_layer_norm.bias",
		"head.weight":      "embed_out.weight",
	},
	block: "gpt_neox.layers.%.",
	inner: map[string]string{
		"attention.norm.gain":  "input_layernorm.weight",
		"attention.norm.bias":  "input_layernorm.bias",
		"attention.q.weight":   "attention.query_key_value.weight",
		"attention.q.bias":     "attention.query_key_value.bias",
		"attention.k.weight":   "attention.query_key_value.weight",
		"attention.k.bias":     "attention.query_key_value.bias",
		"attention.v.weight":   "attention.query_key_value.weight",
		"attention.v.bias":     "attention.query_key_value.bias",
		"attention.out.weight": "attention.dense.weight",
		"attention.out.bias":   "attention.dense.bias",
		"ffn.norm.gain":        "post_attention_layernorm.weight",
		"ffn.norm.bias":        "post_attention_layernorm.bias",
		"ffn.up.weight":        "mlp.dense_h_to_4h.weight",
		"ffn.up.bias":          "mlp.dense_h_to_4h.bias",
		"ffn.down.weight":      "mlp.dense_4h_to_h.weight",
		"ffn.down.bias":        "mlp.dense_4h_to_h.bias",
	},
}

// neoxSource takes query, key and value of each head, which stand together.
func neoxSource(c arch.Config, name string) source {
	s := neoxNames.find(name)
	s.cut = fusedByGroup(c, name)
	return s
}

// neoxConfig is that of GPT-NeoX (arXiv 2204.06745) and Pythia. The share of a
// head that rotates, and the base, have an old name and a new one.
func neoxConfig(r *hfConfig) arch.Config {
	c := arch.Config{
		Vocab: r.integer("vocab_size", 50432), Context: r.integer("max_position_embeddings", 2048),
		Layers: r.integer("num_hidden_layers", 44), Width: r.integer("hidden_size", 6144), Heads: r.integer("num_attention_heads", 64),
		Hidden: r.integer("intermediate_size", 24576), Activation: r.plainActivation("hidden_act", "gelu"),
		Norm: "layernorm", NormEps: r.number("layer_norm_eps", 1e-5),
		RotaryShare: r.number("rotary_pct", r.number("partial_rotary_factor", 0.25)),
		QKVBias:     r.flag("attention_bias", true), FFNBias: true, TiedHead: r.flag("tie_word_embeddings", false),
		ParallelResidual: r.flag("use_parallel_residual", true),
	}
	c.OutBias = c.QKVBias
	c.KVHeads, c.HeadDim = c.Heads, r.headDim("hidden_size", c)
	r.rotary(&c)
	c.RotaryTheta = r.number("rotary_emb_base", c.RotaryTheta)
	r.agree("rotary_pct", "partial_rotary_factor")
	r.agree("rotary_emb_base", "rope_theta")
	return c
}
