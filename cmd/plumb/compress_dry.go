package main

import (
	"fmt"

	"plumb/experiments"
)

// A foreseen is what --dry-run prints of a stage with --json.
type foreseen struct {
	Stage    string           `json:"stage"`
	Known    bool             `json:"known"` // false: weights decide some of it
	Trains   bool             `json:"trains,omitempty"`
	Memory   int              `json:"memory_bytes,omitempty"` // of training
	Matrices []foreseenMatrix `json:"matrices,omitempty"`
	After    *modelSize       `json:"after,omitempty"` // of the whole model
}

type foreseenMatrix struct {
	Slot    string `json:"slot"`
	Form    string `json:"form"`
	Weights int    `json:"weights"`
	Bytes   int    `json:"bytes"`
	Guess   bool   `json:"guess,omitempty"` // weights decide
	Problem string `json:"problem,omitempty"`
}

// writeForeseen says what the stages of a recipe would do, each with what those
// before it leave.
func writeForeseen(a *app, all []experiments.Foreseen) error {
	for i, s := range all {
		if i > 0 && !a.json {
			fmt.Fprintln(a.out)
		}
		if err := newForeseen(s).tell(a); err != nil {
			return err
		}
	}
	return nil
}

func newForeseen(s experiments.Foreseen) *foreseen {
	f := &foreseen{Stage: s.Step.Stage.String(), Trains: s.Step.Trains(), Memory: s.Memory}
	problem := false
	for _, p := range s.Matrices {
		one := foreseenMatrix{Slot: p.Slot, Form: p.Form, Weights: p.Weights, Bytes: p.Bytes, Guess: p.Open}
		if p.Problem != nil {
			one.Problem, problem = p.Problem.Error(), true
		}
		f.Matrices = append(f.Matrices, one)
	}
	size, known, err := s.After.Size()
	f.Known = known && err == nil
	if err == nil && !problem {
		f.After = &modelSize{
			Total: size.Params.Total, Body: size.Params.Body, Embedding: size.Params.Embedding,
			Bytes: size.Bytes, BitsPerWeight: bitsPerWeight(size.Bytes, size.Params.Total),
		}
	}
	return f
}

// tell prints what is foreseen of a stage.
func (f *foreseen) tell(a *app) error {
	if a.json {
		return a.emit(f)
	}
	if _, err := fmt.Fprintln(a.out, a.bold(f.Stage)); err != nil {
		return err
	}
	if len(f.Matrices) > 0 {
		g := grid{header: []string{"matrix", "form", "#weights", "#bytes", ""}}
		for _, x := range f.Matrices {
			g.add(x.Slot, x.Form, grouped(x.Weights), grouped(x.Bytes), choose(x.Guess && x.Problem == "", "a guess: weights decide", x.Problem))
		}
		if err := g.write(a.out); err != nil {
			return err
		}
	}
	if f.Trains && f.Memory > 0 {
		fmt.Fprintf(a.out, "trains in %s of memory; sizes stay\n", bytesText(f.Memory))
	}
	if f.After == nil {
		return nil
	}
	_, err := fmt.Fprintf(a.out, "the model then has %s%s weights in %s bytes\n", choose(f.Known, "", "about "), grouped(f.After.Total), grouped(f.After.Bytes))
	return err
}
