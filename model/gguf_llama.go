package model

import (
	"math"

	"plumb/arch"
	"plumb/internal/gguf"
	"plumb/kernels"
)

func init() {
	ggufFamilies.Add("llama", ggufFamily{config: ggufLlama, metadata: llamaMetadata, interleaved: true})
	ggufFamilies.Add("qwen2", ggufFamily{config: ggufQwen2, metadata: llamaMetadata})
}

// ggufLlama reads the shape of Llama and of those that say they are: biases are
// there where the first layer has them.
func ggufLlama(k *ggufKeys) arch.Config {
	c := k.common()
	c.Activation, c.Norm, c.NormEps = "swiglu", "rmsnorm", k.number("attention.layer_norm_rms_epsilon", 1e-5)
	k.rotary(&c)
	k.mustBe("expert_count", 0)
	k.mustBe("expert_used_count", 0)
	k.ignore("tensor_data_layout")
	if k.arch == "llama" && c.RotaryShare != 1 {
		k.refuse("llama.rope.dimension_count is not the width of a head, %d: llama.cpp turns whole heads", c.HeadDim)
	}
	c.QKVBias, c.OutBias, c.FFNBias = k.has("attn_q.bias"), k.has("attn_output.bias"), k.has("ffn_up.bias")
	return c
}

// ggufQwen2 reads the shape of Qwen2, whose rotations turn halves and not neighbours.
func ggufQwen2(k *ggufKeys) arch.Config {
	c := ggufLlama(k)
	c.QKVBias, c.OutBias, c.FFNBias = true, false, false
	return c
}

func llamaMetadata(c arch.Config) []gguf.Pair {
	pairs := append(commonMetadata(c),
		gguf.Pair{Key: "attention.layer_norm_rms_epsilon", Value: float32(c.NormEps)},
		gguf.Pair{Key: "vocab_size", Value: uint32(c.Vocab)})
	return append(pairs, rotaryMetadata(c)...)
}

// commonMetadata are the keys that ggufKeys.common reads.
func commonMetadata(c arch.Config) []gguf.Pair {
	pairs := []gguf.Pair{
		{Key: "block_count", Value: uint32(c.Layers)},
		{Key: "context_length", Value: uint32(c.Context)},
		{Key: "embedding_length", Value: uint32(c.Width)},
		{Key: "feed_forward_length", Value: uint32(c.Hidden)},
		{Key: "attention.head_count", Value: uint32(c.Heads)},
		{Key: "attention.head_count_kv", Value: uint32(c.KVHeads)},
	}
	if c.Heads*c.HeadDim != c.Width {
		pairs = append(pairs, gguf.Pair{Key: "attention.key_length", Value: uint32(c.HeadDim)}, gguf.Pair{Key: "attention.value_length", Value: uint32(c.HeadDim)})
	}
	return pairs
}

// rotaryMetadata are the keys that ggufKeys.rotary reads.
func rotaryMetadata(c arch.Config) []gguf.Pair {
	pairs := []gguf.Pair{
		{Key: "rope.dimension_count", Value: uint32(c.RotaryChannels())},
		{Key: "rope.freq_base", Value: float32(c.RotaryTheta)},
	}
	if s := c.RotaryScaling; s.Factor != 0 && s.Context == 0 {
		pairs = append(pairs, gguf.Pair{Key: "rope.scaling.type", Value: "linear"}, gguf.Pair{Key: "rope.scaling.factor", Value: float32(s.Factor)})
	}
	return pairs
}

// Llama 3's rotary scaling stands in GGUF files as divisors of the frequencies,
// not as the numbers they were made from. Those which all published models
// share are tried, with the largest divisor as the factor.
func (k *ggufKeys) llama3(c *arch.Config, factors []float32) {
	s := arch.RotaryScaling{LowFrequency: 1, HighFrequency: 4, Context: 8192}
	for _, f := range factors {
		s.Factor = max(s.Factor, shortest(f))
	}
	known := *c
	known.RotaryScaling = s
	for i, want := range rotaryFactors(known) {
		if i >= len(factors) || math.Abs(float64(factors[i]-want)) > 1e-4*float64(want) {
			k.refuse("%s does not hold the rotary scaling of Llama 3 (low 1, high 4, context 8192)", ropeFactors)
			return
		}
	}
	c.RotaryScaling = s
}

// rotaryFactors returns by what c divides the rotary frequency of each pair of
// channels, nil where it divides none or all alike: Llama 3 leaves those with
// waves short against the context as they are, divides the long ones by the
// factor, and blends in between (Llama 3.1 model card, transformers'
// modeling_rope_utils).
func rotaryFactors(c arch.Config) []float32 {
	s := c.RotaryScaling
	if s.Context == 0 {
		return nil
	}
	factors := make([]float32, c.RotaryChannels()/2)
	for i := range factors {
		exponent := 2 * float64(i) / float64(c.RotaryChannels())
		wave := 2 * math.Pi * kernels.Exp64(exponent*kernels.Log64(c.RotaryTheta))
		turns := float64(s.Context) / wave
		switch {
		case turns > s.HighFrequency:
			factors[i] = 1
		case turns < s.LowFrequency:
			factors[i] = float32(s.Factor)
		default:
			blend := (turns - s.LowFrequency) / (s.HighFrequency - s.LowFrequency)
			factors[i] = float32(1 / ((1-blend)/s.Factor + blend))
		}
	}
	return factors
}
