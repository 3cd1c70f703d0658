package compress

import (
	"errors"
	"fmt"

	"plumb/kernels"
	"plumb/model"
)

func init() {
	Methods.Add("smoothquant", Method{
		About: "w8a8 with large inputs made smaller and their weights larger (Xiao et al. 2023)",
		Text:  true,
		New:   func() any { return &smoothquant{Alpha: 0.5} },
	})
}

// smoothquant divides the channels that norms give by
//
//	s_j = max|X_j|^alpha / max|W_j|^(1−alpha)
//
// and multiplies the columns of the matrices behind them (Xiao et al. 2023,
// equation 4), which changes nothing that the model computes. Then it rounds like
// w8a8. A channel that is always zero, of inputs or of weights, keeps its scale.
type smoothquant struct {
	w8a8
	Alpha float64 `stage:"alpha"` // share of the difficulty that goes to the weights
}

func (q *smoothquant) Check() error {
	if !(q.Alpha >= 0 && q.Alpha <= 1) {
		return fmt.Errorf("alpha=%v: a share from 0 to 1 is wanted", q.Alpha)
	}
	return nil
}

// Prepare folds the scales.
func (q *smoothquant) Prepare(m *model.Model, cal *Calibration) (*model.Model, Notes, error) {
	d, err := newDraft(m)
	if err != nil {
		return nil, nil, err
	}
	all := whichFolds(m, func(f fold) bool { return f.norm })
	if len(all) == 0 {
		return nil, nil, errNoNorms
	}
	inputs, err := inputsOf(d.model, cal, all, Moments)
	if err != nil {
		return nil, nil, err
	}
	largest := 0.0
	for _, f := range all {
		s := q.scales(inputs[f.name].MaxAbs, d.columnMaxima(f))
		d.scale(f, s)
		for _, v := range s {
			largest = max(largest, float64(v))
		}
	}
	return d.model, Notes{"scaled norms": float64(len(all)), "largest scale": largest}, nil
}

var errNoNorms = errors.New("the norms of this model follow the sums, so that no scale can be moved into them: take w8a8")

// prepared implements preparing.
func (q *smoothquant) prepared(o model.Outline, _ []string) (model.Outline, error) {
	if o.Config.PostNorm {
		return o, errNoNorms
	}
	return draftOf(o)
}

func (q *smoothquant) scales(x []float64, w []float32) []float32 {
	s := make([]float32, len(x))
	for j := range s {
		s[j] = 1
		if x[j] > 0 && w[j] > 0 {
			s[j] = max(1e-5, float32(kernels.Pow(x[j], q.Alpha)/kernels.Pow(float64(w[j]), 1-q.Alpha)))
		}
	}
	return s
}

// columnMaxima returns the greatest |w| of each input of the matrices behind f.
func (d *draft) columnMaxima(f fold) []float32 {
	var most []float32
	for _, slot := range f.into {
		w, in := d.weight(slot)
		if most == nil {
			most = make([]float32, in)
		}
		for i, v := range w {
			most[i%in] = max(most[i%in], v, -v)
		}
	}
	return most
}
