package model

import (
	"math"

	"plumb/arch"
	"plumb/kernels"
)

// frequencies returns the angles in radians by which the channel pairs of a
// head turn from one position to the next.
func frequencies(c arch.Config) []float64 {
	all := kernels.RotaryFrequencies(c.RotaryChannels(), c.RotaryTheta)
	for i, f := range all {
		all[i] = scaledFrequency(f, c.RotaryScaling)
	}
	return all
}

// scaledFrequency stretches f as s says. Where s has bands, as in Llama 3.1
// (modeling_rope_utils.py of the transformers library, "llama3"), frequencies
// that turn often within the first context stay, those that do not are divided
// by the factor, and those between go smoothly from one to the other.
func scaledFrequency(f float64, s arch.RotaryScaling) float64 {
	switch {
	case s == arch.RotaryScaling{}:
		return f
	case s.Context == 0:
		return f / s.Factor
	}
	turns := float64(s.Context) * f / (2 * math.Pi)
	switch {
	case turns > s.HighFrequency:
		return f
	case turns < s.LowFrequency:
		return f / s.Factor
	}
	smooth := (turns - s.LowFrequency) / (s.HighFrequency - s.LowFrequency)
	kept := float64(smooth * f)
	return float64((1-smooth)*f)/s.Factor + kept
}
