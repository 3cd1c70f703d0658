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
	f.act.backward(g.gate, g.up, g.hidden, s.gate, s.up)
	f.input.again(p, s)
	if f.gate == nil {
		back(f.up).Backward(g.normed, g.up, p.normed, t)
		return
	}
	backTogether(g.normed, p.normed, t, false, output{f.up, g.up}, output{f.gate, g.gate})
}

// result computes the activation, which is not kept.
func (f *feedForward) result(p *pass, s *saved) []float32 {
	f.act.forward(p.hidden, s.gate, s.up)
	return p.hidden
}

func (f *feedForward) gradient(g *gradients) []float32 { return g.hidden }
func (f *feedForward) matrix() Linear                  { return f.down }
