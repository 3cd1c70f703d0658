// Package model runs what package arch describes: weights, the forward and
// backward pass of every layer, the cache, and the files that models are kept
// in. It has the only forward pass of the program: training, scoring and
// timing all go through it.
package model

import (
	"errors"

	"plumb/arch"
	"plumb/kernels"
)

// A Model is a decoder-only transformer with its weights. It is not safe for
// concurrent use.
type Model struct {
	cfg    arch.Config
	params []Param
	order  []int // block of each layer

	embedding  []float32 // [v, e]
	projectIn  Linear    // [c, e], nil where e is c
	position   []float32 // [context, c], nil with rotary positions
	blocks     []*block
	norm       *norm  // nil where the head reads the last state itself
	projectOut Linear // [e, c], nil where e is c
	head       Linear // [v, e]; the embedding itself when tied
	rotary     *kernels.RotaryTable
	gradEmbed  []float32
	gradPos    []float32
	scoring    *scorer // memory of LogProbs and Generate, made at first use
	frozen     bool
	embedScale float32
}

// New returns a model of the shape that cfg describes, with random weights
// that depend on init and seed only.
func New(cfg arch.Config, init Init, seed uint64) (*Model, error) {
	m, err := empty(cfg)
	if err != nil {
		return nil, err
	}
	init.fill(m, seed)
	return m, nil
}

// empty returns a model whose weights are all zero.
func empty(cfg arch.Config) (*Model, error) {
	if err := errors.Join(cfg.Validate(), Runnable(cfg)); err != nil {
		return nil, err
	}
	m := &Model{cfg: cfg, order: cfg.Blocks(), embedScale: 1}
	if cfg.EmbeddingScale != 0 {
		m.embedScale = float32(cfg.EmbeddingScale)
	}
	m.params = allocate(layout(cfg))
	m.bind()
	if cfg.Position == "rotary" {
		m.rotary = kernels.NewRotaryTableOf(cfg.Context, frequencies(cfg))
	}
	return m, nil
}

// allocate gives every parameter its part of one region.
func allocate(specs []spec) []Param {
	total := 0
	for _, s := range specs {
		total += s.size()
	}
	memory := kernels.NewArena(total)
	params := make([]Param, len(specs))
	for i, s := range specs {
		params[i] = Param{Name: s.name, Group: s.group, Shape: s.shape, Into: s.into, Data: memory.Floats(s.size())}
	}
	return params
}

// Config returns the shape of m.
func (m *Model) Config() arch.Config { return m.cfg }

// Context returns how many tokens m can look back on.
func (m *Model) Context() int { return m.cfg.Context }

// Params lists the weights in the order of their file. They share memory with m.
// It panics when m is frozen.
func (m *Model) Params() []Param {
	m.mustNotBeFrozen("Params")
	return m.params
}

// EnableTraining gives every parameter a gradient, zero at first. It panics
// when m is frozen.
func (m *Model) EnableTraining() {
	m.mustNotBeFrozen("EnableTraining")
	total := 0
	for _, p := range m.params {
		total += len(p.Data)
	}
	memory := kernels.NewArena(total)
	for i, p := range m.params {
		m.params[i].Grad = memory.Floats(len(p.Data))
	}
	m.bind()
}
