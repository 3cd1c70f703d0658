package arch

import "fmt"

// A Matrix is one that a compression can replace, under the name of its slot in
// a model.
type Matrix struct {
	Slot    string
	Block   int // -1 outside of blocks
	Out, In int
}

// Matrices lists what the slots of a model of shape c hold, in their order: the
// token table, the matrices of blocks, and the output matrix unless it is tied.
func (c Config) Matrices() []Matrix {
	all := []Matrix{{"embedding", -1, c.Vocab, c.TokenWidth()}}
	queries, keys := c.Heads*c.HeadDim, c.KVHeads*c.HeadDim
	for b := range c.BlockCount() {
		add := func(part string, out, in int) {
			all = append(all, Matrix{fmt.Sprintf("blocks.%d.%s", b, part), b, out, in})
		}
		add("attention.q", queries, c.Width)
		add("attention.k", keys, c.Width)
		add("attention.v", keys, c.Width)
		add("attention.out", c.Width, queries)
		if c.Gated() {
			add("ffn.gate", c.Hidden, c.Width)
		}
		add("ffn.up", c.Hidden, c.Width)
		add("ffn.down", c.Width, c.Hidden)
	}
	if !c.TiedHead {
		all = append(all, Matrix{"head", -1, c.Vocab, c.TokenWidth()})
	}
	return all
}
