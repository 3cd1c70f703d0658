package model

import (
	"strings"

	"plumb/arch"
)

func init() {
	families.Add("GPT2LMHeadModel", family{modelType: "gpt2", prefix: "transformer.", config: gpt2Config, source: gpt2Source, spare: gpt2Spare})
}

// gpt2Spare are the causal masks that older versions stored.
var gpt2Spare = []string{".attn.bias", ".attn.masked_bias"}

var gpt2Names = names{
	outer: map[string]string{
		"embedding.weight": "transformer.wte.weight",
		"position.weight":  "transformer.wpe.weight",
		"norm.gain":        "transformer.ln_f.weight",
		"norm.bias":        "transformer.ln_f.bias",
		"head.weight":      "lm_head.weight",
	},
	block: "transformer.h.%.",
	inner: map[string]string{
		"attention.norm.gain":  "ln_1.weight",
		"attention.norm.bias":  "ln_1.bias",
		"attention.q.weight":   "attn.c_attn.weight",
		"attention.q.bias":     "attn.c_attn.bias",
		"attention.k.weight":   "attn.c_attn.weight",
		"attention.k.bias":     "attn.c_attn.bias",
		"attention.v.weight":   "attn.c_attn.weight",
		"attention.v.bias":     "attn.c_attn.bias",
		"attention.out.weight": "attn.c_proj.weight",
		"attention.out.bias":   "attn.c_proj.bias",
		"ffn.norm.gain":        "ln_2.weight",
		"ffn.norm.bias":        "ln_2.bias",
		"ffn.up.weight":        "mlp.c_fc.weight",
		"ffn.up.bias":          "mlp.c_fc.bias",
		"ffn.down.weight":      "mlp.c_proj.weight",
		"ffn.down.bias":        "mlp.c_proj.bias",
	},
}

// gpt2Source knows that the matrices of GPT-2's layers are stored as [in, out],
// and queries, keys and values as one, in this order.
func gpt2Source(c arch.Config, name string) source {
	s := gpt2Names.find(name)
	_, rest, inBlock := blockName(name)
	s.transposed = inBlock && strings.HasSuffix(rest, ".weight")
	for i, part := range []string{"attention.q.", "attention.k.", "attention.v."} {
		if strings.HasPrefix(rest, part) {
			s.cut = cut{groups: 1, stride: 3 * c.Width, first: i * c.Width, take: c.Width}
		}
	}
	return s
}

func gpt2Config(r *hfConfig) arch.Config {
	c := arch.Config{
		Vocab: r.integer("vocab_size", 50257), Context: r.integer("n_positions", 1024),
		Layers: r.integer("n_layer", 12), Width: r.integer("n_embd", 768), Heads: r.integer("n_head", 12),
		Activation: r.plainActivation("activation_function", "gelu_new"), Norm: "layernorm", NormEps: r.number("layer_norm_epsilon", 1e-5),
		Position: "learned", QKVBias: true, OutBias: true, FFNBias: true, TiedHead: r.flag("tie_word_embeddings", true),
		ScaleByLayer: r.flag("scale_attn_by_inverse_layer_idx", false),
	}
	c.KVHeads = c.Heads
	c.HeadDim = r.headDim("n_embd", c)
	c.Hidden = r.integer("n_inner", 4*c.Width)
	if !r.flag("scale_attn_weights", true) {
		c.AttentionScale = 1
	}
	r.ignore("n_ctx", "reorder_and_upcast_attn") // the second is about rounding in float16
	// What fixtures of the transformers library's tests inherit from BERT.
	r.ignore("intermediate_size", "hidden_act", "type_vocab_size")
	return c
}
