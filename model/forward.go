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

// attend runs causal attention of one layer within each sequence of the pass.
func (p *pass) attend(s *saved, h kernels.Heads, layer int) {
	if p.pieces == nil {
		kernels.AttentionBatch(s.attended, s.lse, s.q, s.k, s.v, h, p.batch, p.length)
		return
	}
	queries, keys := h.Query*h.Dim, h.KV*h.Dim
	for _, piece := range p.pieces {
		from, to := piece.start, piece.start+piece.rows
		k, v := piece.cache.extend(layer, piece.past, s.k[from*keys:to*keys], s.v[from*keys:to*keys])
		kernels.Attention(s.attended[from*queries:to*queries], nil, s.q[from*queries:to*queries],
			k, v, h, piece.rows, piece.past)
	}
}
