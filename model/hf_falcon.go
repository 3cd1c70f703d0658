package model

import "plumb/arch"

func init() {
	families.Add("FalconForCausalLM", family{modelType: "falcon", prefix: "transformer.", config: falconConfig, source: falconSource, spare: llamaSpare})
}

var falconNames = names{
	outer: map[string]string{
		"embedding.weight": "transformer.word_embeddings.weight",
		"norm.gain":        "transformer.ln_f.weight",
		"norm.bias":        "transformer.ln_f.bias",
		"head.weight":      "lm_head.weight",
	},
	block: "transformer.h.%.",
	inner: map[string]string{
		"attention.norm.gain":  "input_layernorm.weight",
		"attention.norm.bias":  "input_layernorm.bias",
		"attention.q.weight":   "self_attention.query_key_value.weight",
		"attention.q.bias":     "self_attention.query_key_value.bias",
		"attention.k.weight":   "self_attention.query_key_value.weight",
		"attention.k.bias":     "self_attention.query_key_value.bias",
		"attention.v.weight":   "self_attention.query_key_value.weight",
		"attention.v.bias":     "self_attention.query_key_value.bias",
		"attention.out.weight": "self_attention.dense.weight",
		"attention.out.bias":   "self_attention.dense.bias",
		"ffn.norm.gain":        "post_attention_layernorm.weight",
		"ffn.norm.bias":        "post_attention_layernorm.bias",
		"ffn.up.weight":        "mlp.dense_h_to_4h.weight",
		"ffn.up.bias":          "mlp.dense_h_to_4h.bias",
		"ffn.down.weight":      "mlp.dense_4h_to_h.weight",
		"ffn.down.bias":        "mlp.dense_4h_to_h.bias",
	},
}

// falconParallelNorms are the two norms of parallel parts (Falcon 40B).
var falconParallelNorms = map[string]string{
	"attention.norm.gain": "ln_attn.weight",
	"attention.norm.bias": "ln_attn.bias",
	"ffn.norm.gain":       "ln_mlp.weight",
	"ffn.norm.bias":       "ln_mlp.bias",
}

func falconSource(c arch.Config, name string) source {
	s := falconNames.find(name)
	if block, rest, ok := blockName(name); ok && c.ParallelResidual && c.NormsPerLayer == 2 {
		if norm, ok := falconParallelNorms[rest]; ok {
			s.tensor = "transformer.h." + block + "." + norm
		}
	}
	s.cut = fusedByGroup(c, name)
	return s
}

// falconConfig is that of Falcon (arXiv 2311.16867) in its three forms: one
// key-value head for all with parallel parts that read one norm (7B), the new
// decoder architecture of grouped heads and one norm or two (11B, 40B), and
// parts in sequence. Those with linear position biases (RW) are refused.
func falconConfig(r *hfConfig) arch.Config {
	c := arch.Config{
		Vocab: r.integer("vocab_size", 65024), Context: r.integer("max_position_embeddings", 2048),
		Layers: r.integer("num_hidden_layers", 32), Width: r.integer("hidden_size", 4544), Heads: r.integer("num_attention_heads", 71),
		Activation: r.plainActivation("activation", "gelu"), Norm: "layernorm", NormEps: r.number("layer_norm_epsilon", 1e-5),
		QKVBias: r.flag("bias", false), TiedHead: r.flag("tie_word_embeddings", true),
	}
	c.OutBias, c.FFNBias = c.QKVBias, c.QKVBias
	c.Hidden = r.integer("ffn_hidden_size", 4*c.Width)
	c.HeadDim = r.headDim("hidden_size", c)
	r.falconHeads(&c)
	r.rotary(&c)
	r.mustBe("alibi", false)
	r.ignore("ff_factor") // ffn_hidden_size counts
	return c
}

// falconHeads reads how heads are grouped and what stands beside what.
func (r *hfConfig) falconHeads(c *arch.Config) {
	grouped := r.flag("new_decoder_architecture", false)
	oneForAll, kv := r.flag("multi_query", true), r.integer("num_kv_heads", c.Heads)
	switch {
	case grouped:
		c.KVHeads = kv
	case oneForAll:
		c.KVHeads = 1
	default:
		c.KVHeads = c.Heads
	}
	usual := 1
	if grouped {
		usual = 2
	}
	norms := r.integer("num_ln_in_parallel_attn", usual)
	c.ParallelResidual = r.flag("parallel_attn", true)
	switch {
	case !c.ParallelResidual && grouped:
		r.addf("parallel_attn = false with new_decoder_architecture is not supported")
	case c.ParallelResidual && norms == 2 && !grouped:
		r.addf("num_ln_in_parallel_attn = 2 without new_decoder_architecture is not supported")
	case c.ParallelResidual:
		c.NormsPerLayer = norms
	}
}
