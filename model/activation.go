package model

import (
	"plumb/internal/registry"
	"plumb/kernels"
)

// An activation is the nonlinear step inside the feed-forward part. A gated
// one multiplies act(gate) with up; a plain one has no gate and acts on up.
type activation struct {
	forward  func(dst, gate, up []float32)
	backward func(dst, dgate, dup, dy, gate, up []float32) // sets dgate and dup, and dst as forward does
}

var activations = registry.New[activation]("activation")

func init() {
	activations.Add("swiglu", activation{kernels.SwiGLU, kernels.SwiGLUBack})
	activations.Add("geglu", activation{kernels.GeGLU, kernels.GeGLUBack})
	activations.Add("gelu", plain(kernels.GELUTanh, kernels.GELUTanhBack))
	activations.Add("gelu_erf", plain(kernels.GELUErf, kernels.GELUErfBack))
	activations.Add("relu", plain(kernels.ReLU, kernels.ReLUBack))
}

// plain gives a function of one input the form of a gated one. dup may be dy.
func plain(forward func(dst, x []float32), backward func(dx, dy, x []float32)) activation {
	return activation{
		forward: func(dst, _, up []float32) { forward(dst, up) },
		backward: func(dst, _, dup, dy, _, up []float32) {
			forward(dst, up)
			backward(dup, dy, up)
		},
	}
}
