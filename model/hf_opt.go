package model

import "plumb/arch"

func init() {
	families.Add("OPTForCausalLM", family{modelType: "opt", prefix: "model.", config: optConfig, source: optSource})
}

var optNames = names{
	outer: map[string]string{
		"embedding.weight":         "model.decoder.embed_tokens.weight",
		"embedding.project.weight": "model.decoder.project_in.weight",
		"position.weight":          "model.decoder.embed_positions.weight",
		"norm.gain":                "model.decoder.final_layer_norm.weight",
		"norm.bias":                "model.decoder.final_layer_norm.bias",
		"head.project.weight":      "model.decoder.project_out.weight",
		"head.weight":              "lm_head.weight",
	},
	block: "model.decoder.layers.%.",
	inner: map[string]string{
		"attention.norm.gain":  "self_attn_layer_norm.weight",
		"attention.norm.bias":  "self_attn_layer_norm.bias",
		"attention.q.weight":   "self_attn.q_proj.weight",
		"attention.q.bias":     "self_attn.q_proj.bias",
		"attention.k.weight":   "self_attn.k_proj.weight",
		"attention.k.bias":     "self_attn.k_proj.bias",
		"attention.v.weight":   "self_attn.v_proj.weight",
		"attention.v.bias":     "self_attn.v_proj.bias",
		"attention.out.weight": "self_attn.out_proj.weight",
		"attention.out.bias":   "self_attn.out_proj.bias",
		"ffn.norm.gain":        "final_layer_norm.weight",
		"ffn.norm.bias":        "final_layer_norm.bias",
		"ffn.up.weight":        "fc1.weight",
		"ffn.up.bias":          "fc1.bias",
		"ffn.down.weight":      "fc2.weight",
		"ffn.down.bias":        "fc2.bias",
	},
}

func optSource(_ arch.Config, name string) source { return optNames.find(name) }

// optConfig reads both forms of OPT (arXiv 2205.01068): that of the 350M model
// has its norms behind the sums and a narrower token table.
func optConfig(r *hfConfig) arch.Config {
	c := arch.Config{
		Vocab: r.integer("vocab_size", 50272), Context: r.integer("max_position_embeddings", 2048), PositionOffset: 2,
		Layers: r.integer("num_hidden_layers", 12), Width: r.integer("hidden_size", 768), Heads: r.integer("num_attention_heads", 12),
		Hidden: r.integer("ffn_dim", 3072), Activation: r.plainActivation("activation_function", "relu"),
		Norm: "layernorm", NormEps: 1e-5, Position: "learned", TiedHead: r.flag("tie_word_embeddings", true),
		PostNorm: !r.flag("do_layer_norm_before", true),
	}
	c.KVHeads, c.HeadDim = c.Heads, r.headDim("hidden_size", c)
	c.NoOuterNorm = r.flag("_remove_final_layer_norm", false) || c.PostNorm
	c.QKVBias = r.flag("enable_bias", true)
	c.OutBias, c.FFNBias = c.QKVBias, c.QKVBias
	if e := r.integer("word_embed_proj_dim", c.Width); e != c.Width {
		c.EmbeddingWidth = e
	}
	r.mustBe("layer_norm_elementwise_affine", true)
	return c
}
