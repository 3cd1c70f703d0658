package model

import (
	"plumb/arch"
	"plumb/kernels"
)

// A norm scales each row of the residual stream: RMSNorm where bias is nil,
// LayerNorm where it is not. A nil norm leaves it as it is.
type norm struct {
	gain, bias         []float32 // [c]
	gradGain, gradBias []float32
	eps                float32
}

// forward sets dst [rows, c] to the norm of x. dst may be x.
func (n *norm) forward(dst, x []float32) {
	switch {
	case n == nil:
		copy(dst, x)
	case n.bias == nil:
		kernels.RMSNorm(dst, x, n.gain, n.eps)
	default:
		kernels.LayerNorm(dst, x, n.gain, n.bias, n.eps)
	}
}

// backward adds to dx the gradient with respect to x, given dy, and gathers
// the gradients of gain and bias.
func (n *norm) backward(dx, dy, x []float32) {
	switch {
	case n == nil:
		kernels.Add(dx, dy)
	case n.bias == nil:
		kernels.RMSNormBack(dx, n.gradGain, dy, x, n.gain, n.eps)
	default:
		kernels.LayerNormBack(dx, n.gradGain, n.gradBias, dy, x, n.gain, n.eps)
	}
}

// norms are those of a block, nil where there is none.
type norms struct {
	attention, feedForward           *norm // of what a part reads
	afterAttention, afterFeedForward *norm // of what a part adds
	attentionSum, feedForwardSum     *norm // of the stream once it has been added
}

// A place is where a norm stands in a block: by its name in files and as a
// field of norms.
type place struct {
	name string // follows "blocks.N."
	in   func(*norms) **norm
}

// places lists the norms of a block of c.
func places(c arch.Config) []place {
	attention := place{"attention.norm.", func(n *norms) **norm { return &n.attention }}
	feedForward := place{"ffn.norm.", func(n *norms) **norm { return &n.feedForward }}
	switch {
	case c.PostNorm:
		return []place{
			{"attention.norm.", func(n *norms) **norm { return &n.attentionSum }},
			{"ffn.norm.", func(n *norms) **norm { return &n.feedForwardSum }},
		}
	case c.BlockNorms() == 1:
		return []place{attention}
	case c.BlockNorms() == 4:
		return []place{
			attention, {"attention.post_norm.", func(n *norms) **norm { return &n.afterAttention }},
			feedForward, {"ffn.post_norm.", func(n *norms) **norm { return &n.afterFeedForward }},
		}
	}
	return []place{attention, feedForward}
}
