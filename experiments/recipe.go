package experiments

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"plumb/compress"
	"plumb/internal/registry"
	"plumb/model"
	"plumb/train"
)

// A Recipe is a chain of steps that makes a smaller model of a trained one.
type Recipe struct {
	Name  string // the stages as they were written, if it has no other
	Steps []Step
}

// A Step is one stage of a recipe with its settings checked: a method of
// compression, or training.
type Step struct {
	Stage   compress.Stage // with all settings, those too that were not written
	worker  *compress.Worker
	learner train.Learner
}

// separator stands between the stages of a recipe.
const separator = " | "

// ReadRecipe reads the stages of a recipe, written "svd keep=0.5 | rtn bits=4"
// or as several such texts, and checks names and settings, all of them.
func ReadRecipe(texts ...string) (Recipe, error) {
	stages, err := compress.ParseRecipe(strings.Join(texts, "|"))
	if err != nil {
		return Recipe{}, err
	}
	var r Recipe
	var wrong []error
	for _, s := range stages {
		step, err := newStep(s)
		r.Steps, wrong = append(r.Steps, step), append(wrong, err)
	}
	r.Name = strings.Join(strings.Fields(strings.Join(texts, separator)), " ")
	return r, errors.Join(wrong...)
}

// newStep finds the method or the training that a stage names.
func newStep(s compress.Stage) (Step, error) {
	methods, trainings := compress.Methods.Names(), train.Stages.Names()
	switch {
	case slices.Contains(methods, s.Name):
		w, err := s.Worker()
		if err != nil {
			return Step{}, err
		}
		return Step{Stage: w.Full(), worker: w}, nil
	case slices.Contains(trainings, s.Name):
		l, err := train.NewLearner(s.Name, s.Settings)
		if err != nil {
			return Step{}, err
		}
		return Step{Stage: compress.Stage{Name: s.Name, Settings: registry.Settings(l)}, learner: l}, nil
	}
	known := slices.Sorted(slices.Values(append(methods, trainings...)))
	return Step{}, fmt.Errorf("no method of compression or stage of training named %q (have %s)%s", s.Name, strings.Join(known, ", "), registry.Hint(s.Name, known))
}

// String writes the recipe as ReadRecipe reads it.
func (r Recipe) String() string {
	texts := make([]string, len(r.Steps))
	for i, s := range r.Steps {
		texts[i] = s.Stage.String()
	}
	return strings.Join(texts, separator)
}

// Trains reports whether the step is training.
func (s Step) Trains() bool { return s.learner != nil }

// Calibrates reports whether the step learns from calibration text.
func (s Step) Calibrates() bool { return s.worker != nil && s.worker.Text() }

// Compress applies a step that does not train.
func (s Step) Compress(ctx context.Context, m *model.Model, cal *compress.Calibration, progress func(done, all int)) (*model.Model, []compress.Change, error) {
	if !s.Calibrates() {
		cal = nil
	}
	return s.worker.Apply(ctx, m, cal, compress.Options{Progress: progress})
}

// Config returns the settings of a step that trains, given those of the
// training before; Check says whether they suit rows of context tokens.
func (s Step) Config(base train.Config) train.Config { return s.learner.Config(base) }

// Train applies a step that trains. The student may be changed.
func (s Step) Train(ctx context.Context, student, teacher *model.Model, o train.Options) (*model.Model, train.Outcome, error) {
	if !s.learner.Teacher() {
		teacher = nil
	}
	return s.learner.Learn(ctx, student, teacher, o)
}
