package model

import "plumb/kernels"

// An output is a matrix and the gradient dy [rows, out] of what it gave.
type output struct {
	matrix Linear
	dy     []float32
}

// backTogether runs the backward passes of several matrices of the same x, one
// after the other: it sets dx, or adds to it, and gathers the gradients of weights.
// Where all are dense, x is read for these once.
func backTogether(dx, x []float32, rows int, add bool, of ...output) {
	var buf [3]kernels.WeightGradient
	gradients := buf[:0]
	for _, p := range of {
		d, ok := p.matrix.(*Dense)
		if !ok {
			backInTurn(dx, x, rows, add, of)
			return
		}
		gradients = append(gradients, kernels.WeightGradient{DW: d.gradWeight, DY: p.dy[:rows*d.Out], N: d.Out})
	}
	in := 0
	for i, p := range of {
		d := p.matrix.(*Dense)
		d.inputBack(dx, p.dy, rows, add || i > 0)
		d.biasBack(p.dy, rows)
		in = d.In
	}
	kernels.MatMulBackWs(x[:rows*in], rows, in, gradients...)
}

func backInTurn(dx, x []float32, rows int, add bool, of []output) {
	for i, p := range of {
		if add || i > 0 {
			back(p.matrix).BackwardAdd(dx, p.dy, x, rows)
		} else {
			back(p.matrix).Backward(dx, p.dy, x, rows)
		}
	}
}
