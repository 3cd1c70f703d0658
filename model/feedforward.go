package model

// feedForward is the part of a block in which each token is on its own.
type feedForward struct {
	gate     Linear // nil without a gate
	up, down Linear
	act      activation
	input    *read
}

// forward leaves what enters the activation in s.
func (f *feedForward) forward(p *pass, s *saved, _ int) {
	if f.gate != nil {
		f.gate.Forward(s.gate, p.normed, p.rows)
	}
	f.up.Forward(s.up, p.normed, p.rows)
}

func (f *feedForward) backward(p *pass, s *saved, _ int) {
	t, g := p.rows, p.grads
	f.input.again(p, s)
	if f.gate == nil {
		back(f.up).Backward(g.normed, g.hidden, p.normed, t)
		return
	}
	backTogether(g.normed, p.normed, t, false, output{f.up, g.hidden}, output{f.gate, s.gate})
}

// result computes the activation, which is not kept.
func (f *feedForward) result(p *pass, s *saved) []float32 {
	f.act.forward(p.hidden, s.gate, s.up)
	return p.hidden
}

// turn leaves the gradients of gate and up in the memory of gate, which nobody
// reads after this, and of the gradient.
func (f *feedForward) turn(p *pass, s *saved) []float32 {
	hidden := p.grads.hidden
	f.act.backward(p.hidden, s.gate, hidden, hidden, s.gate, s.up)
	return p.hidden
}

func (f *feedForward) gradient(g *gradients) []float32 { return g.hidden }
func (f *feedForward) matrix() Linear                  { return f.down }
