package kernels

import (
	"fmt"
	"sync"
	"unsafe"
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

// constant is one element of memory that a kernel may be given the address
// of; one on the stack would be moved to the heap for that.
func (a *area) constant(v float32) []float32 {
	c := a.take(1)
	c[0] = v
	return c
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
	free := area{buf.floats(kLen + vLen + queryBlock*(at.Dim+scoreRow+3))}
	f := attendBlock{attention: at, sequence: sequence, keys: keys,
		k: free.take(kLen), v: free.take(vLen), q: free.take(queryBlock * at.Dim),
		scores: matrix{free.take(queryBlock * scoreRow), scoreRow, 1},
		tops:   free.take(queryBlock), sums: free.take(queryBlock), scale: free.constant(at.Scale)}
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
	tops, sums     []float32 // of each row
	scale          []float32 // Scale alone
}

// run computes rows query rows of head i.
func (f *attendBlock) run(i, row, rows int) {
	s, end := f.shape, f.past+row+rows
	q := f.scaledQuery(f.q, f.queryMatrix(f.attention.q, f.sequence, i, row), rows, f.scale)
	s.multiplyPacked(f.scores, q, f.k, f.Dim, rows, f.Dim, scoreColumns(end, f.keys), false)
	tops, sums := f.tops, f.sums
	f.softmaxRows(f.scores, rows, f.past+row+1, end, tops, sums)
	for r := range rows {
		if f.lse != nil {
			f.lse[(f.sequence*f.rows+row+r)*f.Query+i] = float32(float64(tops[r]) + Log64(float64(sums[r])))
		}
		sums[r] = 1 / sums[r]
	}
	out := f.queryMatrix(f.out, f.sequence, i, row)
	s.multiplyPacked(out, f.scores, f.v, f.keys, rows, end, f.Dim, false)
	f.scaleRows(out, out, rows, f.Dim, sums, 1)
}

// scoreColumns is how many scores of a row are computed where end are needed:
// whole panels, or all keys. What is beyond end is not read.
func scoreColumns(end, keys int) int { return min(keys, (end+31)&^31) }

// scaledQuery copies rows of x [rows, Dim] to dst without gaps and multiplies
// them by scale, which is Scale.
func (at *attention) scaledQuery(dst []float32, x matrix, rows int, scale []float32) matrix {
	q := matrix{dst, at.Dim, 1}
	at.scaleRows(q, x, rows, at.Dim, scale, 0)
	return q
}

// softmaxRows turns rows of x into exponentials, row r of its first n+r
// elements and zeros from there to end, and gives each row's maximum and sum.
// x has room for whole vectors of 16.
func (at *attention) softmaxRows(x matrix, rows, n, end int, tops, sums []float32) {
	_, _, _ = x.at(rows-1, (end-1)|15), tops[rows-1], sums[rows-1]
	softmaxRows.on(at.shape.isa)(&x.data[0], 4*x.row, rows, n, end, &tops[0], &sums[0])
}

var softmaxRows = implement(func(x *float32, row, rows, n, end int, tops, sums *float32) {
	for r := range rows {
		scores := unsafe.Slice(plus(x, r*row), end)
		top := rowMaxGeneric(scores[:n+r])
		*plus(tops, 4*r) = top
		*plus(sums, 4*r) = expRowGeneric(scores[:n+r], scores[:n+r], top)
		clear(scores[n+r:])
	}
})

// plus is p moved by a number of bytes.
func plus(p *float32, bytes int) *float32 {
	return (*float32)(unsafe.Add(unsafe.Pointer(p), bytes))
}

// scaleRows sets dst = x * scales[r*step] in each of rows rows. A zero comes
// out positive, because its sign could depend on how many zero terms were
// added. dst may be x.
func (at *attention) scaleRows(dst, x matrix, rows, cols int, scales []float32, step int) {
	_, _, _ = dst.at(rows-1, cols-1), x.at(rows-1, cols-1), scales[(rows-1)*step]
	scaleRows.on(at.shape.isa)(&dst.data[0], &x.data[0], 4*dst.row, 4*x.row, rows, cols, &scales[0], 4*step)
}

var scaleRows = implement(func(dst, src *float32, dstRow, srcRow, rows, cols int, scales *float32, step int) {
	for r := range rows {
		to, scale := unsafe.Slice(plus(dst, r*dstRow), cols), *plus(scales, r*step)
		for j, v := range unsafe.Slice(plus(src, r*srcRow), cols) {
			to[j] = float32(v*scale) + 0
		}
	}
})

func (at *attention) backwardTask(task int) {
	g, sequence := task%at.KV, task/at.KV
	keys, dim, s := at.rows, at.Dim, at.shape
	scoreRow := (keys + 15) &^ 15
	buf := scratches.Get().(*scratch)
	kLen, tLen, bLen := s.packedLen(keys, dim), s.packedLen(dim, keys), s.packedLen(queryBlock, dim)
	free := area{buf.floats(kLen + 2*tLen + bLen + queryBlock*(dim+2*scoreRow+2) + 2)}
	b := backBlock{attention: at, sequence: sequence,
		k: free.take(kLen), kT: free.take(tLen), vT: free.take(tLen),
		block: free.take(bLen), q: free.take(queryBlock * dim),
		p: matrix{free.take(queryBlock * scoreRow), scoreRow, 1}, ds: matrix{free.take(queryBlock * scoreRow), scoreRow, 1},
		lse: free.take(queryBlock), means: free.take(queryBlock), scale: free.constant(at.Scale),
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
	one := free.constant(1)
	at.scaleRows(b.dk, b.dk, keys, dim, one, 0)
	at.scaleRows(b.dv, b.dv, keys, dim, one, 0)
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
	lse      []float32 // of the rows of a block
	means    []float32 // of the gradients of their probabilities
	scale    []float32 // Scale alone
	dk, dv   matrix
}

// run adds what rows query rows of head i contribute.
func (b *backBlock) run(i, row, rows int) {
	s, dim, end := b.shape, b.Dim, row+rows
	q := b.scaledQuery(b.q, b.queryMatrix(b.attention.q, b.sequence, i, row), rows, b.scale)
	dout := b.queryMatrix(b.dout, b.sequence, i, row)
	cols := scoreColumns(end, b.rows)
	s.multiplyPacked(b.p, q, b.kT, dim, rows, dim, cols, false)
	s.multiplyPacked(b.ds, dout, b.vT, dim, rows, dim, cols, false)
	b.scoreGradients(i, row, rows)
	dq := b.queryMatrix(b.dq, b.sequence, i, row)
	s.multiplyPacked(dq, b.ds, b.k, b.rows, rows, end, dim, false)
	b.scaleRows(dq, dq, rows, dim, b.scale, 0)
	s.pack(b.block, dout, rows, dim)
	s.multiplyPacked(b.dv, b.p.transposed(), b.block, rows, end, rows, dim, true)
	s.pack(b.block, q, rows, dim)
	s.multiplyPacked(b.dk, b.ds.transposed(), b.block, rows, end, rows, dim, true)
}

// scoreGradients turns scores p into probabilities, and their gradients ds
// into those of the scores: ds = p * (ds - mean), mean being the sum of p
// times ds, which is also that of dout times out.
func (b *backBlock) scoreGradients(i, row, rows int) {
	dout, out := b.queryMatrix(b.dout, b.sequence, i, row), b.queryMatrix(b.out, b.sequence, i, row)
	for r := range rows {
		b.lse[r] = b.attention.lse[(b.sequence*b.rows+row+r)*b.Query+i]
		b.means[r] = dots.on(b.shape.isa)(dout.data[r*dout.row:][:b.Dim], out.data[r*out.row:][:b.Dim])
	}
	end := row + rows
	_, _ = b.p.at(rows-1, (end-1)|15), b.ds.at(rows-1, (end-1)|15)
	scoreGradientRows.on(b.shape.isa)(&b.p.data[0], &b.ds.data[0], 4*b.p.row, rows, row+1, end, &b.lse[0], &b.means[0])
}

// scoreGradientRows works on rows row bytes apart; row r has n+r elements,
// followed by zeros up to end.
var scoreGradientRows = implement(func(p, ds *float32, row, rows, n, end int, lse, means *float32) {
	for r := range rows {
		x, g := unsafe.Slice(plus(p, r*row), end), unsafe.Slice(plus(ds, r*row), end)
		expRowGeneric(x[:n+r], x[:n+r], *plus(lse, 4*r))
		for j, e := range x[:n+r] {
			g[j] = float32(g[j]-*plus(means, 4*r)) * e
		}
		clear(x[n+r:])
		clear(g[n+r:])
	}
})
