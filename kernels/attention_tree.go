package kernels

// A Tree is texts that begin alike: Shared rows that all have in common, and
// behind them the rows of each branch, which read the shared ones and their own.
// A text that stands alone is a tree without branches.
type Tree struct {
	Shared   int
	Branches []int // rows of each
}

// Rows is how many rows t has.
func (t Tree) Rows() int {
	rows := t.Shared
	for _, n := range t.Branches {
		rows += n
	}
	return rows
}

// AttentionTrees is Attention for trees, whose rows stand one tree below the
// other: q and out are [t, Query*Dim], k and v [t, KV*Dim], and t is the sum of
// all Rows. Each row reads what it would read if its text stood alone, and
// gets the same bits.
func AttentionTrees(out, q, k, v []float32, h Heads, trees []Tree) {
	rows := 0
	for _, t := range trees {
		rows += t.Rows()
	}
	h.must("AttentionTrees", rows, rows, len(q), rows*h.Query*h.Dim, len(out), rows*h.Query*h.Dim,
		len(k), rows*h.KV*h.Dim, len(v), rows*h.KV*h.Dim)
	if rows == 0 {
		return
	}
	a := treeAttentions.get()
	a.set(h, rows, 0)
	a.out, a.q, a.k, a.v, a.trees = out, q, k, v, trees
	a.starts = a.starts[:0]
	start := 0
	for _, t := range trees {
		a.starts = append(a.starts, start)
		start += t.Rows()
	}
	parallel(len(trees)*h.KV, a.run)
	a.attention, a.trees = attention{}, nil
	treeAttentions.put(a)
}

// A treeAttention is one call, cut into tasks of a tree and a key-value head.
type treeAttention struct {
	attention
	trees  []Tree
	starts []int          // first row of each tree
	run    func(task int) // a.task, bound once
}

var treeAttentions = freeList[treeAttention]{fresh: func() *treeAttention {
	a := &treeAttention{}
	a.run = a.task
	return a
}}

func (a *treeAttention) task(task int) {
	t, at, g := a.trees[task/a.KV], a.starts[task/a.KV], task%a.KV
	longest := 0
	for _, n := range t.Branches {
		longest = max(longest, n)
	}
	most := max(t.Shared, longest)
	shared, own := a.segmentLen(t.Shared), a.segmentLen(longest)
	buf := scratches.get()
	free := area{buf.floats(shared + own + a.readerLen(most, t.Shared+longest))}
	memory := free.take(shared)
	ownMemory := free.take(own)
	r := a.newReader(free.free, most, t.Shared+longest)
	if t.Shared > 0 {
		r.own = a.fill(memory, a.keyRows(a.k, at, g), a.keyRows(a.v, at, g), t.Shared)
		r.read(g, at, 0, t.Shared)
		r.past = r.own
		at += t.Shared
	}
	for _, n := range t.Branches {
		if n > 0 {
			r.own = a.fill(ownMemory, a.keyRows(a.k, at, g), a.keyRows(a.v, at, g), n)
			r.read(g, at, 0, n)
			at += n
		}
	}
	scratches.put(buf)
}

// keyRows is x [rows, Dim] of key-value head g from a row on.
func (at *attention) keyRows(x []float32, row, g int) matrix {
	return matrix{x[row*at.kvWidth+g*at.Dim:], at.kvWidth, 1}
}
