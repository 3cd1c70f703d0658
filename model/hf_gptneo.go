package model

import (
	"encoding/json"

	"plumb/arch"
)

func init() {
	families.Add("GPTNeoForCausalLM", family{
		modelType: "gpt_neo", prefix: "transformer.", config: gptNeoConfig, source: gptNeoSource,
		spare: []string{".attn.attention.bias", ".attn.attention.masked_bias"},
	})
}

var gptNeoNames = names{
	outer: gpt2Names.outer,
	block: gpt2Names.block,
	inner: map[string]string{
		"attention.norm.gain":  "ln_1.weight",
		"attention.norm.bias":  "ln_1.bias",
		"attention.q.weight":   "attn.attention.q_proj.weight",
		"attention.k.weight":   "attn.attention.k_proj.weight",
		"attention.v.weight":   "attn.attention.v_proj.weight",
		"attention.out.weight": "attn.attention.out_proj.weight",
		"attention.out.bias":   "attn.attention.out_proj.bias",
		"ffn.norm.gain":        "ln_2.weight",
		"ffn.norm.bias":        "ln_2.bias",
		"ffn.up.weight":        "mlp.c_fc.weight",
		"ffn.up.bias":          "mlp.c_fc.bias",
		"ffn.down.weight":      "mlp.c_proj.weight",
		"ffn.down.bias":        "mlp.c_proj.bias",
	},
}

func gptNeoSource(_ arch.Config, name string) source { return gptNeoNames.find(name) }

// gptNeoConfig has local layers among global ones, and scores that are not
// scaled (modeling_gpt_neo.py of the transformers library).
func gptNeoConfig(r *hfConfig) arch.Config {
	c := arch.Config{
		Vocab: r.integer("vocab_size", 50257), Context: r.integer("max_position_embeddings", 2048),
		Layers: r.integer("num_layers", 24), Width: r.integer("hidden_size", 2048), Heads: r.integer("num_heads", 16),
		Activation: r.plainActivation("activation_function", "gelu_new"), Norm: "layernorm", NormEps: r.number("layer_norm_epsilon", 1e-5),
		Position: "learned", OutBias: true, FFNBias: true, TiedHead: r.flag("tie_word_embeddings", true),
		AttentionScale: 1, Window: r.integer("window_size", 256),
	}
	c.KVHeads, c.HeadDim = c.Heads, r.headDim("hidden_size", c)
	c.Hidden = r.integer("intermediate_size", 4*c.Width)
	r.windows(&c, "attention_types", r.gptNeoLayers(c.Layers), "local", "global")
	return c
}

// maxKinds is the most layers whose kinds are written out here, far above any
// real model.
const maxKinds = 1 << 11

// gptNeoLayers returns the kind of every layer: attention_layers, or the
// patterns and their repetitions in attention_types.
func (r *hfConfig) gptNeoLayers(layers int) []string {
	if layers < 0 || layers > maxKinds {
		return nil
	}
	const key = "attention_types"
	if n := len(r.raw[key]); n > 16*maxKinds {
		r.ignore(key)
		r.addf("%s: %d bytes are more than any model's layers take", key, n)
		return nil
	}
	var kinds []string
	patterns := [][2]json.RawMessage{{json.RawMessage(`["global", "local"]`), json.RawMessage("8192")}}
	if r.get(key, &patterns); r.get("attention_layers", &kinds) {
		return kinds
	}
	for _, p := range patterns {
		var pattern []string
		var times int
		if json.Unmarshal(p[0], &pattern) != nil || json.Unmarshal(p[1], &times) != nil || times < 0 {
			r.addf(key+": %.40s %.40s is no list of kinds and a number", p[0], p[1])
			return nil
		}
		for i := 0; i < times && len(pattern) > 0 && len(kinds) < layers; i++ {
			kinds = append(kinds, pattern...)
		}
	}
	return kinds[:min(len(kinds), layers)]
}
