package model

import (
	"math"
	"slices"

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

// llama3 finds the rotary scaling that the divisors stand for, which GGUF files
// hold in place of the numbers they were made from: the largest is the factor.
// Low, high and context are known only up to a common multiple, so low is taken
// for 1 and high for 4, as all published models have them, and the context is
// tried with what a blended divisor says it is.
func (k *ggufKeys) llama3(c *arch.Config, factors []float32) {
	if pairs := c.RotaryChannels() / 2; len(factors) != pairs {
		k.refuse("%s divides %d frequencies, heads have %d", ropeFactors, len(factors), pairs)
		return
	}
	s := arch.RotaryScaling{LowFrequency: 1, HighFrequency: 4, Context: 8192}
	for _, f := range factors {
		s.Factor = max(s.Factor, shortest(f))
	}
	for _, s.Context = range contexts(*c, s, factors) {
		scaled := *c
		scaled.RotaryScaling = s
		if sameFactors(factors, rotaryFactors(scaled)) {
			*c = scaled
			return
		}
	}
	k.refuse("%s does not hold a rotary scaling in the manner of Llama 3 (low frequency 1, high 4)", ropeFactors)
}

// contexts returns those to try: the usual one, and what the first blended
// divisor says.
func contexts(c arch.Config, s arch.RotaryScaling, factors []float32) []int {
	list := []int{s.Context}
	frequencies := kernels.RotaryFrequencies(c.RotaryChannels(), c.RotaryTheta)
	i := slices.IndexFunc(factors, func(f float32) bool { return f > 1 && float64(f) < s.Factor })
	if i < 0 {
		return list
	}
	smooth := (1/float64(factors[i]) - 1/s.Factor) / (1 - 1/s.Factor)
	turns := s.LowFrequency + smooth*(s.HighFrequency-s.LowFrequency)
	return append(list, int(min(math.Round(turns*2*math.Pi/frequencies[i]), 1<<30)))
}

func sameFactors(a, b []float32) bool {
	return slices.EqualFunc(a, b, func(x, y float32) bool { return math.Abs(float64(x-y)) <= 1e-4*float64(y) })
}

// rotaryFactors returns by what c divides the rotary frequency of each pair of
// channels, nil where it divides none or all alike.
func rotaryFactors(c arch.Config) []float32 {
	if c.RotaryScaling.Context == 0 {
		return nil
	}
	factors := make([]float32, c.RotaryChannels()/2)
	for i, f := range kernels.RotaryFrequencies(c.RotaryChannels(), c.RotaryTheta) {
		factors[i] = float32(f / scaledFrequency(f, c.RotaryScaling))
	}
	return factors
}
