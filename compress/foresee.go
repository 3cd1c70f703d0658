package compress

import (
	"fmt"

	"plumb/model"
)

// A Foreseer is a method that knows before it starts what becomes of a matrix.
// All methods for matrices do, but for numbers that weights decide.
type Foreseer interface {
	// Form returns the form that a matrix [out, in] will be in, nil for dense, or
	// why the method cannot take one of this shape. known is false where weights
	// decide: then form is of the kind that is most likely.
	Form(out, in int) (form model.Form, known bool, err error)
}

// A placedForeseer is one for which it matters where a matrix stands. stays is
// true for one that is left alone.
type placedForeseer interface {
	formAt(p model.Place) (form model.Form, stays bool, err error)
}

// A preparing method changes the whole model before its matrices, see Preparer and
// Planner: prepared says what that makes of an outline, of which it works on the
// slots that match on.
type preparing interface {
	prepared(o model.Outline, on []string) (model.Outline, error)
}

// An outliner is a ModelMethod that knows which shape and forms it leaves.
type outliner interface {
	outline(o model.Outline) (model.Outline, error)
}

// A Prospect is what a stage will make of one matrix.
type Prospect struct {
	Slot    string // as model.Places names it
	Form    string // kind of its form; "dense" where it stays so
	Weights int    // as papers count them
	Bytes   int
	Open    bool  // weights decide: what stands here is a guess
	Problem error // why it cannot be done; the rest is empty then
}

// A Foresight is what a stage will make of a model.
type Foresight struct {
	Matrices []Prospect // of methods that replace matrices one by one
	After    model.Outline
}

// Foresee follows the stage on the outline of a model. The error is why it cannot
// work there; of matrices that it cannot take, the first and how many more.
func (w *Worker) Foresee(o model.Outline) (Foresight, error) {
	if whole, ok := w.work.(outliner); ok {
		after, err := whole.outline(o)
		return Foresight{After: after}, w.about(err)
	}
	if p, ok := w.work.(preparing); ok {
		var err error
		if o, err = p.prepared(o, w.on); err != nil {
			return Foresight{After: o}, w.about(err)
		}
	}
	f := Foresight{After: o}
	var next []model.Place
	for _, p := range w.places(o) {
		if place, prospect, ok := w.foresee(p); ok {
			next, f.Matrices = append(next, place), append(f.Matrices, prospect)
		}
	}
	f.After = o.With(next...)
	if len(f.Matrices) == 0 {
		return f, w.about(w.nothing(o))
	}
	return f, w.about(problems(f.Matrices))
}

// about says which stage an error is of.
func (w *Worker) about(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("stage %q: %w", w.Stage, err)
}

// places lists the matrices that are worked on, factors in place of what is made
// of them.
func (w *Worker) places(o model.Outline) []model.Place {
	var all []model.Place
	for _, p := range o.Slots() {
		if p.Matches(w.on) {
			all = append(all, largePlaces(p)...)
		}
	}
	return all
}

// largePlaces is large for places, p itself where it has no factors.
func largePlaces(p model.Place) []model.Place {
	factors := p.Factors()
	if len(factors) == 0 {
		return []model.Place{p}
	}
	whole := 0
	for _, f := range factors {
		whole += f.Out * f.In
	}
	var all []model.Place
	for _, f := range factors {
		if len(f.Factors()) > 0 || float64(f.Out*f.In) >= leastShare*float64(whole) {
			all = append(all, largePlaces(f)...)
		}
	}
	return all
}

// foresee says what becomes of one matrix; false where it stays.
func (w *Worker) foresee(p model.Place) (model.Place, Prospect, bool) {
	form, known, err := model.Form(nil), true, error(nil)
	if placed, ok := w.work.(placedForeseer); ok {
		stays := false
		if form, stays, err = placed.formAt(p); stays && err == nil {
			return p, Prospect{}, false
		}
	} else {
		form, known, err = w.work.(Foreseer).Form(p.Out, p.In)
	}
	if err == nil && p.Rounded() {
		err = fmt.Errorf("it is rounded already, into form %s: leave it out with on=, or put this stage before", p.Kind())
	}
	prospect := Prospect{Slot: p.Name, Form: "dense", Weights: p.Out * p.In, Bytes: 4 * p.Out * p.In, Open: p.Open || !known}
	if err == nil && form != nil {
		prospect.Form = form.Kind()
		prospect.Weights, prospect.Bytes, err = model.SizeOf(form, p.Out, p.In)
	}
	if err != nil && p.Open {
		return p, Prospect{}, false // of another shape perhaps it can be done
	}
	if err != nil {
		return p, Prospect{Slot: p.Name, Problem: err}, true
	}
	p.Form, p.Open = form, prospect.Open
	return p, prospect, true
}

// problems is the first of all problems, and how many more matrices have one.
func problems(all []Prospect) error {
	var first *Prospect
	more := 0
	for i, p := range all {
		switch {
		case p.Problem == nil:
		case first == nil:
			first = &all[i]
		default:
			more++
		}
	}
	switch {
	case first == nil:
		return nil
	case more == 0:
		return fmt.Errorf("%s: %w", first.Slot, first.Problem)
	}
	return fmt.Errorf("%s: %w (and %d more matrices)", first.Slot, first.Problem, more)
}
