package main

import (
	"cmp"
	"fmt"
	"path/filepath"
	"slices"

	"plumb/arch"
)

// specFile returns the shapes of the trials of a spec: all of them once, since
// seeds do not change a shape, or the one that --trial names.
func specFile(name string, o showOptions) ([]subject, error) {
	if filepath.Ext(name) != ".toml" && !slices.Contains(specNames(), name) {
		return nil, nil
	}
	spec, err := loadSpec(name, o.set)
	if err != nil {
		return nil, err
	}
	trials := spec.Trials()
	if o.trial < 0 || o.trial > len(trials) {
		return nil, fmt.Errorf("--trial=%d: %s has trials 1 to %d", o.trial, name, len(trials))
	}
	var found []subject
	for _, t := range trials {
		if t.Number == o.trial || o.trial == 0 && t.Seed == t.First {
			t.Shape.Name = t.Label()
			found = append(found, subject{t.Number, t.Shape, t.Residual})
		}
	}
	return found, nil
}

// writeTrials prints a line for each trial.
func writeTrials(a *app, found []subject, o showOptions) error {
	g := grid{header: []string{"#trial", "name", "#layers", "#blocks", "#width", "#heads", "#kv", "#ffn", "#total", "#body", "#training FLOPs/token", "#off budget"}}
	for _, s := range found {
		c := s.config
		d := newDescription(s, cmp.Or(o.context, c.Context), o.rows)
		g.add(fmt.Sprint(s.trial), d.Name, fmt.Sprint(c.Layers), fmt.Sprint(c.BlockCount()), fmt.Sprint(c.Width), fmt.Sprint(c.Heads),
			fmt.Sprint(c.KVHeads), fmt.Sprint(c.Hidden), grouped(d.Params.Total), grouped(d.Params.Body), countText(d.Cost.TrainFLOPs), offBudget(s.residual))
	}
	return g.write(a.out)
}

// offBudget says by how much a shape misses its budget.
func offBudget(r *arch.Residual) string {
	if r == nil {
		return ""
	}
	return fmt.Sprintf("%+.2f %%", 100*r.Share)
}
