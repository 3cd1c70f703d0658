package model

import "plumb/kernels"

// headRows is how many rows go through the head at a time when scoring, so that
// the logits never exist in full.
const headRows = 256

// finish turns the last state of the residual stream into what the head reads,
// p.normed [t, e].
func (m *Model) finish(p *pass) {
	if m.projectOut != nil {
		m.projectOut.Forward(p.normed, p.x, p.rows)
		return
	}
	m.norm.forward(p.normed, p.x)
}

// finishBack sets p.grads.dx [t, c] to the gradient with respect to the last
// state, given that of what the head read in p.grads.normed.
func (m *Model) finishBack(p *pass) {
	if m.projectOut != nil {
		back(m.projectOut).Backward(p.grads.dx, p.grads.normed, p.x, p.rows)
		return
	}
	clear(p.grads.dx)
	m.norm.backward(p.grads.dx, p.grads.normed, p.x)
}

// logits sets dst [rows, v] to what the head makes of states [rows, e].
func (m *Model) logits(dst, states []float32, rows int) {
	m.head.Forward(dst, states, rows)
	if m.cfg.FinalSoftCap > 0 {
		kernels.SoftCap(dst[:rows*m.cfg.Vocab], float32(m.cfg.FinalSoftCap))
	}
}

// logitsBack sets dx [rows, e] to the gradient with respect to the states x,
// given that of their logits before any cap, and gathers those of the head.
func (m *Model) logitsBack(dx, dlogits, x []float32, rows int) {
	back(m.head).Backward(dx, dlogits, x, rows)
}
