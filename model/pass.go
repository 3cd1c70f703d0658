package model

import "plumb/kernels"

// A pass is one trip of rows through the model: their tokens, and the memory
// that the trip needs. A row is one token of one sequence.
//
// For training the rows are batch sequences of equal length, and every layer
// keeps what its backward pass needs. For scoring and generating they are
// pieces of sequences whose earlier keys and values lie in caches, and all
// layers use one layer's memory in turn.
type pass struct {
	rows      int
	tokens    []int32 // [t]
	positions []int32 // [t] place of each token in its sequence

	batch, length int     // training: rows = batch × length
	pieces        []piece // otherwise

	x      []float32 // [t, c] the residual stream
	normed []float32 // [t, c]
	hidden []float32 // [t, f]
	layers []*saved
	grads  *gradients // training only
	rotary *kernels.RotaryTable
}

// A piece is rows of one sequence that follow past tokens whose keys and
// values are in its cache.
type piece struct {
	start, rows, past int
	cache             *cache
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

// shrink returns p for its first rows tokens; it shares the memory of p.
func (p *pass) shrink(m *Model, rows int) *pass {
	c := m.cfg
	small := *p
	small.rows = rows
	small.tokens, small.positions = p.tokens[:rows], p.positions[:rows]
	small.x, small.normed, small.hidden = p.x[:rows*c.Width], p.normed[:rows*c.Width], p.hidden[:rows*c.Hidden]
	one := p.layers[0].shrink(m, rows)
	small.layers = make([]*saved, len(p.layers))
	for i := range small.layers {
		small.layers[i] = one
	}
	return &small
}

func (s *saved) shrink(m *Model, rows int) *saved {
	c := m.cfg
	queries, keys := rows*c.Heads*c.HeadDim, rows*c.KVHeads*c.HeadDim
	small := &saved{
		q: s.q[:queries], k: s.k[:keys], v: s.v[:keys],
		attended: s.attended[:queries], lse: s.lse[:rows*c.Heads],
		up: s.up[:rows*c.Hidden],
	}
	if s.gate != nil {
		small.gate = s.gate[:rows*c.Hidden]
	}
	return small
}
