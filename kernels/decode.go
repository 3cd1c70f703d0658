package kernels

import "fmt"

// A KeyValues holds keys and values of one sequence in one layer, laid out for
// AttentionCached so that nothing is copied when they are read.
type KeyValues struct {
	kv, dim, room int
	keys          []float32 // [KV, room/32, Dim, 32]
	values        []float32 // [KV, room, Dim] and as much as a vector may read beyond
}

// NewKeyValues returns memory for the keys and values of up to tokens positions.
func NewKeyValues(h Heads, tokens int) *KeyValues {
	if h.KV < 1 || h.Dim < 1 || tokens < 0 {
		panic(fmt.Sprintf("kernels.NewKeyValues: heads %+v, %d tokens", h, tokens))
	}
	room := (tokens + panelRows - 1) / panelRows * panelRows
	return &KeyValues{
		kv: h.KV, dim: h.Dim, room: room,
		keys: make([]float32, h.KV*room*h.Dim), values: make([]float32, h.KV*room*h.Dim+panelRows),
	}
}

// Store sets the keys and values of positions past and following to the rows of
// k and v [rows, KV*Dim]. It panics if there is no room for them.
func (c *KeyValues) Store(k, v []float32, past int) {
	width := c.kv * c.dim
	rows := rowsOf(len(k), width, "KeyValues.Store")
	mustFit(len(v) == len(k) && past >= 0 && past+rows <= c.room, "KeyValues.Store")
	for g := range c.kv {
		panels, values := c.keys[g*c.room*c.dim:], c.values[(g*c.room+past)*c.dim:]
		for r := range rows {
			from := r*width + g*c.dim
			copy(values[r*c.dim:][:c.dim], v[from:])
			column := panels[(past+r)/panelRows*panelRows*c.dim+(past+r)%panelRows:]
			for i, e := range k[from : from+c.dim] {
				column[i*panelRows] = e
			}
		}
	}
}

// segment is the first n positions of head g.
func (c *KeyValues) segment(g, n int) segment {
	return segment{n, c.keys[g*c.room*c.dim:], matrix{c.values[g*c.room*c.dim:], c.dim, 1}}
}

// AttentionCached is Attention for rows of which c holds the keys and values,
// and those of the past positions before them: q and out are [rows, Query*Dim].
// It gives the same bits.
func AttentionCached(out, q []float32, c *KeyValues, h Heads, past int) {
	rows := rowsOf(len(q), h.Query*h.Dim, "AttentionCached")
	h.must("AttentionCached", rows, past+rows, len(out), len(q), c.kv, h.KV, c.dim, h.Dim)
	mustFit(past >= 0 && past+rows <= c.room, "AttentionCached")
	if rows == 0 {
		return
	}
	a := cachedAttentions.get()
	a.set(h, rows, past)
	a.out, a.q, a.cache = out, q, c
	if rows*(past+rows)*h.Query*h.Dim < leastTask/2 {
		for g := range h.KV {
			a.task(g)
		}
	} else {
		parallel(h.KV, a.run)
	}
	a.attention, a.cache = attention{}, nil
	cachedAttentions.put(a)
}

// A cachedAttention is one call, cut into tasks of a key-value head.
type cachedAttention struct {
	attention
	cache *KeyValues
	run   func(task int) // a.task, bound once
}

var cachedAttentions = freeList[cachedAttention]{fresh: func() *cachedAttention {
	a := &cachedAttention{}
	a.run = a.task
	return a
}}

func (a *cachedAttention) task(g int) {
	keys := a.past + a.rows
	buf := scratches.get()
	r := a.newReader(buf.floats(a.readerLen(a.rows, keys)), a.rows, keys)
	r.own = a.cache.segment(g, keys)
	r.read(g, 0, a.past, a.rows)
	scratches.put(buf)
}
