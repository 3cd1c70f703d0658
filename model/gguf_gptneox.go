package model

import (
	"plumb/arch"
	"plumb/internal/gguf"
)

func init() {
	ggufFamilies.Add("gptneox", ggufFamily{config: ggufGPTNeoX, metadata: gptNeoXMetadata, fused: true, headIsThere: true})
}

// ggufGPTNeoX reads the shape of GPT-NeoX and Pythia. The format does not name
// the form of GELU; the models use the exact one, and llama.cpp computes the
// tanh form, which moves a logit by thousandths.
func ggufGPTNeoX(k *ggufKeys) arch.Config {
	c := k.common()
	c.Activation, c.Norm, c.NormEps = "gelu_erf", "layernorm", k.number("attention.layer_norm_epsilon", 1e-5)
	c.ParallelResidual = k.flag("use_parallel_residual", true)
	c.QKVBias, c.OutBias, c.FFNBias = true, true, true
	k.rotary(&c)
	return c
}

func gptNeoXMetadata(c arch.Config) []gguf.Pair {
	pairs := append(commonMetadata(c),
		gguf.Pair{Key: "attention.layer_norm_epsilon", Value: float32(c.NormEps)},
		gguf.Pair{Key: "use_parallel_residual", Value: c.ParallelResidual})
	return append(pairs, rotaryMetadata(c)...)
}
