package kernels

import (
	"fmt"
	"sync"
)

// Heads is the shape of attention: Query heads of Dim channels, which share KV
// key-value heads evenly: query head i reads key-value head i/(Query/KV).
// Scores are multiplied by Scale, 1/sqrt(Dim) in most models.
type Heads struct {
	Query, KV, Dim int
	Scale          float32
}

// queryBlock is how many query rows one task looks at. Scores exist for one
// block at a time, and keys that no row of the block may see are skipped.
const queryBlock = 64

// Attention lets each query row look at the keys up to its own place:
//
//	out[i] = Σ_j softmax_j(q[i]·k[j]·Scale) v[j],  j = 0..past+i
//
// q and out are [tq, Query·Dim], k and v [past+tq, KV·Dim], lse [tq, Query] or
// nil. lse receives the logarithm of the sum of exponentials, in nats, that
// AttentionBack needs. Every score is one chain of FMAs over channels, every
// output one over keys from the first, so a row has the same bits however the
// sequence is cut into past and present. Attention panics if lengths do not fit.
func Attention(out, lse, q, k, v []float32, h Heads, tq, past int) {
	h.check("Attention")
	mustFit(len(q) == tq*h.queryWidth() && len(out) == len(q), "Attention")
	mustFit(len(k) == (past+tq)*h.keyWidth() && len(v) == len(k), "Attention")
	mustFit(lse == nil || len(lse) == tq*h.Query, "Attention")
	blocks := (tq + queryBlock - 1) / queryBlock
	parallel(blocks*h.Query, func(task int) {
		a := attention{h, out, lse, q, k, v}
		a.forward(task%h.Query, task/h.Query*queryBlock, min(tq, (task/h.Query+1)*queryBlock), past)
	})
}

// AttentionBatch runs Attention over batch sequences of t rows each, stacked,
// with no past.
func AttentionBatch(out, lse, q, k, v []float32, h Heads, batch, t int) {
	h.checkBatch("AttentionBatch", batch*t, q, out, k, v)
	mustFit(len(lse) == batch*t*h.Query, "AttentionBatch")
	blocks := (t + queryBlock - 1) / queryBlock
	parallel(batch*blocks*h.Query, func(task int) {
		head, rest := task%h.Query, task/h.Query
		a := attention{h, out, lse, q, k, v}.sequence(rest/blocks, t)
		a.forward(head, rest%blocks*queryBlock, min(t, (rest%blocks+1)*queryBlock), 0)
	})
}

// AttentionBackBatch turns dout, the gradient with respect to what
// AttentionBatch gave, into those with respect to q, k and v, which it
// overwrites. Probabilities are computed again from lse.
func AttentionBackBatch(dq, dk, dv, dout, q, k, v, out, lse []float32, h Heads, batch, t int) {
	h.checkBatch("AttentionBackBatch", batch*t, q, out, k, v)
	h.checkBatch("AttentionBackBatch", batch*t, dq, dout, dk, dv)
	mustFit(len(lse) == batch*t*h.Query, "AttentionBackBatch")
	parallel(batch*h.KV, func(task int) {
		b, kv := task/h.KV, task%h.KV
		g := attentionBack{
			attention: attention{h, out, lse, q, k, v}.sequence(b, t),
			d:         attention{h, dout, nil, dq, dk, dv}.sequence(b, t),
		}
		g.backward(kv, t)
	})
}

// AttentionBack is AttentionBackBatch for one sequence.
func AttentionBack(dq, dk, dv, dout, q, k, v, out, lse []float32, h Heads, t int) {
	AttentionBackBatch(dq, dk, dv, dout, q, k, v, out, lse, h, 1, t)
}

func (h Heads) queryWidth() int { return h.Query * h.Dim }
func (h Heads) keyWidth() int   { return h.KV * h.Dim }

func (h Heads) check(kernel string) {
	if h.Query < 1 || h.KV < 1 || h.Dim < 1 || h.Query%h.KV != 0 {
		panic(fmt.Sprintf("kernels.%s: %d query heads of %d channels cannot share %d key-value heads", kernel, h.Query, h.Dim, h.KV))
	}
}

func (h Heads) checkBatch(kernel string, rows int, q, out, k, v []float32) {
	h.check(kernel)
	mustFit(len(q) == rows*h.queryWidth() && len(out) == len(q), kernel)
	mustFit(len(k) == rows*h.keyWidth() && len(v) == len(k), kernel)
}

// attention is the arrays of one or several sequences.
type attention struct {
	Heads
	out, lse, q, k, v []float32
}

// sequence returns the part of a that belongs to the b-th sequence of t rows.
func (a attention) sequence(b, t int) attention {
	queries, keys := t*a.queryWidth(), t*a.keyWidth()
	a.q, a.out = a.q[b*queries:(b+1)*queries], a.out[b*queries:(b+1)*queries]
	a.k, a.v = a.k[b*keys:(b+1)*keys], a.v[b*keys:(b+1)*keys]
	if a.lse != nil {
		a.lse = a.lse[b*t*a.Query : (b+1)*t*a.Query]
	}
	return a
}

// forward computes rows from..to-1 of one query head.
func (a attention) forward(head, from, to, past int) {
	rows, keys := to-from, past+to
	s := attentionScratch.Get().(*attentionBlock)
	defer attentionScratch.Put(s)
	scores := grow(&s.scores, rows*keys)
	kv := head / (a.Query / a.KV)
	q, k, v := a.q[from*a.queryWidth()+head*a.Dim:], a.k[kv*a.Dim:], a.v[kv*a.Dim:]
	multiplyHere(matrix{scores, keys, 1}, matrix{q, a.queryWidth(), 1}, matrix{k, 1, a.keyWidth()}, rows, a.Dim, keys, false)
	inverse := grow(&s.sums, rows)
	for r := range rows {
		seen := past + from + r + 1
		row := scores[r*keys : (r+1)*keys]
		inverse[r] = 1 / a.softmax(row, seen, (from+r)*a.Query+head)
	}
	out := a.out[from*a.queryWidth()+head*a.Dim:]
	multiplyHere(matrix{out, a.queryWidth(), 1}, matrix{scores, keys, 1}, matrix{v, a.keyWidth(), 1}, rows, keys, a.Dim, false)
	for r := range rows {
		scaleRow(out[r*a.queryWidth():r*a.queryWidth()+a.Dim], inverse[r])
	}
}

// softmax turns the first seen scores of row into exponentials, the rest into
// zeros, and returns their sum. at is the row's place in lse.
func (a attention) softmax(row []float32, seen, at int) float32 {
	scaleRow(row[:seen], a.Scale)
	largest := rowMax(row[:seen])
	sum := expRow(row[:seen], row[:seen], largest)
	clear(row[seen:])
	if a.lse != nil {
		a.lse[at] = largest + float32(Log64(float64(sum)))
	}
	return sum
}

// attentionBack is a sequence and the gradients of its arrays.
type attentionBack struct {
	attention
	d attention
}

// backward goes through the query heads that share one key-value head, block
// by block of queries; it owns the gradients of that head's keys and values.
func (g attentionBack) backward(kv, t int) {
	s := attentionScratch.Get().(*attentionBlock)
	defer attentionScratch.Put(s)
	for row := range t {
		at := row*g.keyWidth() + kv*g.Dim
		clear(g.d.k[at : at+g.Dim])
		clear(g.d.v[at : at+g.Dim])
	}
	group := g.Query / g.KV
	for head := kv * group; head < (kv+1)*group; head++ {
		for from := 0; from < t; from += queryBlock {
			g.block(s, head, kv, from, min(t, from+queryBlock))
		}
	}
}

// block adds what rows from..to-1 of one query head contribute.
func (g attentionBack) block(s *attentionBlock, head, kv, from, to int) {
	rows, keys := to-from, to
	wide, narrow := g.queryWidth(), g.keyWidth()
	at := from*wide + head*g.Dim
	q, dout, out, dq := g.q[at:], g.d.out[at:], g.out[at:], g.d.q[at:]
	k, v, dk, dv := g.k[kv*g.Dim:], g.v[kv*g.Dim:], g.d.k[kv*g.Dim:], g.d.v[kv*g.Dim:]

	p := grow(&s.scores, rows*keys)
	multiplyHere(matrix{p, keys, 1}, matrix{q, wide, 1}, matrix{k, 1, narrow}, rows, g.Dim, keys, false)
	for r := range rows {
		row := p[r*keys : (r+1)*keys]
		scaleRow(row[:from+r+1], g.Scale)
		expRow(row[:from+r+1], row[:from+r+1], g.lse[(from+r)*g.Query+head])
		clear(row[from+r+1:])
	}
	multiplyHere(matrix{dv, narrow, 1}, matrix{p, 1, keys}, matrix{dout, wide, 1}, keys, rows, g.Dim, true)

	ds := grow(&s.gradients, rows*keys)
	multiplyHere(matrix{ds, keys, 1}, matrix{dout, wide, 1}, matrix{v, 1, narrow}, rows, g.Dim, keys, false)
	for r := range rows {
		mean := dot(dout[r*wide:r*wide+g.Dim], out[r*wide:r*wide+g.Dim])
		softmaxGradient(ds[r*keys:r*keys+from+r+1], p[r*keys:r*keys+from+r+1], mean, g.Scale)
		clear(ds[r*keys+from+r+1 : (r+1)*keys])
	}
	multiplyHere(matrix{dq, wide, 1}, matrix{ds, keys, 1}, matrix{k, narrow, 1}, rows, keys, g.Dim, false)
	multiplyHere(matrix{dk, narrow, 1}, matrix{ds, 1, keys}, matrix{q, wide, 1}, keys, rows, g.Dim, true)
}

// multiplyHere computes c (+)= a · b, as multiply does, on the calling goroutine.
func multiplyHere(c, a, b matrix, rows, steps, cols int, add bool) {
	s := shapes[current()]
	buf := scratches.Get().(*scratch)
	for at := 0; at < steps; at += stepBlock {
		n := min(stepBlock, steps-at)
		panels := buf.floats(s.packedLen(n, cols))
		s.pack(panels, b.from(at, 0), n, cols)
		s.multiplyPacked(c, a.from(0, at), panels, n, rows, n, cols, add || at > 0)
	}
	scratches.Put(buf)
}

// attentionBlock is the memory of one task.
type attentionBlock struct{ scores, gradients, sums []float32 }

var attentionScratch = sync.Pool{New: func() any { return &attentionBlock{} }}

// grow returns *buffer with n elements, in new memory where it holds fewer.
func grow(buffer *[]float32, n int) []float32 {
	if cap(*buffer) < n {
		*buffer = make([]float32, n)
	}
	return (*buffer)[:n]
}

// softmaxGradient turns ds, the gradient with respect to probabilities p, into
// that with respect to the scores before scaling:
//
//	ds[j] = p[j]·(ds[j]-mean)·scale
func softmaxGradient(ds, p []float32, mean, scale float32) { softmaxGradients.get()(ds, p, mean, scale) }

var softmaxGradients = implement(softmaxGradientGeneric)

func softmaxGradientGeneric(ds, p []float32, mean, scale float32) {
	for j, pj := range p {
		ds[j] = float32(float32(pj*(ds[j]-mean)) * scale)
	}
}
