package train

import (
	"math"

	"plumb/kernels"
)

// A schedule returns the learning rate as a multiple of its peak at step of
// steps, both counted from 0, behind the warm-up.
type schedule func(c Config, step, steps int) float64

var schedules = map[string]schedule{
	"cosine":   cosine,
	"wsd":      warmupStableDecay,
	"constant": func(Config, int, int) float64 { return 1 },
}

// Rate returns the learning rate of body weights at step, counted from 0.
func (c Config) Rate(step, steps int) float64 {
	if step < c.WarmupSteps {
		return c.LearningRate * float64(step+1) / float64(c.WarmupSteps)
	}
	return c.LearningRate * schedules[c.Schedule](c, step-c.WarmupSteps, steps-c.WarmupSteps)
}

// cosine falls along half a wave from 1 to FinalRate.
func cosine(c Config, step, steps int) float64 {
	progress := float64(step) / float64(max(1, steps-1))
	wave := 0.5 * (1 + kernels.Cos(math.Pi*progress))
	return c.FinalRate + float64((1-c.FinalRate)*wave)
}

// warmupStableDecay stays at 1 and falls in a line to FinalRate over the last
// DecayShare of the steps.
func warmupStableDecay(c Config, step, steps int) float64 {
	decay := int(c.DecayShare * float64(steps))
	left := steps - 1 - step
	if decay == 0 || left >= decay {
		return 1
	}
	return c.FinalRate + float64((1-c.FinalRate)*float64(left)/float64(decay))
}
