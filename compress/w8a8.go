package compress

import (
	"errors"

	"plumb/kernels"
	"plumb/model"
)

func init() {
	Methods.Add("w8a8", Method{
		About: "weights and what they are multiplied with in 8 bits (Liu et al. 2024, figure 7)",
		New:   func() any { return &w8a8{} },
	})
}

// w8a8 rounds weights to 8 bits with a scale for each row, absmax/127, and has
// inputs rounded to 8 bits as they come, each token with a scale of its own (Liu
// et al. 2024, MobileLLM, figure 7), or all with one that is taken from the
// greatest input of the calibration text.
type w8a8 struct {
	Static bool `stage:"static"` // one scale for all inputs, from the calibration text
}

func (a *w8a8) Needs() Needs {
	if a.Static {
		return Moments
	}
	return Nothing
}

// Form implements Foreseer.
func (a *w8a8) Form(_, _ int) (model.Form, bool, error) { return model.W8A8Form(0), true, nil }

func (a *w8a8) Matrix(w *model.Dense, in *Inputs) (model.Linear, Notes, error) {
	scale := float32(0)
	if a.Static {
		most := 0.0
		for _, v := range in.MaxAbs {
			most = max(most, v)
		}
		if most == 0 {
			return nil, nil, errors.New("its inputs are all zero in the calibration text, so that they have no scale: take static=false, or other text")
		}
		scale = float32(most) / 127
	}
	l, err := byRows(w, scale, nil)
	return l, nil, err
}

// byRows rounds w to 8 bits by rows for inputs with the given scale, 0 for one by
// token. The columns that are kept stay as they are.
func byRows(w *model.Dense, scale float32, columns []int32) (model.Linear, error) {
	levels := kernels.Levels{Bits: 8, Symmetric: true, Wide: true}
	rest, kept := w.Clone().Weight, make([]float32, 0, w.Out*len(columns))
	for r := range w.Out {
		for _, c := range columns {
			kept = append(kept, w.Row(r)[c])
			rest[r*w.In+int(c)] = 0
		}
	}
	grids := levels.Grids(rest, w.In, w.In, false)
	q, scales := make([]int8, len(rest)), make([]float32, w.Out)
	levels.Quantise(q, rest, w.In, w.In, grids)
	for r, g := range grids {
		scales[r] = g.Scale
	}
	return model.NewW8A8(q, scales, scale, columns, kept, w.Bias, w.Out, w.In)
}
