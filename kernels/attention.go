package kernels

import (
	"fmt"
	"sync"
)

// Heads is the shape of an attention layer. Query head i reads key-value head
// i/(Query/KV), so KV must divide Query. Dim is the width of a head. Scores
// are multiplied by Scale, usually 1/sqrt(Dim).
type Heads struct {
	Query, KV, Dim int
	Scale          float32
}

// Attention lets each of tq query rows read the keys up to its own position,
// head by head:
//
//	out[i] = sum over j <= past+i of softmax(Scale * q[i]·k[j]) * v[j]
//
// q and out are [tq, Query*Dim]; k and v are [past+tq, KV*Dim], of which the
// first past rows were computed before. lse [tq, Query] receives the
// logarithm of each softmax's sum in nats, which AttentionBack needs; it may
// be nil. A sequence computed in one pass or in several, each reading the keys
// of those before, gives the same bits: keys are summed in order of position,
// and the softmax's sum runs in 16 lanes by position.
func Attention(out, lse, q, k, v []float32, h Heads, tq, past int) {
	h.attend("Attention", out, lse, q, k, v, 1, tq, past)
}

// AttentionBatch is Attention for batch sequences of t rows each, one below
// the other, without a past: q, out [batch*t, Query*Dim]; k, v [batch*t, KV*Dim].
func AttentionBatch(out, lse, q, k, v []float32, h Heads, batch, t int) {
	h.attend("AttentionBatch", out, lse, q, k, v, batch, t, 0)
}

// AttentionBack is the gradient of Attention over a whole sequence of t rows
// (past 0). It overwrites dq [t, Query*Dim] and dk, dv [t, KV*Dim]; out and
// lse are what Attention returned for q, k, v.
func AttentionBack(dq, dk, dv, dout, q, k, v, out, lse []float32, h Heads, t int) {
	h.attendBack("AttentionBack", dq, dk, dv, dout, q, k, v, out, lse, 1, t)
}

// AttentionBackBatch is AttentionBack for batch sequences of t rows each.
func AttentionBackBatch(dq, dk, dv, dout, q, k, v, out, lse []float32, h Heads, batch, t int) {
	h.attendBack("AttentionBackBatch", dq, dk, dv, dout, q, k, v, out, lse, batch, t)
}

// queryBlock is how many query rows share one block of scores, which is what
// a task keeps in cache: queryBlock rows of all keys before them.
const queryBlock = 32

// must panics unless h is sound and the lengths are as expected.
func (h Heads) must(kernel string, rows, keys int, lengths ...int) {
	if h.Query < 1 || h.KV < 1 || h.Dim < 1 || h.Query%h.KV != 0 || rows < 0 || keys < rows {
		panic(fmt.Sprintf("kernels.%s: heads %+v, %d rows, %d keys", kernel, h, rows, keys))
	}
	for i := 0; i < len(lengths); i += 2 {
		if lengths[i] != lengths[i+1] {
			panic(fmt.Sprintf("kernels.%s: heads %+v, %d rows, %d keys need a length of %d, not %d",
				kernel, h, rows, keys, lengths[i+1], lengths[i]))
		}
	}
}

// An attention is one call, cut into tasks. A task belongs to one key-value
// head of one sequence and to a range of its query rows.
type attention struct {
	Heads
	shape               shape
	out, lse, q, k, v   []float32
	dq, dk, dv, dout    []float32 // of a backward pass
	rows, past          int       // of one sequence
	rowsEach, parts     int       // rows of a task, tasks of a key-value head
	queryWidth, kvWidth int
	forward, backward   func(task int) // methods, bound once
}

var attentions = sync.Pool{New: func() any {
	at := &attention{}
	at.forward, at.backward = at.forwardTask, at.backwardTask
	return at
}}

func (h Heads) attend(kernel string, out, lse, q, k, v []float32, batch, rows, past int) {
	width, keys := h.Query*h.Dim, (past+rows)*h.KV*h.Dim
	h.must(kernel, rows, past+rows, len(q), batch*rows*width, len(out), batch*rows*width,
		len(k), batch*keys, len(v), batch*keys)
	if lse != nil {
		h.must(kernel, rows, past+rows, len(lse), batch*rows*h.Query)
	}
	if rows*batch == 0 {
		return
	}
	at := attentions.Get().(*attention)
	at.set(h, rows, past)
	at.out, at.lse, at.q, at.k, at.v = out, lse, q, k, v
	at.cut(batch)
	parallel(batch*h.KV*at.parts, at.forward)
	at.release()
}

func (h Heads) attendBack(kernel string, dq, dk, dv, dout, q, k, v, out, lse []float32, batch, rows int) {
	width, keys := batch*rows*h.Query*h.Dim, batch*rows*h.KV*h.Dim
	h.must(kernel, rows, rows, len(q), width, len(out), width, len(dout), width, len(dq), width,
		len(k), keys, len(v), keys, len(dk), keys, len(dv), keys, len(lse), batch*rows*h.Query)
	if rows*batch == 0 {
		return
	}
	at := attentions.Get().(*attention)
	at.set(h, rows, 0)
	at.out, at.lse, at.q, at.k, at.v = out, lse, q, k, v
	at.dq, at.dk, at.dv, at.dout = dq, dk, dv, dout
	parallel(batch*h.KV, at.backward)
	at.release()
}

func (at *attention) set(h Heads, rows, past int) {
	at.Heads, at.rows, at.past = h, rows, past
	at.queryWidth, at.kvWidth = h.Query*h.Dim, h.KV*h.Dim
	at.shape = shapes[current()]
}

// release forgets the caller's memory and returns at for use by another call.
func (at *attention) release() {
	*at = attention{forward: at.forward, backward: at.backward}
	attentions.Put(at)
}

// cut divides the rows of a sequence where there are few heads for many
// workers. Every part packs the keys again that it reads, so parts are large.
func (at *attention) cut(batch int) {
	at.parts = 1
	if workers := Workers(); workers > 1 {
		at.parts = min((4*workers+batch*at.KV-1)/(batch*at.KV), (at.rows+127)/128)
	}
	at.rowsEach = (at.rows + at.parts - 1) / at.parts
	at.parts = (at.rows + at.rowsEach - 1) / at.rowsEach
}

// An area hands out parts of a scratch.
type area struct{ free []float32 }

func (a *area) take(n int) []float32 {
	part := a.free[:n:n]
	a.free = a.free[n:]
	return part
}

// keyMatrix is x [keys, Dim] of key-value head g of a sequence, x being k or
// v or a gradient of theirs; transposed it is [Dim, keys].
func (at *attention) keyMatrix(x []float32, sequence, g int) matrix {
	return matrix{x[sequence*(at.past+at.rows)*at.kvWidth+g*at.Dim:], at.kvWidth, 1}
}

// queryMatrix is x [rows, Dim] of query head i from a row on.
func (at *attention) queryMatrix(x []float32, sequence, i, row int) matrix {
	return matrix{x[(sequence*at.rows+row)*at.queryWidth+i*at.Dim:], at.queryWidth, 1}
}

func (x matrix) transposed() matrix { return matrix{x.data, x.col, x.row} }

func (at *attention) forwardTask(task int) {
	part, g, sequence := task%at.parts, task/at.parts%at.KV, task/at.parts/at.KV
	first, last := part*at.rowsEach, min((part+1)*at.rowsEach, at.rows)
	keys, s := at.past+last, at.shape
	scoreRow := (keys + 15) &^ 15
	buf := scratches.Get().(*scratch)
	kLen, vLen := s.packedLen(at.Dim, keys), s.packedLen(keys, at.Dim)
	free := area{buf.floats(kLen + vLen + queryBlock*(at.Dim+scoreRow))}
	f := attendBlock{attention: at, sequence: sequence, keys: keys,
		k: free.take(kLen), v: free.take(vLen), q: free.take(queryBlock * at.Dim),
		scores: matrix{free.take(queryBlock * scoreRow), scoreRow, 1}}
	s.pack(f.k, at.keyMatrix(at.k, sequence, g).transposed(), at.Dim, keys)
	s.pack(f.v, at.keyMatrix(at.v, sequence, g), keys, at.Dim)
	for row := first; row < last; row += queryBlock {
		for i := range at.Query / at.KV {
			f.run(g*(at.Query/at.KV)+i, row, min(queryBlock, last-row))
		}
	}
	scratches.Put(buf)
}

// An attendBlock computes blocks of query rows of one key-value head.
type attendBlock struct {
	*attention
	sequence, keys int
	k, v           []float32 // packed, k transposed
	q              []float32 // rows of q times Scale
	scores         matrix
}

// run computes rows query rows of head i.
func (f *attendBlock) run(i, row, rows int) {
	s, end := f.shape, f.past+row+rows
	q := scaledRows(f.q, f.queryMatrix(f.attention.q, f.sequence, i, row), rows, f.Dim, f.Scale)
	s.multiplyPacked(f.scores, q, f.k, f.Dim, rows, f.Dim, scoreColumns(end, f.keys), false)
	var inverse [queryBlock]float32
	for r := range rows {
		x := f.scores.data[r*f.scores.row:][:end]
		top, sum := softmaxTerms(x, f.past+row+r+1)
		inverse[r] = 1 / sum
		if f.lse != nil {
			f.lse[(f.sequence*f.rows+row+r)*f.Query+i] = float32(float64(top) + Log64(float64(sum)))
		}
	}
	out := f.queryMatrix(f.out, f.sequence, i, row)
	s.multiplyPacked(out, f.scores, f.v, f.keys, rows, end, f.Dim, false)
	for r := range rows {
		scaleOutput(out.data[r*out.row:][:f.Dim], inverse[r])
	}
}

// scoreColumns is how many scores of a row are computed where end are needed:
// whole panels, or all keys. What is beyond end is not read.
func scoreColumns(end, keys int) int { return min(keys, (end+31)&^31) }

// softmaxTerms replaces the first n scores by exp(score - top), top being
// their maximum, and the others by 0. It returns top and the sum.
func softmaxTerms(x []float32, n int) (top, sum float32) {
	top = rowMax(x[:n])
	sum = expRow(x[:n], x[:n], top)
	clear(x[n:])
	return top, sum
}

// scaleOutput multiplies x by s. A zero comes out positive, because its sign
// could depend on how many zero terms were added.
func scaleOutput(x []float32, s float32) {
	for i, v := range x {
		x[i] = float32(v*s) + 0
	}
}

// scaledRows copies rows of x, [rows, dim], to dst without gaps and
// multiplies them by scale.
func scaledRows(dst []float32, x matrix, rows, dim int, scale float32) matrix {
	for r := range rows {
		to := dst[r*dim : (r+1)*dim]
		for j, v := range x.data[r*x.row:][:dim] {
			to[j] = v * scale
		}
	}
	return matrix{dst, dim, 1}
}

func (at *attention) backwardTask(task int) {
	g, sequence := task%at.KV, task/at.KV
	keys, dim, s := at.rows, at.Dim, at.shape
	scoreRow := (keys + 15) &^ 15
	buf := scratches.Get().(*scratch)
	kLen, tLen, bLen := s.packedLen(keys, dim), s.packedLen(dim, keys), s.packedLen(queryBlock, dim)
	free := area{buf.floats(kLen + 2*tLen + bLen + queryBlock*(dim+2*scoreRow))}
	b := backBlock{attention: at, sequence: sequence,
		k: free.take(kLen), kT: free.take(tLen), vT: free.take(tLen),
		block: free.take(bLen), q: free.take(queryBlock * dim),
		p: matrix{free.take(queryBlock * scoreRow), scoreRow, 1}, ds: matrix{free.take(queryBlock * scoreRow), scoreRow, 1},
		dk: at.keyMatrix(at.dk, sequence, g), dv: at.keyMatrix(at.dv, sequence, g)}
	s.pack(b.k, at.keyMatrix(at.k, sequence, g), keys, dim)
	s.pack(b.kT, at.keyMatrix(at.k, sequence, g).transposed(), dim, keys)
	s.pack(b.vT, at.keyMatrix(at.v, sequence, g).transposed(), dim, keys)
	clearRows(b.dk, keys, dim)
	clearRows(b.dv, keys, dim)
	for row := 0; row < at.rows; row += queryBlock {
		for i := range at.Query / at.KV {
			b.run(g*(at.Query/at.KV)+i, row, min(queryBlock, at.rows-row))
		}
	}
	for j := range keys {
		scaleOutput(b.dk.data[j*b.dk.row:][:dim], 1)
		scaleOutput(b.dv.data[j*b.dv.row:][:dim], 1)
	}
	scratches.Put(buf)
}

func clearRows(x matrix, rows, cols int) {
	for r := range rows {
		clear(x.data[r*x.row:][:cols])
	}
}

// A backBlock computes the gradients of one key-value head, whose dk and dv
// it alone writes: by blocks of query rows in order, in each head by head.
type backBlock struct {
	*attention
	sequence int
	k        []float32 // packed for dq
	kT, vT   []float32 // packed transposed, for scores and their gradient
	block    []float32 // rows of dout or q, packed
	q        []float32 // rows of q times Scale
	p, ds    matrix    // probabilities, and gradients of scores
	dk, dv   matrix
}

// run adds what rows query rows of head i contribute.
func (b *backBlock) run(i, row, rows int) {
	s, dim, end := b.shape, b.Dim, row+rows
	q := scaledRows(b.q, b.queryMatrix(b.attention.q, b.sequence, i, row), rows, dim, b.Scale)
	dout := b.queryMatrix(b.dout, b.sequence, i, row)
	cols := scoreColumns(end, b.rows)
	s.multiplyPacked(b.p, q, b.kT, dim, rows, dim, cols, false)
	s.multiplyPacked(b.ds, dout, b.vT, dim, rows, dim, cols, false)
	out := b.queryMatrix(b.out, b.sequence, i, row)
	for r := range rows {
		p, ds := b.p.data[r*b.p.row:][:end], b.ds.data[r*b.ds.row:][:end]
		n := row + r + 1
		expRow(p[:n], p[:n], b.lse[(b.sequence*b.rows+row+r)*b.Query+i])
		clear(p[n:])
		scoreGradient(ds[:n], p[:n], dot16(dout.data[r*dout.row:][:dim], out.data[r*out.row:][:dim]))
		clear(ds[n:])
	}
	dq := b.queryMatrix(b.dq, b.sequence, i, row)
	s.multiplyPacked(dq, b.ds, b.k, b.rows, rows, end, dim, false)
	for r := range rows {
		scaleOutput(dq.data[r*dq.row:][:dim], b.Scale)
	}
	s.pack(b.block, dout, rows, dim)
	s.multiplyPacked(b.dv, b.p.transposed(), b.block, rows, end, rows, dim, true)
	s.pack(b.block, q, rows, dim)
	s.multiplyPacked(b.dk, b.ds.transposed(), b.block, rows, end, rows, dim, true)
}

// scoreGradient turns ds from the gradient of probabilities p into that of
// scores: ds = p * (ds - mean), mean being the sum of p times ds.
func scoreGradient(ds, p []float32, mean float32) {
	for j, g := range ds {
		ds[j] = p[j] * float32(g-mean)
	}
}

// dot16 is the product of two rows, summed in 16 lanes.
func dot16(x, y []float32) float32 {
	var sum [lanes]float32
	for i, v := range x {
		sum[i%lanes] += float32(v * y[i])
	}
	return foldSum(&sum)
}
