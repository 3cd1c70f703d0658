package compress

import (
	"cmp"
	"fmt"

	"plumb/kernels"
	"plumb/model"
)

func init() {
	Methods.Add("asvd", Method{
		About: "singular values of columns weighted by their inputs (Yuan et al. 2023)",
		Text:  true,
		New:   func() any { return &asvd{ranks: ranks{Keep: 0.5, Rank: "keep"}, Alpha: 0.5, From: "original"} },
	})
}

// asvd decomposes W·D, where D has for each input the mean of |x| to the power
// alpha (Yuan et al. 2023, section 3.3). An input that is always 0 counts a
// millionth of the greatest. With alpha=0 it is svd.
type asvd struct {
	ranks
	Alpha float64 `stage:"alpha"`
	From  string  `stage:"inputs"` // whose inputs: those of the original model, or of the compressed one as far as it has come
}

func (a *asvd) Check() error {
	if !(a.Alpha >= 0 && a.Alpha <= 4) {
		return fmt.Errorf("alpha=%v: a power from 0 to 4 is wanted", a.Alpha)
	}
	return cmp.Or(oneOf("inputs", a.From, sights), a.ranks.Check())
}

// Original implements Onlooker.
func (a *asvd) Original() bool { return a.From == "original" }

func (a *asvd) Needs() Needs { return Moments }

func (a *asvd) Matrix(w *model.Dense, in *Inputs) (model.Linear, Notes, error) {
	return a.reduce(a, w, in)
}

func (a *asvd) Plan(m *model.Model, cal *Calibration, places []model.Slot) (*Plan, error) {
	return a.plan(a, m, cal, places)
}

func (a *asvd) split(w *model.Dense, in *Inputs) (*terms, error) {
	greatest := 0.0
	for _, v := range in.MeanAbs {
		greatest = max(greatest, v)
	}
	scaled := matrixOf(w)
	for j, v := range in.MeanAbs {
		scale := 1.0 // of inputs that are all 0
		if greatest > 0 && a.Alpha > 0 {
			scale = kernels.Pow(max(v, 1e-6*greatest), a.Alpha)
		}
		for i := range w.Out {
			scaled.Set(i, j, scaled.At(i, j)*scale)
		}
	}
	return splitColumns(matrixOf(w), scaled)
}
