package model

import (
	"maps"
	"math"
	"strings"

	"plumb/arch"
)

func init() {
	families.Add("Gemma2ForCausalLM", family{modelType: "gemma2", prefix: "model.", config: gemma2Config, source: gemma2Source, spare: llamaSpare})
}

// gemma2Config follows arXiv 2408.00118 and modeling_gemma2.py of the
// transformers library: norms on both sides of each half of a layer, gains
// stored less 1, the even layers windowed, scores and logits with soft caps.
func gemma2Config(r *hfConfig) arch.Config {
	c := llamaShape(r, arch.Config{
		Vocab: 256000, Context: 8192, Layers: 26, Width: 2304, Heads: 8, KVHeads: 4, HeadDim: 256, Hidden: 9216, TiedHead: true,
	})
	c.Activation = r.gatedActivation("hidden_activation", "gelu_pytorch_tanh")
	c.QKVBias = r.flag("attention_bias", false)
	c.OutBias = c.QKVBias
	c.NormOffset, c.NormsPerLayer = 1, 4
	c.Window, c.WindowEvery = int(r.nullable("sliding_window", 4096)), 2
	c.AttentionScale = 1 / math.Sqrt(r.number("query_pre_attn_scalar", 256))
	c.AttentionSoftCap, c.FinalSoftCap = r.nullable("attn_logit_softcapping", 50), r.nullable("final_logit_softcapping", 30)
	c.EmbeddingScale = r.stored(math.Sqrt(float64(max(0, c.Width))))
	r.layerTypes(&c)
	r.mustBe("use_bidirectional_attention", false)
	r.ignore("hidden_act") // hidden_activation counts
	return c
}

var gemma2Names = names{outer: llamaNames.outer, block: llamaNames.block, inner: gemma2Inner()}

// gemma2Inner are Llama's names, of which one means another norm.
func gemma2Inner() map[string]string {
	inner := maps.Clone(llamaNames.inner)
	inner["attention.post_norm.gain"] = "post_attention_layernorm.weight"
	inner["ffn.norm.gain"] = "pre_feedforward_layernorm.weight"
	inner["ffn.post_norm.gain"] = "post_feedforward_layernorm.weight"
	return inner
}

func gemma2Source(c arch.Config, name string) source {
	s := gemma2Names.find(name)
	if strings.HasSuffix(name, "norm.gain") {
		s.plus = float32(c.NormOffset)
	}
	return s
}
