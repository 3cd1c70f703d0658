package model

import "fmt"

// Logits returns the logits [t, v] of what follows each of tokens [t], of which
// there must be one, and no more than the context.
func (m *Model) Logits(tokens []int32) ([]float32, error) {
	if err := m.checkRows([][]int32{tokens}, []int{len(tokens)}); err != nil {
		return nil, err
	}
	if len(tokens) > m.cfg.Context {
		return nil, fmt.Errorf("%d tokens are more than the context of %d", len(tokens), m.cfg.Context)
	}
	p := m.newPass(len(tokens))
	p.batch, p.length = 1, len(tokens)
	copy(p.tokens, tokens)
	for i := range p.positions {
		p.positions[i] = int32(i)
	}
	m.forward(p)
	logits := make([]float32, len(tokens)*m.cfg.Vocab)
	m.logits(logits, p.normed, len(tokens))
	return logits, nil
}
