// Package train makes a model learn from rows of text: loss, optimiser,
// schedule, checkpoints. What it does depends on its inputs alone, so that a
// run which was killed and resumed ends with the same bits as one which was not.
package train

import (
	"errors"
	"fmt"

	"plumb/arch"
	"plumb/model"
)

// Config holds the settings of a training run, as the table [train] of a spec.
type Config struct {
	Tokens      int `toml:"tokens" json:"tokens"`             // to learn from; rounded up to whole steps
	BatchTokens int `toml:"batch_tokens" json:"batch_tokens"` // of one optimiser step; rounded down to whole rows
	MicroTokens int `toml:"micro_tokens" json:"micro_tokens"` // that pass through the model at a time; gradients add up; 0 means about 1024

	LearningRate  float64 `toml:"learning_rate" json:"learning_rate"`   // at the peak, of body weights
	EmbeddingRate float64 `toml:"embedding_rate" json:"embedding_rate"` // of token tables, as a multiple of learning_rate
	Schedule      string  `toml:"schedule" json:"schedule"`             // a name in Schedules
	WarmupSteps   int     `toml:"warmup_steps" json:"warmup_steps"`     // from 0 up to the peak in a line
	DecayShare    float64 `toml:"decay_share" json:"decay_share"`       // wsd: last share of the steps, in which the rate falls in a line
	FinalRate     float64 `toml:"final_rate" json:"final_rate"`         // at the last step, as a multiple of the peak

	Beta1       float64 `toml:"beta1" json:"beta1"`
	Beta2       float64 `toml:"beta2" json:"beta2"`
	Eps         float64 `toml:"eps" json:"eps"`
	WeightDecay float64 `toml:"weight_decay" json:"weight_decay"` // decoupled (Loshchilov and Hutter 2017)
	DecayOn     string  `toml:"decay_on" json:"decay_on"`         // "matrices", "body" (matrices outside the tables) or "all"
	Clip        float64 `toml:"clip" json:"clip"`                 // largest norm of the whole gradient; 0 leaves it

	Init model.Init `toml:"init" json:"init"`

	Recompute bool `toml:"recompute" json:"-"` // layers keep only what they are given and compute the rest again; changes no result

	ValidEvery        int     `toml:"valid_every" json:"valid_every"` // steps between validations while training; 0: none
	CheckpointSeconds float64 `toml:"checkpoint_seconds" json:"-"`    // of wall time between checkpoints; changes no result
}

// Defaults are the settings of a spec that says nothing: those that MobileLLM's
// public script uses: betas, decay, clip, a cosine to a tenth.
func Defaults() Config {
	return Config{
		BatchTokens: 8192, LearningRate: 2e-3, EmbeddingRate: 1,
		Schedule: "cosine", WarmupSteps: 100, DecayShare: 0.2, FinalRate: 0.1,
		Beta1: 0.9, Beta2: 0.95, Eps: 1e-8, WeightDecay: 0.1, DecayOn: "matrices", Clip: 1,
		CheckpointSeconds: 60,
	}
}

// decayOn says by name which weights decay.
var decayOn = map[string]func(model.Param) bool{
	"matrices": model.Param.Matrix,
	"body":     func(p model.Param) bool { return p.Matrix() && p.Group == model.Body },
	"all":      func(model.Param) bool { return true },
}

// defaultMicroTokens is about how many tokens pass through the model at a time
// where the spec does not say: more need more memory and leave the caches, fewer
// read the weights more often.
const defaultMicroTokens = 1024

// Check reports every setting that makes no sense for rows of context tokens.
func (c Config) Check(context int) error {
	var problems []error
	require := func(ok bool, format string, args ...any) {
		if !ok {
			problems = append(problems, fmt.Errorf(format, args...))
		}
	}
	require(c.Tokens >= 1, "tokens = %d: a run needs at least 1", c.Tokens)
	require(c.BatchTokens >= context, "batch_tokens = %d holds no row of %d tokens (model.context)", c.BatchTokens, context)
	require(c.MicroTokens == 0 || c.MicroTokens >= context, "micro_tokens = %d holds no row of %d tokens (model.context)", c.MicroTokens, context)
	require(c.LearningRate > 0 && c.LearningRate < 10, "learning_rate = %v: between 0 and 10 is wanted", c.LearningRate)
	require(c.EmbeddingRate >= 0 && c.EmbeddingRate <= 100, "embedding_rate = %v: a multiple of learning_rate between 0 and 100 is wanted", c.EmbeddingRate)
	if _, err := Schedules.Get(c.Schedule); err != nil {
		problems = append(problems, err)
	}
	require(c.WarmupSteps >= 0, "warmup_steps = %d is negative", c.WarmupSteps)
	require(c.DecayShare >= 0 && c.DecayShare <= 1, "decay_share = %v: a share between 0 and 1 is wanted", c.DecayShare)
	require(c.FinalRate >= 0 && c.FinalRate <= 1, "final_rate = %v: a share between 0 and 1 is wanted", c.FinalRate)
	require(c.Beta1 >= 0 && c.Beta1 < 1, "beta1 = %v: 0 or more and less than 1 is wanted", c.Beta1)
	require(c.Beta2 >= 0 && c.Beta2 < 1, "beta2 = %v: 0 or more and less than 1 is wanted", c.Beta2)
	require(c.Eps > 0 && c.Eps < 1, "eps = %v: between 0 and 1 is wanted", c.Eps)
	require(c.WeightDecay >= 0 && c.WeightDecay < 100, "weight_decay = %v: 0 or more and less than 100 is wanted", c.WeightDecay)
	_, known := decayOn[c.DecayOn]
	require(known, "decay_on = %q: all, body or matrices is wanted", c.DecayOn)
	require(c.Clip >= 0, "clip = %v is negative", c.Clip)
	require(c.ValidEvery >= 0, "valid_every = %d is negative", c.ValidEvery)
	require(c.CheckpointSeconds >= 0, "checkpoint_seconds = %v is negative", c.CheckpointSeconds)
	require(c.Init.Embedding >= 0 && c.Init.Body >= 0, "init.embedding and init.body are standard deviations, 0 or more")
	return errors.Join(problems...)
}

// Rows returns how many rows of context tokens one step learns from.
func (c Config) Rows(context int) int { return c.BatchTokens / context }

// MicroRows returns how many of them pass through the model at a time.
func (c Config) MicroRows(context int) int {
	rows := c.Rows(context)
	if c.MicroTokens != 0 {
		return min(rows, c.MicroTokens/context)
	}
	passes := (rows*context + defaultMicroTokens - 1) / defaultMicroTokens
	return (rows + passes - 1) / passes
}

// mostPanels is what panels of matrices may take, in bytes. They save about 1 % of
// the time of a step of the shape 10m (docs/log.md); a large model has better use for
// its memory.
const mostPanels = 256 << 20

// HoldsPanels reports whether a step keeps matrices in the order of their
// products: where they serve several passes.
func (c Config) HoldsPanels(shape arch.Config) bool {
	return c.MicroRows(shape.Context) < c.Rows(shape.Context) && shape.PanelMemory() <= mostPanels
}

// Memory returns what training a model of this shape takes.
func (c Config) Memory(shape arch.Config) arch.Memory {
	rows, m := c.MicroRows(shape.Context), arch.Memory{}
	if c.Recompute {
		m = shape.LeanTrainMemory(rows, shape.Context)
	} else {
		m = shape.TrainMemory(rows, shape.Context)
	}
	if c.HoldsPanels(shape) {
		m.Panels = shape.PanelMemory()
		m.Total += m.Panels
	}
	return m
}

// FLOPs returns the operations that training a model of this shape costs for
// one token, what is computed again included.
func (c Config) FLOPs(shape arch.Config) float64 {
	flops := shape.TrainFLOPs(shape.Context)
	if c.Recompute {
		flops += shape.RecomputeFLOPs(shape.Context)
	}
	return flops
}

// Steps returns how many optimiser steps the run takes.
func (c Config) Steps(context int) int {
	perStep := c.Rows(context) * context
	return (c.Tokens + perStep - 1) / perStep
}
