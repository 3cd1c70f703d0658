package train

import (
	"context"
	"fmt"

	"plumb/arch"
	"plumb/internal/registry"
	"plumb/model"
)

// A Stage is training that a recipe can ask for, under its name in Stages:
// "distil tokens=2e6".
type Stage struct {
	About string // in a line, with its source
	// New returns a Learner with its default settings, as a pointer to a struct
	// whose fields a stage's settings are read into by their tags `stage:"name"`.
	// If it has a method Check() error, that is asked whether they make sense.
	New func() Learner
}

// Stages are all stages of training by name.
var Stages = registry.New[Stage]("stage of training")

// A Learner trains the model that the stages before it have made.
type Learner interface {
	// Config returns the settings of the run, given those that the model at the
	// recipe's start was trained with, or Defaults where they are not known.
	Config(base Config) Config
	// Teacher reports whether it learns from the model at the recipe's start.
	Teacher() bool
	// Foresee follows the stage on the outline of the model that it is given, or
	// says why that cannot be trained.
	Foresee(student model.Outline) (model.Outline, error)
	// Fits reports why a model of one shape cannot learn this way, from a teacher
	// of another where there is one: before any work is done.
	Fits(student, teacher arch.Config) error
	// Learn trains a copy of student, which stays as it is, and returns what came
	// of it. The rows learned from begin at o.First; the caller sets it behind
	// those that training and earlier stages have seen, and Outcome.Next is where
	// the next stage begins. o.Config is what Config returned. teacher, which
	// stays as it is and may be frozen, is nil where Teacher is false. As with
	// Run, a checkpoint in o.Dir is gone on from, to the same bits.
	Learn(ctx context.Context, student, teacher *model.Model, o Options) (*model.Model, Outcome, error)
}

// NewLearner finds a stage of training, fills in its settings and checks them.
func NewLearner(name string, settings []registry.Setting) (Learner, error) {
	stage, err := Stages.Get(name)
	if err != nil {
		return nil, err
	}
	l := stage.New()
	for _, set := range settings {
		if err := registry.Fill(l, set); err != nil {
			return nil, fmt.Errorf("stage %q: %w", name, err)
		}
	}
	if c, ok := l.(interface{ Check() error }); ok {
		if err := c.Check(); err != nil {
			return nil, fmt.Errorf("stage %q: %w", name, err)
		}
	}
	return l, nil
}
