package compress

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"plumb/model"
)

// A Planner is a MatrixMethod that looks at all the matrices it is going to
// replace before it replaces the first.
type Planner interface {
	MatrixMethod
	// Plan says what to do with the matrices at places, which are of m. It does
	// not change the method, so that one can be applied to many models. A nil plan
	// is to go on without one.
	Plan(m *model.Model, cal *Calibration, places []model.Slot) (*Plan, error)
}

// A Plan is what a Planner found out about one model.
type Plan struct {
	// Model is what the matrices are taken from: a model that computes the same
	// as the one that was given.
	Model *model.Model
	// At returns the method for the matrix at a place, nil where it stays.
	At func(place string) MatrixMethod
}

// plan asks the method for its plan, if it makes any.
func (w *walk) plan() error {
	planner, ok := w.method.(Planner)
	if !ok {
		w.at = func(string) MatrixMethod { return w.method }
		return nil
	}
	var places []model.Slot
	names := w.placesOf(w.groups())
	for _, s := range w.model.Places() {
		if names[s.Name] {
			places = append(places, s)
		}
	}
	if len(places) == 0 {
		return w.nothing(w.model.Outline())
	}
	p, err := planner.Plan(w.model, w.cal, places)
	if err != nil {
		return err
	}
	if p == nil {
		p = &Plan{w.model, func(string) MatrixMethod { return w.method }}
	}
	w.model, w.at = p.Model, p.At
	return nil
}

func (w *walk) placesOf(groups [][]string) map[string]bool {
	names := map[string]bool{}
	for _, g := range groups {
		for _, name := range g {
			names[name] = true
		}
	}
	return names
}

// nothing reports that no matrix is worked on.
func (w *Worker) nothing(o model.Outline) error {
	var parts []string
	matched := false
	for _, s := range o.Slots() {
		matched = matched || s.Matches(w.on)
		name := s.Name
		if s.Block >= 0 {
			_, name, _ = strings.Cut(strings.TrimPrefix(name, "blocks."), ".")
		}
		if !slices.Contains(parts, name) {
			parts = append(parts, name)
		}
	}
	if matched {
		return errors.New("it leaves all matrices as they are")
	}
	return fmt.Errorf("no matrix has a name that matches on=%s; those of this model are %s", strings.Join(w.on, ","), strings.Join(parts, ", "))
}
