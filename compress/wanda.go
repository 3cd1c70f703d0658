package compress

import "plumb/model"

func init() {
	Methods.Add("wanda", Method{
		About: "the weights of least magnitude times norm of input become zero (Sun et al. 2023)",
		Text:  true,
		New:   func() any { return &wanda{half()} },
	})
}

// wanda removes, in each output row, the weights of least |w|·norm(x), where x is
// the input that the weight multiplies (Sun et al. 2023, section 3). Panels keep
// the inputs with the greatest sum of squares of it. Weights of inputs that are
// always 0 go first.
type wanda struct{ sparsity }

func (p *wanda) Needs() Needs { return Moments }

// Form implements Foreseer.
func (p *wanda) Form(out, in int) (model.Form, bool, error) {
	kept, err := p.count(in)
	if err != nil {
		return nil, true, err
	}
	return p.foresee(in, out*kept)
}

func (p *wanda) Matrix(w *model.Dense, in *Inputs) (model.Linear, Notes, error) {
	return p.remove(w, squaresOf(w, in.MeanSquare), w.In)
}
