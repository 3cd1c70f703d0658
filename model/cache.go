package model

import "plumb/kernels"

// A cache holds the keys and values of one sequence, one slot for each layer:
// layers that share a block still see different states.
type cache struct {
	layers []*kernels.KeyValues
	past   int // tokens known
}

// newCache returns a cache for up to tokens tokens.
func (m *Model) newCache(tokens int) *cache {
	c := &cache{}
	for layer, b := range m.order {
		c.layers = append(c.layers, kernels.NewKeyValues(m.blocks[b].attention.heads[layer], tokens))
	}
	return c
}
