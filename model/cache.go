package model

// A cache holds the keys and values of one sequence, one slot for each layer:
// layers that share a block still see different states.
type cache struct {
	k, v  [][]float32 // by layer: [tokens, g·d]
	width int         // g·d
}

// newCache returns a cache for up to tokens tokens.
func (m *Model) newCache(tokens int) *cache {
	c := &cache{width: m.cfg.KVHeads * m.cfg.HeadDim}
	for range m.cfg.Layers {
		c.k = append(c.k, make([]float32, tokens*c.width))
		c.v = append(c.v, make([]float32, tokens*c.width))
	}
	return c
}

// extend stores k and v [rows, g·d] behind the first past tokens of a layer,
// overwriting what was there, and returns all that is then known.
func (c *cache) extend(layer, past int, k, v []float32) (allK, allV []float32) {
	end := past*c.width + len(k)
	copy(c.k[layer][past*c.width:end], k)
	copy(c.v[layer][past*c.width:end], v)
	return c.k[layer][:end], c.v[layer][:end]
}
