package compress

import "plumb/model"

func init() {
	Methods.Add("magnitude", Method{
		About: "the weights of least magnitude become zero",
		New:   func() any { return &magnitude{sparsity: half(), Per: "matrix"} },
	})
}

// magnitude removes the weights of least |w|, compared within the matrix or
// within each row. Panels keep the inputs with the greatest sum of w².
type magnitude struct {
	sparsity
	Per string `stage:"per"` // matrix or row: what is compared, without a pattern
}

func (p *magnitude) Check() error {
	if err := oneOf("per", p.Per, []string{"matrix", "row"}); err != nil {
		return err
	}
	return p.sparsity.Check()
}

func (p *magnitude) Needs() Needs { return Nothing }

// Form implements Foreseer.
func (p *magnitude) Form(out, in int) (model.Form, bool, error) {
	group := p.group(out, in)
	kept, err := p.count(group)
	if err != nil {
		return nil, true, err
	}
	return p.foresee(in, out*in/group*kept)
}

func (p *magnitude) group(out, in int) int {
	if p.Per == "row" {
		return in
	}
	return out * in
}

func (p *magnitude) Matrix(w *model.Dense, _ *Inputs) (model.Linear, Notes, error) {
	return p.remove(w, squaresOf(w, nil), p.group(w.Out, w.In))
}
