package model

import "plumb/kernels"

// A block is the weights that one layer, or several, run with: attention and
// then a feed-forward part, each behind a norm and added to the residual stream.
type block struct {
	norm1        norm
	q, k, v, out Linear
	norm2        norm
	gate         Linear // nil without a gate
	up, down     Linear
	act          activation
	heads        kernels.Heads
}

// forward runs the block as layer number layer over p.x [t, c], in place. What
// the backward pass needs is left in s.
func (b *block) forward(p *pass, s *saved, layer int) {
	t := p.rows
	copy(s.x, p.x)
	b.norm1.forward(p.normed, p.x)
	b.q.Forward(s.q, p.normed, t)
	b.k.Forward(s.k, p.normed, t)
	b.v.Forward(s.v, p.normed, t)
	if p.rotary != nil {
		kernels.Rotary(s.q, p.positions, b.heads.Query, b.heads.Dim, p.rotary)
		kernels.Rotary(s.k, p.positions, b.heads.KV, b.heads.Dim, p.rotary)
	}
	p.attend(s, b.heads, layer)
	b.out.ForwardAdd(p.x, s.attended, t)

	copy(s.mid, p.x)
	b.norm2.forward(p.normed, p.x)
	if b.gate != nil {
		b.gate.Forward(s.gate, p.normed, t)
	}
	b.up.Forward(s.up, p.normed, t)
	b.act.forward(p.hidden, s.gate, s.up)
	b.down.ForwardAdd(p.x, p.hidden, t)
}

// backward turns p.dx [t, c], the gradient with respect to what the layer
// gave, into that with respect to what it was given. Norms and the activation
// are computed again rather than kept.
func (b *block) backward(p *pass, s *saved) {
	t, g := p.rows, p.grads

	b.act.forward(p.hidden, s.gate, s.up)
	back(b.down).Backward(g.hidden, g.dx, p.hidden, t)
	b.act.backward(g.gate, g.up, g.hidden, s.gate, s.up)
	b.norm2.forward(p.normed, s.mid)
	back(b.up).Backward(g.normed, g.up, p.normed, t)
	if b.gate != nil {
		back(b.gate).BackwardAdd(g.normed, g.gate, p.normed, t)
	}
	b.norm2.backward(g.dx, g.normed, s.mid)

	back(b.out).Backward(g.attended, g.dx, s.attended, t)
	kernels.AttentionBackBatch(g.q, g.k, g.v, g.attended, s.q, s.k, s.v, s.attended, s.lse, b.heads, p.batch, p.length)
	if p.rotary != nil {
		kernels.RotaryBack(g.q, p.positions, b.heads.Query, b.heads.Dim, p.rotary)
		kernels.RotaryBack(g.k, p.positions, b.heads.KV, b.heads.Dim, p.rotary)
	}
	b.norm1.forward(p.normed, s.x)
	back(b.q).Backward(g.normed, g.q, p.normed, t)
	back(b.k).BackwardAdd(g.normed, g.k, p.normed, t)
	back(b.v).BackwardAdd(g.normed, g.v, p.normed, t)
	b.norm1.backward(g.dx, g.normed, s.x)
}

// back asks for the backward pass of a matrix whose form has one.
func back(l Linear) trainable {
	t, ok := l.(trainable)
	if !ok {
		panic("model: this form of matrix cannot be trained")
	}
	return t
}
