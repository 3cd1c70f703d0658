package model

import "plumb/kernels"

// forward runs every layer over the tokens of p and leaves the last state in
// p.normed [t, e], ready for the head.
func (m *Model) forward(p *pass) {
	m.embed(p)
	for layer, b := range m.order {
		m.blocks[b].forward(p, p.layers[layer], layer) // weights by block, keys and values by layer
	}
	m.finish(p)
}

// attend runs causal attention of one layer within each text of the pass.
func (p *pass) attend(s *saved, h kernels.Heads, layer int) {
	switch {
	case p.cache != nil:
		seen := p.cache.layers[layer]
		seen.Store(s.k, s.v, p.cache.past)
		kernels.AttentionCached(s.attended, s.q, seen, h, p.cache.past)
	case p.trees != nil:
		kernels.AttentionTrees(s.attended, s.q, s.k, s.v, h, p.trees)
	default:
		kernels.AttentionBatch(s.attended, s.lse, s.q, s.k, s.v, h, p.batch, p.length)
	}
}
