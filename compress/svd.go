package compress

import (
	"errors"
	"math"

	"gonum.org/v1/gonum/mat"

	"plumb/model"
)

func init() {
	Methods.Add("svd", Method{
		About: "truncated singular value decomposition",
		New:   func() any { return &svd{ranks{Keep: 0.5, Rank: "keep"}} },
	})
}

// svd keeps the largest singular values of each matrix, W = U S Vᵀ, which is the
// product of two thin matrices nearest to W (Eckart and Young 1936). Both vectors
// of a term are made equally long.
type svd struct{ ranks }

// Needs asks for text only where ranks are searched by it.
func (s *svd) Needs() Needs {
	if s.Rank == "search" {
		return Moments
	}
	return Nothing
}

func (s *svd) Matrix(w *model.Dense, in *Inputs) (model.Linear, Notes, error) {
	return s.reduce(s, w, in)
}

func (s *svd) Plan(m *model.Model, cal *Calibration, places []model.Slot) (*Plan, error) {
	return s.plan(s, m, cal, places)
}

func (s *svd) split(w *model.Dense, _ *Inputs) (*terms, error) {
	a := matrixOf(w)
	return splitColumns(a, a)
}

func matrixOf(w *model.Dense) *mat.Dense {
	m := mat.NewDense(w.Out, w.In, nil)
	for i := range w.Out {
		for j, v := range w.Row(i) {
			m.Set(i, j, float64(v))
		}
	}
	return m
}

// splitColumns writes w as terms by the singular values of a = w·S, which is w
// with its inputs scaled or mixed by an invertible S. Since a = U Σ Vᵀ, the terms
// Σ Vᵀ S⁻¹ are Uᵀ w, so that S need not be inverted.
func splitColumns(w, a *mat.Dense) (*terms, error) {
	var d mat.SVD
	if !d.Factorize(a, mat.SVDThin) {
		return nil, errors.New("the singular value decomposition did not converge")
	}
	var u, right mat.Dense
	d.UTo(&u)
	right.Mul(u.T(), w)
	t := &terms{left: &u, right: &right, values: d.Values(nil)}
	t.balance()
	return t, nil
}

// balance makes both vectors of a term equally long. The values of a scaled w
// tell nothing of their lengths, and steps of an optimiser suit only one.
func (t *terms) balance() {
	out, _ := t.left.Dims()
	_, in := t.right.Dims()
	for k := range t.values {
		left, right := mat.Norm(t.left.ColView(k), 2), mat.Norm(t.right.RowView(k), 2)
		if left == 0 || right == 0 {
			continue
		}
		scale := math.Sqrt(right / left)
		for i := range out {
			t.left.Set(i, k, t.left.At(i, k)*scale)
		}
		for j := range in {
			t.right.Set(k, j, t.right.At(k, j)/scale)
		}
	}
}
