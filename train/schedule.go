package train

import (
	"math"

	"plumb/internal/registry"
	"plumb/kernels"
)

// A schedule returns the learning rate as a multiple of its peak at step of
// steps, both counted from 0, behind the warm-up.
type schedule func(c Config, step, steps int) float64

// Schedules holds every schedule by name.
var Schedules = registry.New[schedule]("schedule")

func init() {
	Schedules.Add("cosine", cosine)
	Schedules.Add("wsd", warmupStableDecay)
	Schedules.Add("constant", constant)
}

// Rate returns the learning rate of body weights at step, counted from 0. c
// must be valid.
func (c Config) Rate(step, steps int) float64 {
	if step < c.WarmupSteps {
		return c.LearningRate * float64(step+1) / float64(c.WarmupSteps)
	}
	multiple, err := Schedules.Get(c.Schedule)
	if err != nil {
		panic("train: Config.Rate: " + err.Error())
	}
	return c.LearningRate * multiple(c, step-c.WarmupSteps, steps-c.WarmupSteps)
}

// constant stays at 1.
func constant(Config, int, int) float64 { return 1 }

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
