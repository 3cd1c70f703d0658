package model

import "plumb/kernels"

// attention is the part of a block in which tokens read each other.
type attention struct {
	q, k, v, out Linear
	heads        []kernels.Heads // by layer
	input        *read
	addsGradient bool // to that which the feed-forward part left of the same input
}

// forward leaves the queries, keys, values and what they give in s.
func (a *attention) forward(p *pass, s *saved, layer int) {
	h, t := a.heads[layer], p.rows
	a.q.Forward(s.q, p.normed, t)
	a.k.Forward(s.k, p.normed, t)
	a.v.Forward(s.v, p.normed, t)
	if p.rotary != nil {
		kernels.Rotary(s.q, p.positions, h.Query, h.Dim, p.rotary)
		kernels.Rotary(s.k, p.positions, h.KV, h.Dim, p.rotary)
	}
	p.attend(s, h, layer)
}

func (a *attention) backward(p *pass, s *saved, layer int) {
	h, t, g := a.heads[layer], p.rows, p.grads
	kernels.AttentionBackBatch(g.q, g.k, g.v, g.attended, s.q, s.k, s.v, s.attended, s.lse, h, p.batch, p.length)
	if p.guide != nil {
		p.guide.Attention(g.q, g.k, s.attention(h), layer)
	}
	if p.rotary != nil {
		kernels.RotaryBack(g.q, p.positions, h.Query, h.Dim, p.rotary)
		kernels.RotaryBack(g.k, p.positions, h.KV, h.Dim, p.rotary)
	}
	a.input.again(p, s)
	backTogether(g.normed, p.normed, t, a.addsGradient, output{a.q, g.q}, output{a.k, g.k}, output{a.v, g.v})
}

func (a *attention) result(_ *pass, s *saved) []float32 { return s.attended }
func (a *attention) turn(_ *pass, s *saved) []float32   { return s.attended }
func (a *attention) gradient(g *gradients) []float32    { return g.attended }
func (a *attention) matrix() Linear                     { return a.out }
