package compress

import (
	"fmt"

	"gonum.org/v1/gonum/mat"

	"plumb/kernels"
)

// A hessian is the curvature of the error in the outputs of a matrix with
// respect to the weights of one row, H = 2/N·Σxxᵀ + λI, which is the same for
// all rows (Frantar et al. 2022). Its inverse is UᵀU.
type hessian struct {
	n      int
	factor []float32 // [n, n] U, upper triangular
	dead   []bool    // inputs that were always zero; their weights do nothing
}

// newHessian damps the curvature that in has seen by a share of its mean
// diagonal. order lists the inputs in the order that the factor has them; nil
// keeps theirs. Dead inputs count as 1 on the diagonal.
func newHessian(in *Inputs, damp float64, order []int) (*hessian, error) {
	n := in.in
	h := &hessian{n: n, dead: make([]bool, n)}
	at := func(i int) int {
		if order == nil {
			return i
		}
		return order[i]
	}
	scale := 2 / float64(in.Rows)
	flipped, mean := mat.NewSymDense(n, nil), 0.0
	for i := range n {
		for j := i; j < n; j++ {
			flipped.SetSym(n-1-i, n-1-j, scale*in.Gram[at(i)*n+at(j)])
		}
		if h.dead[i] = in.Gram[at(i)*n+at(i)] == 0; h.dead[i] {
			flipped.SetSym(n-1-i, n-1-i, 1)
		}
		mean += flipped.At(n-1-i, n-1-i) / float64(n)
	}
	for i := range n {
		flipped.SetSym(i, i, flipped.At(i, i)+float64(damp*mean))
	}
	return h, h.factorise(flipped, damp)
}

// factorise finds U with H = U⁻¹U⁻ᵀ: the flipped H is LLᵀ, so U is L⁻¹, flipped.
func (h *hessian) factorise(flipped *mat.SymDense, damp float64) error {
	var c mat.Cholesky
	var l, inverse mat.TriDense
	sound := c.Factorize(flipped)
	if sound {
		c.LTo(&l)
		_ = inverse.InverseTri(&l) // it only warns of great condition numbers; what matters is tested below
		h.factor = make([]float32, h.n*h.n)
		for i := range h.n {
			for j := i; j < h.n; j++ {
				h.factor[i*h.n+j] = float32(inverse.At(h.n-1-i, h.n-1-j))
			}
		}
	}
	if !sound || !kernels.AllFinite(h.factor) {
		return fmt.Errorf("the curvature of %d inputs is singular with damp=%v: use more damping, such as damp=0.01, or more text", h.n, damp)
	}
	return nil
}

// spread tells the weights w [rows, n] of all inputs from to on of the errors
// [rows, to-from] that were made, in units of U_pp, at the inputs p before them:
// w_j −= err_p·U_pj.
func (h *hessian) spread(w, errs []float32, rows, from, to int) {
	width, rest := to-from, h.n-to
	if rest == 0 {
		return
	}
	factor, change := make([]float32, width*rest), make([]float32, rows*rest)
	for i := range width {
		copy(factor[i*rest:(i+1)*rest], h.factor[(from+i)*h.n+to:])
	}
	kernels.MatMulBackX(change, errs, factor, rows, rest, width)
	for row := range rows {
		later := w[row*h.n+to : (row+1)*h.n]
		for i, v := range change[row*rest : (row+1)*rest] {
			later[i] -= v
		}
	}
}
