package model

import "plumb/arch"

// head returns the output matrix, whose weights are the token table where it
// is tied.
func (b *binder) head(c arch.Config, embedding, gradEmbedding []float32) *Dense {
	d := &Dense{Out: c.Vocab, In: c.Width, Weight: embedding, gradWeight: gradEmbedding}
	if !c.TiedHead {
		d.Weight, d.gradWeight = b.next()
	}
	return d
}

// logits sets dst [rows, v] to what the head makes of the normalised last
// states [rows, c].
func (m *Model) logits(dst, states []float32, rows int) {
	m.head.Forward(dst, states, rows)
}

// logitsBack sets dx [rows, c] to the gradient with respect to the last states
// x, given that of their logits, and gathers the gradients of the head.
func (m *Model) logitsBack(dx, dlogits, x []float32, rows int) {
	back(m.head).Backward(dx, dlogits, x, rows)
}
