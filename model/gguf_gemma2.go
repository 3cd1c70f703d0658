package model

import (
	"math"

	"plumb/arch"
	"plumb/internal/gguf"
)

func init() {
	ggufFamilies.Add("gemma2", ggufFamily{config: ggufGemma2, metadata: gemma2Metadata})
}

// ggufGemma2 reads the shape of Gemma 2. Norm gains stand in GGUF files with
// the 1 added that safetensors files leave out.
func ggufGemma2(k *ggufKeys) arch.Config {
	c := k.common()
	c.Activation, c.Norm, c.NormEps = "geglu", "rmsnorm", k.number("attention.layer_norm_rms_epsilon", 1e-6)
	c.NormsPerLayer, c.NormOffset, c.EmbeddingScale = 4, 1, math.Sqrt(float64(c.Width))
	c.AttentionSoftCap, c.FinalSoftCap = k.number("attn_logit_softcapping", 50), k.number("final_logit_softcapping", 30)
	c.Window, c.WindowEvery = k.integerOr("attention.sliding_window", 4096), 2
	k.rotary(&c)
	if !c.TiedHead {
		k.refuse("gemma2 has no output matrix of its own")
	}
	const layersOf27B = 46 // whose scores are scaled by the width over the heads; nothing else tells (llama.cpp, LLM_TYPE_27B)
	if c.Layers == layersOf27B {
		c.AttentionScale = 1 / math.Sqrt(float64(c.Width)/float64(max(1, c.Heads)))
	}
	return c
}

func gemma2Metadata(c arch.Config) []gguf.Pair {
	pairs := append(commonMetadata(c),
		gguf.Pair{Key: "attention.layer_norm_rms_epsilon", Value: float32(c.NormEps)},
		gguf.Pair{Key: "attn_logit_softcapping", Value: float32(c.AttentionSoftCap)},
		gguf.Pair{Key: "final_logit_softcapping", Value: float32(c.FinalSoftCap)},
		gguf.Pair{Key: "attention.sliding_window", Value: uint32(c.Window)})
	return append(pairs, rotaryMetadata(c)...)
}
