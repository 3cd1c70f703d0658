package compress

import (
	"errors"
	"math"

	"gonum.org/v1/gonum/mat"

	"plumb/model"
)

func init() {
	Methods.Add("fwsvd", Method{
		About: "singular values of rows weighted by Fisher information (Hsu et al. 2022)",
		Text:  true,
		New:   func() any { return &fwsvd{ranks{Keep: 0.5, Rank: "keep"}} },
	})
}

// fwsvd decomposes D·W, where D has for each output the root of the sum of its
// weights' mean squared gradients (Hsu et al. 2022, section 3). An output without
// gradient counts a millionth of the greatest, so that D can be undone.
type fwsvd struct{ ranks }

func (f *fwsvd) Needs() Needs { return Gradients }

func (f *fwsvd) Matrix(w *model.Dense, in *Inputs) (model.Linear, Notes, error) {
	return f.reduce(f, w, in)
}

func (f *fwsvd) Plan(m *model.Model, cal *Calibration, places []model.Slot) (*Plan, error) {
	return f.plan(f, m, cal, places)
}

func (f *fwsvd) split(w *model.Dense, in *Inputs) (*terms, error) {
	scale, greatest := make([]float64, w.Out), 0.0
	for i := range scale {
		for _, v := range in.Fisher[i*w.In : (i+1)*w.In] {
			scale[i] += float64(v)
		}
		scale[i] = math.Sqrt(scale[i])
		greatest = max(greatest, scale[i])
	}
	if greatest == 0 {
		return nil, errors.New("the calibration text gives this matrix no gradient")
	}
	a := matrixOf(w)
	for i := range scale {
		scale[i] = max(scale[i], 1e-6*greatest)
		for j, v := range a.RawRowView(i) {
			a.Set(i, j, v*scale[i])
		}
	}
	return splitRows(matrixOf(w), a)
}

// splitRows is splitColumns for a = D·w: the terms D⁻¹ U Σ are w V.
func splitRows(w, a *mat.Dense) (*terms, error) {
	t, err := splitColumns(mat.DenseCopyOf(w.T()), mat.DenseCopyOf(a.T()))
	if err != nil {
		return nil, err
	}
	t.left, t.right = mat.DenseCopyOf(t.right.T()), mat.DenseCopyOf(t.left.T())
	return t, nil
}
