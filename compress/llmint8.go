package compress

import (
	"fmt"

	"plumb/model"
)

func init() {
	Methods.Add("llmint8", Method{
		About: "8 bits but for the inputs that are sometimes large (Dettmers et al. 2022)",
		Text:  true,
		New:   func() any { return &llmint8{Threshold: 6} },
	})
}

// llmint8 multiplies inputs that were ever as large as the threshold in the
// calibration text in float32, and all others in 8 bits, with a scale for each
// token and each row of the weights (Dettmers et al. 2022, LLM.int8(), section 3).
// The paper finds the large inputs anew in every batch; here they are fixed, so
// that a token's outputs do not depend on its neighbours.
type llmint8 struct {
	Threshold float64 `stage:"threshold"` // of |x|
}

func (l *llmint8) Check() error {
	if !(l.Threshold > 0) {
		return fmt.Errorf("threshold=%v: a number above 0 is wanted", l.Threshold)
	}
	return nil
}

func (l *llmint8) Needs() Needs { return Moments }

// Form implements Foreseer. How many inputs are large shows in the text.
func (l *llmint8) Form(_, _ int) (model.Form, bool, error) { return model.W8A8Form(0), false, nil }

func (l *llmint8) Matrix(w *model.Dense, in *Inputs) (model.Linear, Notes, error) {
	var columns []int32
	for i, most := range in.MaxAbs {
		if most >= l.Threshold {
			columns = append(columns, int32(i))
		}
	}
	m, err := byRows(w, 0, columns)
	return m, Notes{"float32 inputs": float64(len(columns))}, err
}
