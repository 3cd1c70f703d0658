package train

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"plumb/arch"
	"plumb/model"
)

func init() {
	Stages.Add("distil", Stage{
		About: "training on text and on what the teacher makes of it (Hinton et al. 2015; DistilBERT; KnGPT-2)",
		New:   func() Learner { return &distil{healing: newHealing(), teaching: newTeaching(), From: fromModel} },
	})
}

// distil lets a model learn from a teacher: the compressed model that it is
// given, or a model of random weights.
type distil struct {
	healing
	teaching
	From string `stage:"from"` // "model"; "scratch", of its shape; or "scratch:layers=6,width=256"
}

// Where distillation starts.
const (
	fromModel   = "model"
	fromScratch = "scratch"
)

// Check reports settings that make no sense.
func (d *distil) Check() error {
	_, err := d.shape(arch.Config{})
	return errors.Join(d.healing.Check(), d.teaching.Check(), err)
}

// Config implements Learner. Random weights learn at the rate and with the decay
// of training.
func (d *distil) Config(base Config) Config {
	c := d.healing.Config(base)
	if d.scratch() {
		c.LearningRate = cmp.Or(d.LearningRate, base.LearningRate)
		c.WeightDecay = cmp.Or(d.WeightDecay, base.WeightDecay)
	}
	return c
}

// Teacher implements Learner.
func (d *distil) Teacher() bool { return d.uses() }

// Fits implements Learner.
func (d *distil) Fits(student, teacher arch.Config) error {
	if d.scratch() {
		shape, err := d.shape(student)
		if err == nil {
			err = errors.Join(shape.Validate(), model.Runnable(shape))
		}
		if err != nil {
			return fmt.Errorf("from=%s: %w", d.From, err)
		}
		student = shape
	}
	return d.teaching.Fits(student, teacher)
}

// Foresee implements Learner.
func (d *distil) Foresee(student model.Outline) (model.Outline, error) {
	if !d.scratch() {
		return d.healing.Foresee(student)
	}
	shape, err := d.shape(student.Config)
	return model.OutlineOf(shape), err
}

// Learn implements Learner.
func (d *distil) Learn(ctx context.Context, student, teacher *model.Model, o Options) (*model.Model, Outcome, error) {
	if d.scratch() {
		shape, err := d.shape(student.Config())
		if err != nil {
			return nil, Outcome{}, err
		}
		if student, err = model.New(shape, o.Init, o.Seed); err != nil {
			return nil, Outcome{}, err
		}
	}
	guide, err := d.distiller(student, teacher)
	if err != nil {
		return nil, Outcome{}, err
	}
	return d.learn(ctx, student, o, manner{guide: guide, label: d.Label})
}

// scratch reports whether the student begins with random weights.
func (d *distil) scratch() bool { return d.From != fromModel }

// shape is that of a student from scratch: of the model that the stage is given,
// with what From says otherwise.
func (d *distil) shape(of arch.Config) (arch.Config, error) {
	start, changes, changed := strings.Cut(d.From, ":")
	if start != fromScratch && (start != fromModel || changed) {
		return of, fmt.Errorf("from=%s: %s, %s or %s:layers=6,width=256 is wanted", d.From, fromModel, fromScratch, fromScratch)
	}
	if !changed {
		return of, nil
	}
	fields := map[string]*int{
		"layers": &of.Layers, "width": &of.Width, "heads": &of.Heads, "kv_heads": &of.KVHeads, "head_dim": &of.HeadDim, "hidden": &of.Hidden,
	}
	for part := range strings.SplitSeq(changes, ",") {
		name, value, _ := strings.Cut(part, "=")
		n, err := strconv.ParseUint(value, 10, 24)
		if fields[name] == nil || err != nil {
			return of, fmt.Errorf("from=%s: %q is none of %s with a number", d.From, part, strings.Join(slices.Sorted(maps.Keys(fields)), ", "))
		}
		*fields[name] = int(n)
	}
	return of, nil
}
