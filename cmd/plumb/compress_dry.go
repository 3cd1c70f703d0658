package main

import (
	"errors"
	"fmt"

	"plumb/compress"
	"plumb/experiments"
)

// A foreseen is what --dry-run prints of a stage with --json.
type foreseen struct {
	Stage    string           `json:"stage"`
	Known    bool             `json:"known"` // false: the method tells only when it is done
	Trains   bool             `json:"trains,omitempty"`
	Matrices []foreseenMatrix `json:"matrices,omitempty"`
}

type foreseenMatrix struct {
	Slot    string `json:"slot"`
	Form    string `json:"form"`
	Weights int    `json:"weights"`
	Bytes   int    `json:"bytes"`
	Problem string `json:"problem,omitempty"`
}

// foresee says what the stages of a recipe would do. Those behind the first are
// foreseen as if they were given the model that the first is.
func foresee(a *app, m *trained, recipe experiments.Recipe) error {
	var wrong []error
	for _, s := range recipe.Steps {
		f := foreseen{Stage: s.Stage.String(), Trains: s.Trains()}
		if !s.Trains() {
			var all []compress.Prospect
			all, f.Known = s.Foresee(m.model)
			for _, p := range all {
				f.add(p)
			}
		}
		wrong = append(wrong, s.Impossible(m.model))
		if err := f.tell(a); err != nil {
			return err
		}
	}
	return errors.Join(wrong...)
}

func (f *foreseen) add(p compress.Prospect) {
	one := foreseenMatrix{Slot: p.Slot, Form: p.Form, Weights: p.Weights, Bytes: p.Bytes}
	if p.Problem != nil {
		one.Problem = p.Problem.Error()
	}
	f.Matrices = append(f.Matrices, one)
}

// tell prints what is foreseen of a stage.
func (f *foreseen) tell(a *app) error {
	if a.json {
		return a.emit(f)
	}
	if _, err := fmt.Fprintln(a.out, a.bold(f.Stage)); err != nil {
		return err
	}
	switch {
	case f.Trains:
		_, err := fmt.Fprintln(a.out, "  trains; sizes stay")
		return err
	case !f.Known:
		_, err := fmt.Fprintln(a.out, "  sizes are known when it is done")
		return err
	}
	g := grid{header: []string{"matrix", "form", "#weights", "#bytes", "problem"}}
	weights, bytes := 0, 0
	for _, x := range f.Matrices {
		g.add(x.Slot, x.Form, grouped(x.Weights), grouped(x.Bytes), x.Problem)
		weights, bytes = weights+x.Weights, bytes+x.Bytes
	}
	g.add("all of these", "", grouped(weights), grouped(bytes), "")
	return g.write(a.out)
}
