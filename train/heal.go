package train

import (
	"cmp"
	"context"
	"errors"
	"fmt"

	"plumb/arch"
	"plumb/model"
)

func init() {
	Stages.Add("heal", Stage{
		About: "training on text, each matrix in the form that it has",
		New:   func() Learner { return &heal{newHealing()} },
	})
}

// healing holds the settings that the stages have in common. A pruned or factored
// model is near a good one, so the rate is lower than for random weights; what is
// not set here is as in the training of the model at the recipe's start.
type healing struct {
	Tokens       int     `stage:"tokens"`
	LearningRate float64 `stage:"lr"`     // at the peak; 0: a quarter of that which the model was trained with
	BatchTokens  int     `stage:"batch"`  // tokens of a step; 0: as in that training
	Warmup       float64 `stage:"warmup"` // share of the steps; DistilBERT's is 0.05
	Schedule     string  `stage:"schedule"`
	FinalRate    float64 `stage:"final"` // at the last step, as a multiple of the peak
	WeightDecay  float64 `stage:"decay"` // DistilBERT's is 0
	KeepZeros    bool    `stage:"zeros"` // weights of matrices that are 0 stay 0
}

// healingRate is the peak rate as a multiple of that of training from random
// weights: 5e-4, DistilBERT's, where that is 2e-3.
const healingRate = 0.25

func newHealing() healing {
	return healing{Tokens: 1_000_000, Warmup: 0.05, Schedule: "cosine", FinalRate: 0.1, KeepZeros: true}
}

// Check reports settings that make no sense.
func (h *healing) Check() error {
	var problems []error
	require := func(ok bool, format string, args ...any) {
		if !ok {
			problems = append(problems, fmt.Errorf(format, args...))
		}
	}
	require(h.Tokens >= 1, "tokens=%d: a stage of training needs at least 1", h.Tokens)
	require(h.LearningRate >= 0 && h.LearningRate < 10, "lr=%v: a peak between 0 and 10 is wanted; 0 means a quarter of that of training", h.LearningRate)
	require(h.BatchTokens >= 0, "batch=%d is negative", h.BatchTokens)
	require(h.Warmup >= 0 && h.Warmup <= 1, "warmup=%v: a share of the steps between 0 and 1 is wanted", h.Warmup)
	require(h.FinalRate >= 0 && h.FinalRate <= 1, "final=%v: a share of the peak between 0 and 1 is wanted", h.FinalRate)
	require(h.WeightDecay >= 0 && h.WeightDecay < 100, "decay=%v: 0 or more and less than 100 is wanted", h.WeightDecay)
	if _, err := Schedules.Get(h.Schedule); err != nil {
		problems = append(problems, err)
	}
	return errors.Join(problems...)
}

// Config implements Learner.
func (h *healing) Config(base Config) Config {
	c := base
	c.Tokens, c.Schedule, c.FinalRate, c.WeightDecay = h.Tokens, h.Schedule, h.FinalRate, h.WeightDecay
	c.BatchTokens = cmp.Or(h.BatchTokens, base.BatchTokens)
	c.LearningRate = cmp.Or(h.LearningRate, healingRate*base.LearningRate)
	steps := (c.Tokens + c.BatchTokens - 1) / max(1, c.BatchTokens)
	c.WarmupSteps = int(h.Warmup * float64(steps))
	return c
}

// heal is language-model training of a compressed model.
type heal struct{ healing }

// Teacher implements Learner.
func (*heal) Teacher() bool { return false }

// Fits implements Learner.
func (*heal) Fits(arch.Config, arch.Config) error { return nil }

// Foresee implements Learner. What is healed keeps its shape and its forms.
func (*healing) Foresee(student model.Outline) (model.Outline, error) {
	return student, student.Trainable()
}

// Learn implements Learner.
func (h *heal) Learn(ctx context.Context, student, _ *model.Model, o Options) (*model.Model, Outcome, error) {
	return h.learn(ctx, student, o, manner{label: 1})
}

// learn trains a copy of student.
func (h *healing) learn(ctx context.Context, student *model.Model, o Options, how manner) (*model.Model, Outcome, error) {
	if name, ok := student.AllFinite(); !ok {
		return nil, Outcome{}, fmt.Errorf("array %s of the model to be trained holds a NaN or Inf", name)
	}
	how.keepZeros = h.KeepZeros
	trained := student.Clone()
	out, err := runIn(ctx, trained, o, how)
	return trained, out, err
}
