package model

import "plumb/arch"

func init() {
	families.Add("PhiForCausalLM", family{modelType: "phi", prefix: "model.", config: phiConfig, source: phiSource, spare: llamaSpare})
}

var phiNames = names{
	outer: map[string]string{
		"embedding.weight": "model.embed_tokens.weight",
		"norm.gain":        "model.final_layernorm.weight",
		"norm.bias":        "model.final_layernorm.bias",
		"head.weight":      "lm_head.weight",
		"head.bias":        "lm_head.bias",
	},
	block: "model.layers.%.",
	inner: map[string]string{
		"attention.norm.gain":  "input_layernorm.weight",
		"attention.norm.bias":  "input_layernorm.bias",
		"attention.q.weight":   "self_attn.q_proj.weight",
		"attention.q.bias":     "self_attn.q_proj.bias",
		"attention.k.weight":   "self_attn.k_proj.weight",
		"attention.k.bias":     "self_attn.k_proj.bias",
		"attention.v.weight":   "self_attn.v_proj.weight",
		"attention.v.bias":     "self_attn.v_proj.bias",
		"attention.out.weight": "self_attn.dense.weight",
		"attention.out.bias":   "self_attn.dense.bias",
		"ffn.up.weight":        "mlp.fc1.weight",
		"ffn.up.bias":          "mlp.fc1.bias",
		"ffn.down.weight":      "mlp.fc2.weight",
		"ffn.down.bias":        "mlp.fc2.bias",
	},
}

func phiSource(_ arch.Config, name string) source { return phiNames.find(name) }

// phiConfig is that of Phi-1 and Phi-2: attention and feed-forward part read
// one norm, and the output matrix has a bias.
func phiConfig(r *hfConfig) arch.Config {
	c := arch.Config{
		Vocab: r.integer("vocab_size", 51200), Context: r.integer("max_position_embeddings", 2048),
		Layers: r.integer("num_hidden_layers", 24), Width: r.integer("hidden_size", 2048), Heads: r.integer("num_attention_heads", 32),
		Hidden: r.integer("intermediate_size", 8192), Activation: r.plainActivation("hidden_act", "gelu_new"),
		Norm: "layernorm", NormEps: r.number("layer_norm_eps", 1e-5), RotaryShare: r.number("partial_rotary_factor", 0.5),
		QKVBias: true, OutBias: true, FFNBias: true, HeadBias: true, TiedHead: r.flag("tie_word_embeddings", false),
		ParallelResidual: true, NormsPerLayer: 1,
	}
	c.KVHeads = r.integer("num_key_value_heads", c.Heads)
	c.HeadDim = r.headDim("hidden_size", c)
	r.rotary(&c)
	r.mustBe("qk_layernorm", false)
	return c
}
