package model

import "plumb/kernels"

// embed sets p.x [t, c] to the embeddings of the tokens, in the width of the
// stream and scaled, and adds learned positions. p.normed is overwritten.
func (m *Model) embed(p *pass) {
	if m.projectIn != nil {
		embedded := m.embedded(p)
		m.table.LookUp(embedded, p.tokens)
		m.projectIn.Forward(p.x, embedded, p.rows)
	} else {
		m.table.LookUp(p.x, p.tokens)
	}
	if m.embedScale != 1 {
		kernels.Scale(p.x, m.embedScale)
	}
	if m.position != nil {
		kernels.Embedding(p.normed, m.position, p.positions)
		kernels.Add(p.x, p.normed)
	}
}

// embedded is where embeddings of another width than the stream's stand, [t, e].
func (m *Model) embedded(p *pass) []float32 { return p.normed[:p.rows*m.cfg.TokenWidth()] }

// embedBack passes p.grads.dx on to the tables of tokens and positions.
// p.grads.normed is overwritten.
func (m *Model) embedBack(p *pass) {
	g := p.grads
	if m.position != nil {
		kernels.EmbeddingBack(m.gradPos, g.dx, p.positions)
	}
	if m.embedScale != 1 {
		kernels.Scale(g.dx, m.embedScale)
	}
	if m.projectIn == nil {
		m.lookUpBack(g.dx, p.tokens)
		return
	}
	embedded, dx := m.embedded(p), g.normed[:p.rows*m.cfg.TokenWidth()]
	m.table.LookUp(embedded, p.tokens)
	back(m.projectIn).Backward(dx, g.dx, embedded, p.rows)
	m.lookUpBack(dx, p.tokens)
}

func (m *Model) lookUpBack(dy []float32, tokens []int32) {
	t, ok := m.table.(trainableTable)
	if !ok {
		panic("model: this form of token table cannot be trained")
	}
	t.LookUpBack(dy, tokens)
}
