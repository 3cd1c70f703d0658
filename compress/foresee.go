package compress

import (
	"slices"

	"plumb/model"
)

// A Foreseer is a method that knows before it starts what becomes of a matrix.
type Foreseer interface {
	// Form returns the form that a matrix [out, in] will be in, nil for dense, or
	// why the method cannot take one of this shape. known is false where the
	// weights decide.
	Form(out, in int) (form model.Form, known bool, err error)
}

// A placedForeseer is one for which it matters where a matrix stands.
type placedForeseer interface {
	// foresee says what becomes of these matrices of m, and of others that follow.
	foresee(m *model.Model, slots []model.Slot) []Prospect
}

// A Prospect is what a stage will make of one matrix.
type Prospect struct {
	Slot    string
	Form    string // kind of its form; "dense" where it stays so
	Weights int    // as papers count them
	Bytes   int
	Problem error // why it cannot be done; the rest is empty then
}

// Foresee says what the stage will make of the matrices of m without doing it.
// known is false for methods that cannot tell.
func (w *Worker) Foresee(m *model.Model) (all []Prospect, known bool) {
	if f, ok := w.work.(placedForeseer); ok {
		slots := slices.DeleteFunc(m.Slots(), func(s model.Slot) bool { return !s.Matches(w.on) })
		return f.foresee(m, slots), true
	}
	f, ok := w.work.(Foreseer)
	if !ok {
		return nil, false
	}
	for _, s := range m.Slots() {
		if s.Matches(w.on) {
			p, known := foresee(f, s)
			if !known {
				return nil, false
			}
			all = append(all, p)
		}
	}
	return all, true
}

func foresee(f Foreseer, s model.Slot) (p Prospect, known bool) {
	out, in := s.Matrix.Shape()
	p = Prospect{Slot: s.Name, Form: "dense", Weights: out * in, Bytes: 4 * out * in}
	form, known, err := f.Form(out, in)
	if form != nil && err == nil {
		p.Form = form.Kind()
		p.Weights, p.Bytes, err = model.SizeOf(form, out, in)
	}
	if err != nil {
		return Prospect{Slot: s.Name, Problem: err}, true
	}
	return p, known
}
