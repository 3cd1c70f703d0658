package kernels

import (
	"fmt"
	"testing"
)

// Texts read from a tree get the bits that they get alone.
func TestAttentionTreesAreThoseOfTheirTexts(t *testing.T) {
	trees := []Tree{{Shared: 5}, {Shared: 37, Branches: []int{3, 30, 0, 41}}, {Branches: []int{33, 1}}, {Shared: 64, Branches: []int{20}}, {}}
	rows := 0
	for _, tree := range trees {
		rows += tree.Rows()
	}
	onEach(t, func(t *testing.T) {
		for _, s := range attentionShapes {
			h := s.h
			c := newAttentionCase(h, 1, rows, 5)
			for _, workers := range []int{1, 3} {
				withWorkers(workers, func() { AttentionTrees(c.out, c.q, c.k, c.v, h, trees) })
				at := 0
				for i, tree := range trees {
					c.sameAsAlone(t, fmt.Sprintf("%+v, shared part of tree %d", h, i), at, 0, at, tree.Shared)
					branch := at + tree.Shared
					for _, n := range tree.Branches {
						c.sameAsAlone(t, fmt.Sprintf("%+v, branch of %d rows of tree %d", h, n, i), at, tree.Shared, branch, n)
						branch += n
					}
					at = branch
				}
			}
		}
	})
}

// sameAsAlone compares rows [branch, branch+n) with the end of a text of shared
// rows from row at on and these.
func (c *attentionCase) sameAsAlone(t *testing.T, what string, at, shared, branch, n int) {
	t.Helper()
	queries, keys := c.h.Query*c.h.Dim, c.h.KV*c.h.Dim
	join := func(x []float32, width int) []float32 {
		return append(append([]float32(nil), x[at*width:(at+shared)*width]...), x[branch*width:(branch+n)*width]...)
	}
	want := make([]float32, (shared+n)*queries)
	Attention(want, nil, join(c.q, queries), join(c.k, keys), join(c.v, keys), c.h, shared+n, 0)
	sameBits(t, what, c.out[branch*queries:(branch+n)*queries], want[shared*queries:])
}

// A sequence read piece by piece gets the bits of one pass.
func TestAttentionCachedIsThatOfOnePass(t *testing.T) {
	onEach(t, func(t *testing.T) {
		for _, s := range attentionShapes {
			h := s.h
			c := newAttentionCase(h, 1, s.t, 6)
			queries, keys := h.Query*h.Dim, h.KV*h.Dim
			want := make([]float32, len(c.out))
			Attention(want, nil, c.q, c.k, c.v, h, s.t, 0)
			for _, step := range []int{1, 2, 7, 31, 64} {
				for _, workers := range []int{1, 3} {
					cache := NewKeyValues(h, s.t)
					withWorkers(workers, func() {
						for past := 0; past < s.t; past += step {
							end := min(past+step, s.t)
							cache.Store(c.k[past*keys:end*keys], c.v[past*keys:end*keys], past)
							AttentionCached(c.out[past*queries:end*queries], c.q[past*queries:end*queries], cache, h, past)
						}
					})
					sameBits(t, fmt.Sprintf("%+v, %d rows at a time", h, step), c.out, want)
				}
			}
		}
	})
}

func TestAttentionCachedRefusesWhatDoesNotFit(t *testing.T) {
	h := Heads{Query: 2, KV: 1, Dim: 4, Scale: 1}
	cache := NewKeyValues(h, 32)
	for name, call := range map[string]func(){
		"stored behind the room": func() { cache.Store(make([]float32, 8), make([]float32, 8), 31) },
		"fewer values than keys": func() { cache.Store(make([]float32, 8), make([]float32, 4), 0) },
		"read behind the room":   func() { AttentionCached(make([]float32, 8), make([]float32, 8), cache, h, 32) },
		"other heads":            func() { AttentionCached(make([]float32, 8), make([]float32, 8), cache, Heads{2, 2, 2, 1, 0, 0}, 0) },
	} {
		t.Run(name, func(t *testing.T) {
			defer func() {
				if recover() == nil {
					t.Error("no panic")
				}
			}()
			call()
		})
	}
}

// Nothing is left for the garbage collector after the first call.
func TestCachedAttentionAllocatesNothing(t *testing.T) {
	h := Heads{Query: 4, KV: 2, Dim: 16, Scale: 0.25}
	c := newAttentionCase(h, 1, 64, 7)
	cache := NewKeyValues(h, 64)
	cache.Store(c.k, c.v, 0)
	trees := []Tree{{Shared: 40, Branches: []int{10, 14}}}
	withWorkers(1, func() {
		if n := testing.AllocsPerRun(20, func() {
			AttentionCached(c.out[:64], c.q[:64], cache, h, 63)
			AttentionTrees(c.out, c.q, c.k, c.v, h, trees)
		}); n != 0 {
			t.Errorf("%v allocations", n)
		}
	})
}
