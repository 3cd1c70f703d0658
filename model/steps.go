package model

import "plumb/kernels"

// A read sets p.normed [t, c] to a norm of the residual stream, or to the
// stream itself where norm is nil, and keeps the stream.
type read struct {
	norm *norm
	kept func(*saved) []float32 // where, [t, c]; nil when nothing is trained
}

func beforeAttention(s *saved) []float32   { return s.x }
func beforeFeedForward(s *saved) []float32 { return s.mid }

func (r *read) forward(p *pass, s *saved, _ int) {
	copy(r.kept(s), p.x)
	r.norm.forward(p.normed, p.x)
}

// again sets p.normed as forward did.
func (r *read) again(p *pass, s *saved) { r.norm.forward(p.normed, r.kept(s)) }

func (r *read) backward(p *pass, s *saved, _ int) {
	r.norm.backward(p.grads.dx, p.grads.normed, r.kept(s))
}

// A part is what stands between a read and its join.
type part interface {
	// result is what the part gives. What is not kept of it is computed here,
	// and again in the backward pass.
	result(p *pass, s *saved) []float32
	// gradient is the buffer for the gradient of result.
	gradient(g *gradients) []float32
	// turn finds that filled, and turns it into what backward goes on from. It
	// gives result once more, by then without a pass of its own.
	turn(p *pass, s *saved) []float32
	// matrix leads from result into the stream.
	matrix() Linear
}

// A join adds the product of a matrix with the result of a part to the
// residual stream.
type join struct {
	part
	read  *read // by which the part began
	added *norm // of what is added, before that; or nil
	sum   *norm // of the stream, after that; or nil
}

func (j *join) forward(p *pass, s *saved, _ int) {
	result := j.result(p, s)
	if j.added != nil {
		j.matrix().Forward(p.normed, result, p.rows)
		j.added.forward(p.normed, p.normed)
		kernels.Add(p.x, p.normed)
		return
	}
	addProduct(p.x, j.matrix(), result, p.rows, p.normed)
	if j.sum != nil {
		j.sum.forward(p.x, p.x)
	}
}

// backward uses p.normed and p.grads.normed, which no step needs at this point
// where there are norms behind the part.
func (j *join) backward(p *pass, s *saved, _ int) {
	g, dy := p.grads, p.grads.dx
	switch {
	case j.added != nil:
		j.matrix().Forward(p.normed, j.result(p, s), p.rows)
		clear(g.normed)
		j.added.backward(g.normed, g.dx, p.normed)
		dy = g.normed
	case j.sum != nil:
		copy(p.normed, j.read.kept(s))
		addProduct(p.normed, j.matrix(), j.result(p, s), p.rows, g.normed)
		clear(g.normed)
		j.sum.backward(g.normed, g.dx, p.normed)
		copy(g.dx, g.normed)
	}
	if d, ok := j.matrix().(*Dense); ok {
		d.inputBack(j.gradient(g), dy, p.rows, false)
		d.gatherGradients(dy, j.turn(p, s), p.rows)
		return
	}
	back(j.matrix()).Backward(j.gradient(g), dy, j.result(p, s), p.rows)
	j.turn(p, s)
}
