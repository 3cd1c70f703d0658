package model

import "plumb/kernels"

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

// gradients are the partners of the buffers of a pass.
type gradients struct {
	dx, normed []float32
	q, k, v    []float32
	attended   []float32
	hidden     []float32
	gate, up   []float32
}

func (m *Model) newSaved(rows int) *saved {
	c := m.cfg
	queries, keys := rows*c.Heads*c.HeadDim, rows*c.KVHeads*c.HeadDim
	s := &saved{
		q: make([]float32, queries), k: make([]float32, keys), v: make([]float32, keys),
		attended: make([]float32, queries), lse: make([]float32, rows*c.Heads),
		up: make([]float32, rows*c.Hidden),
	}
	if c.Gated() {
		s.gate = make([]float32, rows*c.Hidden)
	}
	return s
}

func (m *Model) newGradients(rows int) *gradients {
	c := m.cfg
	queries, keys := rows*c.Heads*c.HeadDim, rows*c.KVHeads*c.HeadDim
	g := &gradients{
		dx: make([]float32, rows*c.Width), normed: make([]float32, rows*c.Width),
		q: make([]float32, queries), k: make([]float32, keys), v: make([]float32, keys),
		attended: make([]float32, queries),
		hidden:   make([]float32, rows*c.Hidden), up: make([]float32, rows*c.Hidden),
	}
	if c.Gated() {
		g.gate = make([]float32, rows*c.Hidden)
	}
	return g
}

// newPass returns memory for rows tokens; every layer uses the same.
func (m *Model) newPass(rows int) *pass {
	p := &pass{
		rows: rows, tokens: make([]int32, rows), positions: make([]int32, rows),
		x: make([]float32, rows*m.cfg.Width), normed: make([]float32, rows*m.cfg.Width),
		hidden: make([]float32, rows*m.cfg.Hidden), rotary: m.rotary,
	}
	one := m.newSaved(rows)
	for range m.cfg.Layers {
		p.layers = append(p.layers, one)
	}
	return p
}

// newTrainingPass returns memory for batch sequences of length tokens; every
// layer has its own.
func (m *Model) newTrainingPass(batch, length int) *pass {
	p := m.newPass(batch * length)
	p.batch, p.length = batch, length
	for i := range p.layers {
		p.layers[i] = m.newSaved(p.rows)
		p.layers[i].x = make([]float32, len(p.x))
		p.layers[i].mid = make([]float32, len(p.x))
	}
	p.grads = m.newGradients(p.rows)
	for i := range p.positions {
		p.positions[i] = int32(i % length)
	}
	return p
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
