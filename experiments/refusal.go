package experiments

import (
	"errors"
	"fmt"

	"plumb/arch"
	"plumb/compress"
	"plumb/model"
	"plumb/train"
)

// A Foreseen is what is known of a step before any work is done.
type Foreseen struct {
	Step     Step
	Matrices []compress.Prospect // of a method that replaces them one by one
	After    model.Outline       // of the model that it leaves
	Memory   int                 // bytes that training takes, with its teacher; 0 for other steps
}

// Foresee follows the recipe on the outline of a model that was trained with base,
// each step on what those before it leave. The error is why a step cannot work;
// what is foreseen then ends with that step.
func (r Recipe) Foresee(start model.Outline, base train.Config) ([]Foreseen, error) {
	var all []Foreseen
	o := start
	for _, s := range r.Steps {
		f, err := s.foresee(o, start.Config, base)
		if all = append(all, f); err != nil {
			return all, err
		}
		if _, _, err := f.After.Size(); err != nil {
			return all, fmt.Errorf("stage %q leaves no model that can run: %w", s.Stage.Name, err)
		}
		o = f.After
	}
	return all, unrounded(all)
}

// foresee follows one step on the outline of the model that it is given.
func (s Step) foresee(o model.Outline, teacher arch.Config, base train.Config) (Foreseen, error) {
	if !s.Trains() {
		f, err := s.worker.Foresee(o)
		return Foreseen{Step: s, Matrices: f.Matrices, After: f.After}, err
	}
	var wrong []error
	c := s.Config(base)
	for _, line := range errorLines(c.Check(o.Config.Context)) {
		wrong = append(wrong, errors.New(line))
	}
	after, err := s.learner.Foresee(o)
	wrong = append(wrong, err, s.learner.Fits(o.Config, teacher))
	f := Foreseen{Step: s, After: after}
	for i, err := range wrong {
		if err != nil {
			wrong[i] = fmt.Errorf("stage %q: %w", s.Stage.Name, err)
		}
	}
	if err := errors.Join(wrong...); err != nil {
		return f, err
	}
	f.Memory = c.Memory(after.Config).Total
	if s.learner.Teacher() {
		f.Memory += teacherMemory(c, teacher)
	}
	return f, nil
}

// teacherMemory is what the weights of a teacher and the states of its layers
// take, in bytes.
func teacherMemory(c train.Config, teacher arch.Config) int {
	rows := c.MicroRows(teacher.Context) * teacher.Context
	return 4 * (teacher.Params().Total + rows*teacher.Width*(teacher.Layers+2))
}

// unrounded reports training for rounding that no later step does.
func unrounded(all []Foreseen) error {
	if len(all) == 0 {
		return nil
	}
	end := all[len(all)-1].After.Slots()
	for _, f := range all {
		q, ok := f.Step.learner.(interface{ Rounds(model.Place) bool })
		if !ok {
			continue
		}
		for _, p := range end {
			if q.Rounds(p) && !p.Rounded() && !p.Open {
				return fmt.Errorf("stage %q trains %s for rounding, but no later stage rounds it: let rtn with the same bits follow", f.Step.Stage.Name, p.Name)
			}
		}
	}
	return nil
}
