package train

import (
	"math"

	"plumb/kernels"
	"plumb/model"
)

// An optimizer moves weights along their gradients by AdamW (Loshchilov and
// Hutter 2017).
type optimizer struct {
	cfg    Config
	params []model.Param
	first  [][]float32 // mean of gradients, by parameter
	second [][]float32 // mean of their squares
	decays func(model.Param) bool
}

func newOptimizer(cfg Config, params []model.Param) *optimizer {
	return kernels.Place(func(a *kernels.Arena) *optimizer {
		o := &optimizer{cfg: cfg, params: params, decays: decayOn[cfg.DecayOn]}
		for _, p := range params {
			o.first = append(o.first, a.Floats(len(p.Data)))
			o.second = append(o.second, a.Floats(len(p.Data)))
		}
		return o
	})
}

// gradientNorm is the norm of all gradients together.
func (o *optimizer) gradientNorm() float64 {
	sum := 0.0
	for _, p := range o.params {
		sum += kernels.SumSquares(p.Grad)
	}
	return math.Sqrt(sum)
}

// step moves the weights at the given rate of body weights and zeroes the
// gradients. count is the number of this step, from 1; norm is gradientNorm.
func (o *optimizer) step(count int, rate, norm float64) {
	c := o.cfg
	scale := 1.0
	if c.Clip > 0 && norm > c.Clip {
		scale = c.Clip / norm
	}
	adam := kernels.AdamW{
		Beta1: float32(c.Beta1), Beta2: float32(c.Beta2), Eps: float32(c.Eps), GradScale: float32(scale),
		Correction1: float32(1 - kernels.Pow(c.Beta1, float64(count))), Correction2: float32(1 - kernels.Pow(c.Beta2, float64(count))),
	}
	for i, p := range o.params {
		adam.LearningRate, adam.Decay = float32(rate), 0
		if p.Group == model.Embedding {
			adam.LearningRate = float32(rate * c.EmbeddingRate)
		}
		if o.decays(p) {
			adam.Decay = float32(c.WeightDecay)
		}
		adam.Step(p.Data, p.Grad, o.first[i], o.second[i])
	}
}
