package model

import "plumb/kernels"

// A norm scales each row of the residual stream: RMSNorm where bias is nil,
// LayerNorm where it is not.
type norm struct {
	gain, bias         []float32 // [c]
	gradGain, gradBias []float32
	eps                float32
}

// forward sets dst [rows, c] to the norm of x.
func (n *norm) forward(dst, x []float32) {
	if n.bias == nil {
		kernels.RMSNorm(dst, x, n.gain, n.eps)
		return
	}
	kernels.LayerNorm(dst, x, n.gain, n.bias, n.eps)
}

// backward adds to dx the gradient with respect to x, given dy, and gathers
// the gradients of gain and bias.
func (n *norm) backward(dx, dy, x []float32) {
	if n.bias == nil {
		kernels.RMSNormBack(dx, n.gradGain, dy, x, n.gain, n.eps)
		return
	}
	kernels.LayerNormBack(dx, n.gradGain, n.gradBias, dy, x, n.gain, n.eps)
}
