package model

import (
	"plumb/arch"
	"plumb/internal/gguf"
)

func init() {
	ggufFamilies.Add("gpt2", ggufFamily{config: ggufGPT2, metadata: gpt2Metadata, fused: true, headIsThere: true})
}

// ggufGPT2 reads the shape of GPT-2. Its matrices are stored as [out, in] here,
// other than in safetensors files.
func ggufGPT2(k *ggufKeys) arch.Config {
	c := k.common()
	c.Activation, c.Norm, c.NormEps = "gelu", "layernorm", k.number("attention.layer_norm_epsilon", 1e-5)
	c.Position, c.QKVBias, c.OutBias, c.FFNBias = "learned", true, true, true
	return c
}

func gpt2Metadata(c arch.Config) []gguf.Pair {
	return append(commonMetadata(c), gguf.Pair{Key: "attention.layer_norm_epsilon", Value: float32(c.NormEps)})
}
