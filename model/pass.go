package model

import (
	"fmt"

	"plumb/kernels"
)

// A pass is one trip of rows through the model: their tokens, and the memory
// that the trip needs. A row is one token of one sequence.
//
// For training the rows are batch sequences of equal length, and every layer
// keeps what its backward pass needs. For scoring they are trees of texts, and
// for generating rows of one sequence whose earlier keys and values lie in a
// cache; then all layers use one layer's memory in turn.
type pass struct {
	rows      int
	tokens    []int32 // [t]
	positions []int32 // [t] place of each token in its sequence

	batch, length int            // training: rows = batch × length
	trees         []kernels.Tree // scoring
	cache         *cache         // generating

	x      []float32 // [t, c] the residual stream
	normed []float32 // [t, c]
	hidden []float32 // [t, f]
	layers []*saved
	grads  *gradients // training only
	rotary *kernels.RotaryTable
	guide  Guide // of a training pass; nil for none
}

// saved is what one layer leaves for its backward pass.
type saved struct {
	x, mid   []float32 // [t, c] residual stream before attention, before feed-forward; training only
	q        []float32 // [t, h·d] after rotation
	k, v     []float32 // [t, g·d]
	attended []float32 // [t, h·d]
	lse      []float32 // [t, h] log of the sum of exponentials, nats
	gate, up []float32 // [t, f]
}

// gradients are the partners of the buffers of a pass. Those of gate and up have no
// memory of their own: gate is overwritten, up takes that of hidden.
type gradients struct {
	dx, normed []float32
	q, k, v    []float32
	attended   []float32
	hidden     []float32
}

// saved cuts what a layer leaves of rows tokens from a.
func (m *Model) saved(a *kernels.Arena, rows int) *saved {
	c := m.cfg
	queries, keys := rows*c.Heads*c.HeadDim, rows*c.KVHeads*c.HeadDim
	s := &saved{
		q: a.Floats(queries), k: a.Floats(keys), v: a.Floats(keys),
		attended: a.Floats(queries), lse: a.Floats(rows * c.Heads),
		up: a.Floats(rows * c.Hidden),
	}
	if c.Gated() {
		s.gate = a.Floats(rows * c.Hidden)
	}
	return s
}

// gradients cuts the partners of p from a.
func (p *pass) gradients(a *kernels.Arena, m *Model) *gradients {
	c, rows := m.cfg, p.rows
	queries, keys := rows*c.Heads*c.HeadDim, rows*c.KVHeads*c.HeadDim
	return &gradients{
		dx: a.Floats(rows * c.Width), normed: a.Floats(rows * c.Width),
		q: a.Floats(queries), k: a.Floats(keys), v: a.Floats(keys),
		attended: a.Floats(queries),
		hidden:   a.Floats(rows * c.Hidden),
	}
}

// pass cuts what all layers have in common for rows tokens from a.
func (m *Model) pass(a *kernels.Arena, rows int) *pass {
	return &pass{
		rows: rows, tokens: make([]int32, rows), positions: make([]int32, rows),
		x: a.Floats(rows * m.cfg.Width), normed: a.Floats(rows * m.cfg.Width),
		hidden: a.Floats(rows * m.cfg.Hidden), rotary: m.rotary,
	}
}

// newPass returns memory for rows tokens; every layer uses the same.
func (m *Model) newPass(rows int) *pass {
	return kernels.Place(func(a *kernels.Arena) *pass {
		p := m.pass(a, rows)
		one := m.saved(a, rows)
		for range m.cfg.Layers {
			p.layers = append(p.layers, one)
		}
		return p
	})
}

// trainingPass cuts memory for batch sequences of length tokens from a, with
// gradients.
func (m *Model) trainingPass(a *kernels.Arena, batch, length int, lean bool) *pass {
	p := m.keptPass(a, batch, length, lean)
	p.grads = p.gradients(a, m)
	return p
}

// keptPass cuts memory for batch sequences of length tokens from a. Every layer
// has its own, or if lean only what it is given, from which the rest is computed
// again in the memory of one layer.
func (m *Model) keptPass(a *kernels.Arena, batch, length int, lean bool) *pass {
	p := m.pass(a, batch*length)
	p.batch, p.length = batch, length
	for layer := range m.cfg.Layers {
		var s saved
		if lean && layer > 0 {
			s = *p.layers[0]
		} else {
			s = *m.saved(a, p.rows)
			s.mid = a.Floats(p.rows * m.cfg.Width)
		}
		s.x = a.Floats(p.rows * m.cfg.Width)
		p.layers = append(p.layers, &s)
	}
	for i := range p.positions {
		p.positions[i] = int32(i % length)
	}
	return p
}

// load splits rows of length+1 tokens into what is read and what is predicted,
// which goes to targets [t] unless that is nil.
func (p *pass) load(tokens, targets []int32) {
	if len(tokens) != p.batch*(p.length+1) {
		panic(fmt.Sprintf("model: %d tokens for %d rows of %d+1", len(tokens), p.batch, p.length))
	}
	for b := range p.batch {
		row := tokens[b*(p.length+1) : (b+1)*(p.length+1)]
		for i := range p.length {
			p.tokens[b*p.length+i] = max(row[i], 0)
		}
		if targets != nil {
			copy(targets[b*p.length:(b+1)*p.length], row[1:])
		}
	}
}

// resize lets p hold rows tokens, no more than it was made for.
func (p *pass) resize(m *Model, rows int) {
	c := m.cfg
	p.rows = rows
	p.tokens, p.positions = p.tokens[:rows], p.positions[:rows]
	p.x, p.normed, p.hidden = p.x[:rows*c.Width], p.normed[:rows*c.Width], p.hidden[:rows*c.Hidden]
	queries, keys, s := rows*c.Heads*c.HeadDim, rows*c.KVHeads*c.HeadDim, p.layers[0]
	s.q, s.k, s.v = s.q[:queries], s.k[:keys], s.v[:keys]
	s.attended, s.lse, s.up = s.attended[:queries], s.lse[:rows*c.Heads], s.up[:rows*c.Hidden]
	if s.gate != nil {
		s.gate = s.gate[:rows*c.Hidden]
	}
}
