// Package model runs what package arch describes: weights, the forward and
// backward pass of every layer, the cache, and the files that models are kept
// in. It has the only forward pass of the program: training, scoring and
// timing all go through it.
package model

import (
	"errors"
	"unsafe"

	"plumb/arch"
	"plumb/kernels"
)

// A Model is a decoder-only transformer with its weights. It is not safe for
// concurrent use.
type Model struct {
	cfg    arch.Config
	forms  map[string]Form // of the matrices that are not dense
	arrays []Param         // all that is stored, in the order of the layout
	order  []int           // block of each layer

	table      Table     // [v, e]
	projectIn  Linear    // [c, e], nil where e is c
	position   []float32 // [context, c], nil with rotary positions
	blocks     []*block
	norm       *norm  // nil where the head reads the last state itself
	projectOut Linear // [e, c], nil where e is c
	head       Linear // [v, e]; the embedding itself when tied
	rotary     *kernels.RotaryTable
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

// empty returns a dense model whose weights are all zero.
func empty(cfg arch.Config) (*Model, error) {
	m, err := unbound(cfg, nil)
	if err != nil {
		return nil, err
	}
	return m, m.bind()
}

// unbound returns a model with memory for its arrays, which are still to be
// filled and bound.
func unbound(cfg arch.Config, forms map[string]Form) (*Model, error) {
	if err := errors.Join(cfg.Validate(), Runnable(cfg)); err != nil {
		return nil, err
	}
	specs, err := layoutIn(cfg, forms)
	if err != nil {
		return nil, err
	}
	m := &Model{cfg: cfg, forms: forms, arrays: allocate(specs), order: cfg.Blocks(), embedScale: 1}
	if cfg.EmbeddingScale != 0 {
		m.embedScale = float32(cfg.EmbeddingScale)
	}
	if cfg.Position == "rotary" {
		m.rotary = kernels.NewRotaryTableOf(cfg.Context, frequencies(cfg))
	}
	return m, nil
}

// allocate gives every array of floats its part of one region, and every other
// array memory of its own.
func allocate(specs []spec) []Param {
	total := 0
	for _, s := range specs {
		if s.dtype == "" {
			total += s.size()
		}
	}
	memory := kernels.NewArena(total)
	arrays := make([]Param, len(specs))
	for i, s := range specs {
		arrays[i] = Param{Name: s.name, slot: s.slot, Group: s.group, Shape: s.shape, Into: s.into, weights: s.size(), fixed: s.fixed, dtype: s.dtype}
		if s.part {
			arrays[i].weights = s.weights
		}
		if s.dtype == "" {
			arrays[i].Data = memory.Floats(s.size())
		} else {
			arrays[i].bytes = alignedBytes(s.size() * dtypeBytes[s.dtype])
		}
	}
	return arrays
}

// dtypeBytes has the sizes of the types that forms may store besides F32.
var dtypeBytes = map[string]int{"I8": 1, "U8": 1, "F16": 2, "U16": 2, "I32": 4}

// alignedBytes returns n zero bytes that begin at a multiple of 8.
func alignedBytes(n int) []byte {
	if n == 0 {
		return nil
	}
	return unsafe.Slice((*byte)(unsafe.Pointer(&make([]uint64, (n+7)/8)[0])), n)
}

// Config returns the shape of m.
func (m *Model) Config() arch.Config { return m.cfg }

// Context returns how many tokens m can look back on.
func (m *Model) Context() int { return m.cfg.Context }

// Params lists what can be trained, in the order of its file. It shares memory
// with m and panics when m is frozen.
func (m *Model) Params() []Param {
	m.mustNotBeFrozen("Params")
	var trained []Param
	for _, p := range m.arrays {
		if !p.fixed {
			trained = append(trained, p)
		}
	}
	return trained
}

// EnableTraining gives every parameter a gradient, zero at first. It panics
// when m is frozen.
func (m *Model) EnableTraining() {
	m.mustNotBeFrozen("EnableTraining")
	total := 0
	for _, p := range m.arrays {
		if !p.fixed {
			total += len(p.Data)
		}
	}
	memory := kernels.NewArena(total)
	for i, p := range m.arrays {
		if !p.fixed {
			m.arrays[i].Grad = memory.Floats(len(p.Data))
		}
	}
	if err := m.bind(); err != nil {
		panic("model: arrays that were bound before: " + err.Error())
	}
}
