// Package model runs what package arch describes: weights, the forward and
// backward pass of every layer, the cache, and the files that models are kept
// in. It has the only forward pass of the program: training, scoring and
// timing all go through it.
package model

import (
	"errors"
	"fmt"
	"math"

	"plumb/arch"
	"plumb/kernels"
)

// A Model is a decoder-only transformer with its weights. It is not safe for
// concurrent use.
type Model struct {
	cfg    arch.Config
	params []Param
	order  []int // block of each layer

	embedding  []float32 // [v, c]
	position   []float32 // [context, c], nil with rotary positions
	blocks     []*block
	norm       norm
	head       Linear // [v, c]; the embedding itself when tied
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
		m.rotary = kernels.NewRotaryTable(cfg.Context, cfg.RotaryChannels(), cfg.RotaryTheta)
	}
	return m, nil
}

// allocate gives every parameter its part of one array.
func allocate(specs []spec) []Param {
	total := 0
	for _, s := range specs {
		total += s.size()
	}
	memory := make([]float32, total)
	params := make([]Param, len(specs))
	for i, s := range specs {
		n := s.size()
		params[i] = Param{Name: s.name, Group: s.group, Shape: s.shape, Into: s.into, Data: memory[:n:n]}
		memory = memory[n:]
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
	memory := make([]float32, total)
	for i := range m.params {
		n := len(m.params[i].Data)
		m.params[i].Grad = memory[:n:n]
		memory = memory[n:]
	}
	m.bind()
}

// A binder hands out the parameters in the order of layout.
type binder struct{ rest []Param }

func (b *binder) next() (data, grad []float32) {
	p := b.rest[0]
	b.rest = b.rest[1:]
	return p.Data, p.Grad
}

func (b *binder) linear(out, in int, bias bool) *Dense {
	d := &Dense{Out: out, In: in}
	d.Weight, d.gradWeight = b.next()
	if bias {
		d.Bias, d.gradBias = b.next()
	}
	return d
}

func (b *binder) norm(c arch.Config) norm {
	n := norm{eps: float32(c.NormEps)}
	n.gain, n.gradGain = b.next()
	if c.Norm == "layernorm" {
		n.bias, n.gradBias = b.next()
	}
	return n
}

// bind points the parts of m at their parameters.
func (m *Model) bind() {
	c, b := m.cfg, &binder{m.params}
	m.embedding, m.gradEmbed = b.next()
	if c.Position == "learned" {
		m.position, m.gradPos = b.next()
	}
	m.blocks = make([]*block, c.BlockCount())
	for i := range m.blocks {
		m.blocks[i] = bindBlock(c, b)
	}
	m.norm = b.norm(c)
	m.head = b.head(c, m.embedding, m.gradEmbed)
	if len(b.rest) != 0 {
		panic(fmt.Sprintf("model: %d parameters of the layout were not bound", len(b.rest)))
	}
}

func bindBlock(c arch.Config, b *binder) *block {
	act, err := activations.Get(c.Activation)
	if err != nil {
		panic("model: " + err.Error())
	}
	queries, keys := c.Heads*c.HeadDim, c.KVHeads*c.HeadDim
	bl := &block{act: act, heads: kernels.Heads{
		Query: c.Heads, KV: c.KVHeads, Dim: c.HeadDim,
		Scale: float32(1 / math.Sqrt(float64(c.HeadDim))),
	}}
	bl.norm1 = b.norm(c)
	bl.q = b.linear(queries, c.Width, c.QKVBias)
	bl.k = b.linear(keys, c.Width, c.QKVBias)
	bl.v = b.linear(keys, c.Width, c.QKVBias)
	bl.out = b.linear(c.Width, queries, c.OutBias)
	bl.norm2 = b.norm(c)
	if c.Gated() {
		bl.gate = b.linear(c.Hidden, c.Width, c.FFNBias)
	}
	bl.up = b.linear(c.Hidden, c.Width, c.FFNBias)
	bl.down = b.linear(c.Width, c.Hidden, c.FFNBias)
	return bl
}
