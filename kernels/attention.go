package kernels

import (
	"fmt"
	"math"
	"unsafe"
)

// Heads is the shape of an attention layer. Query head i reads key-value head
// i/(Query/KV), so KV must divide Query. Dim is the width of a head. Scores
// are multiplied by Scale, usually 1/sqrt(Dim).
type Heads struct {
	Query, KV, Dim int
	Scale          float32
	Window         int     // keys that a row reads, its own included; 0: all up to its own
	SoftCap        float32 // scores s become SoftCap·tanh(s/SoftCap); 0: they stay
}

// Attention lets each of tq query rows read the keys up to its own position,
// head by head:
//
//	out[i] = sum over j <= past+i of softmax(Scale * q[i]·k[j]) * v[j]
//
// with a Window only j > past+i-Window, and with a SoftCap scores are bent first.
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

// must panics unless h is sound and the lengths are as expected.
func (h Heads) must(kernel string, rows, keys int, lengths ...int) {
	if h.Query < 1 || h.KV < 1 || h.Dim < 1 || h.Query%h.KV != 0 || rows < 0 || keys < rows ||
		h.Window < 0 || !(h.SoftCap >= 0) {
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

var attentions = freeList[attention]{fresh: func() *attention {
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
	at := attentions.get()
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
	at := attentions.get()
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
	attentions.put(at)
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

// An area hands out parts of a scratch, each of whole cache lines.
type area struct{ free []float32 }

func (a *area) take(n int) []float32 {
	part := a.free[:n:n]
	a.free = a.free[lines(n):]
	return part
}

// lines is n, rounded up to whole cache lines.
func lines(n int) int { return (n + 15) &^ 15 }

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

// Rows of scores that are computed at a time. Where query heads share keys, a
// block of groupRows of each of them is stacked, stackRows in all. Where each has
// its own, a block is as long as it can be with stackRows and stackArea scores, of
// which two fit a second-level cache: gradients of keys and values are sums over
// its rows. Products over many keys leave out those that groupRows do not read.
const (
	groupRows = 28
	stackRows = 4 * groupRows
	stackArea = 64 << 10
)

// A stack computes blocks of query rows for the query heads of one key-value
// head. Row h*rows+r of its matrices is row r of the block in the h-th head.
type stack struct {
	*attention
	sequence, kv int
	free         area
	heads, block int // heads that are stacked; rows of each
	keys         int
	q, o         matrix    // [heads*block, Dim] rows of q times Scale; rows of out or dq
	p            matrix    // [heads*block, keys] scores, then probabilities
	tops, sums   []float32 // of rows
	scale        []float32 // Scale alone
}

// stacked is how many query heads are stacked.
func (at *attention) stacked() int { return min(at.Query/at.KV, stackRows/groupRows) }

// blockRows is how many rows of a head a block has at most, of a task of rows.
func (at *attention) blockRows(rows, keys int) int {
	if at.stacked() > 1 {
		return min(rows, groupRows)
	}
	return min(rows, max(1, min(stackRows, stackArea/keys)/groupRows)*groupRows)
}

// stackLen is how many elements newStack takes, with one matrix of scores.
func (at *attention) stackLen(rows, keys int) int {
	stackedRows := at.stacked() * at.blockRows(rows, keys)
	return 2*lines(stackedRows*at.Dim) + stackedRows*scoreRow(keys) + 2*lines(stackedRows) + lines(1)
}

// newStack returns a stack for a task of rows rows, which read keys keys.
func (at *attention) newStack(sequence, kv, rows, keys int, buf []float32) stack {
	f := stack{
		attention: at, sequence: sequence, kv: kv, keys: keys, free: area{buf},
		heads: at.stacked(), block: at.blockRows(rows, keys),
	}
	f.q, f.o = f.newRows(), f.newRows()
	f.p = f.newScores()
	f.tops, f.sums = f.free.take(f.heads*f.block), f.free.take(f.heads*f.block)
	f.scale = f.free.constant(at.Scale)
	return f
}

// newRows returns a matrix [heads*block, Dim].
func (f *stack) newRows() matrix {
	return matrix{f.free.take(f.heads * f.block * f.Dim), f.Dim, 1}
}

// newScores returns a matrix [heads*block, keys].
func (f *stack) newScores() matrix {
	return matrix{f.free.take(f.heads * f.block * scoreRow(f.keys)), scoreRow(f.keys), 1}
}

// scoreRow is how far apart rows of scores of keys keys are: an odd number of
// cache lines, so that those read down a column do not meet in few sets.
func scoreRow(keys int) int { return lines(keys) | 16 }

// blocks calls run for all blocks from row first to last in order, and for
// each of them for all heads, as many at a time as are stacked.
func (f *stack) blocks(first, last int, run func(head, heads, row, rows int)) {
	group := f.Query / f.KV
	for row := first; row < last; row += f.block {
		for i := 0; i < group; i += f.heads {
			run(f.kv*group+i, min(f.heads, group-i), row, min(f.block, last-row))
		}
	}
}

// causalScores sets c [heads*rows, keys] to the products of x [heads*rows, Dim] with
// transposed keys or values, of each tile those that a row of it reads.
func (f *stack) causalScores(c, x matrix, keys []float32, heads, row, rows int) {
	s, first := f.shape, f.past+row
	for j := 0; j < first+rows; j += 2 * s.lanes {
		width := s.panelWidth(j, f.keys)
		have, b := min(width, f.keys-j), packed(keys, f.Dim).panel(j, width)
		skip := max(0, j-first) / s.rows * s.rows
		if skip == 0 {
			s.panel(c.from(0, j), x, b, heads*rows, f.Dim, have, width, false)
			continue
		}
		for h := range heads {
			s.panel(c.from(h*rows+skip, j), x.from(h*rows+skip, 0), b, rows-skip, f.Dim, have, width, false)
		}
	}
}

// weigh sets rows of c to the sums of keys or values weighted by rows of p.
func (f *stack) weigh(c matrix, p matrix, values right, heads, row, rows int) {
	if heads > 1 {
		f.shape.multiplyPanels(c, p, values, heads*rows, f.past+row+rows, f.Dim, false)
		return
	}
	for r := 0; r < rows; r += groupRows {
		n := min(groupRows, rows-r)
		f.shape.multiplyPanels(c.from(r, 0), p.from(r, 0), values, n, f.past+row+r+n, f.Dim, false)
	}
}

// results is where rows of a product are computed that go to x, a whole matrix
// like q: right there, or in o for several heads at once.
func (f *stack) results(x []float32, head, heads, row int) matrix {
	if heads > 1 {
		return f.o
	}
	return f.queryMatrix(x, f.sequence, head, row)
}

// scatter copies rows of c, which results gave, to x, row i times scales[i*step].
func (f *stack) scatter(x []float32, c matrix, head, heads, row, rows int, scales []float32, step int) {
	for h := range heads {
		f.scaleRows(f.queryMatrix(x, f.sequence, head+h, row), c.from(h*rows, 0), rows, f.Dim, scales[h*rows*step:], step)
	}
}

// rowsOf is x [steps, Dim], packed into buf unless it can be read where it is.
func (at *attention) rowsOf(x matrix, steps int, buf []float32) right {
	if at.shape.readsInPlace(x, at.Dim) {
		return right{matrix: x}
	}
	at.shape.pack(buf, x, steps, at.Dim)
	return packed(buf, steps)
}

// gather copies rows of x, a whole matrix like q, times scale into dst.
func (f *stack) gather(dst matrix, x []float32, head, heads, row, rows int, scale []float32) {
	for h := range heads {
		f.scaleRows(dst.from(h*rows, 0), f.queryMatrix(x, f.sequence, head+h, row), rows, f.Dim, scale, 0)
	}
}

func (at *attention) forwardTask(task int) {
	part, g, sequence := task%at.parts, task/at.parts%at.KV, task/at.parts/at.KV
	first, last := part*at.rowsEach, min((part+1)*at.rowsEach, at.rows)
	keys, s := at.past+last, at.shape
	buf := scratches.get()
	kLen, vLen := lines(s.packedLen(at.Dim, keys)), lines(s.packedLen(keys, at.Dim))
	memory := buf.floats(kLen + vLen + at.stackLen(last-first, keys))
	f := attendBlock{stack: at.newStack(sequence, g, last-first, keys, memory)}
	f.k = f.free.take(kLen)
	s.pack(f.k, at.keyMatrix(at.k, sequence, g).transposed(), at.Dim, keys)
	f.v = at.rowsOf(at.keyMatrix(at.v, sequence, g), keys, f.free.take(vLen))
	f.blocks(first, last, f.run)
	scratches.put(buf)
}

// An attendBlock computes the forward pass with keys, packed transposed, and values.
type attendBlock struct {
	stack
	k []float32
	v right
}

// run computes out for one stack of blocks.
func (f *attendBlock) run(head, heads, row, rows int) {
	end := f.past + row + rows
	f.gather(f.q, f.attention.q, head, heads, row, rows, f.scale)
	f.causalScores(f.p, f.q, f.k, heads, row, rows)
	for h := range heads {
		f.capScores(f.p.from(h*rows, 0), rows, f.past+row+1)
		f.hideScores(f.p.from(h*rows, 0), rows, f.past+row+1)
		f.softmaxRows(f.p.from(h*rows, 0), rows, f.past+row+1, end, f.tops[h*rows:], f.sums[h*rows:])
	}
	logSums.on(f.shape.isa)(&f.tops[0], &f.sums[0], heads*rows)
	if f.lse != nil {
		f.eachRow(head, heads, row, rows, func(stacked, at int) { f.lse[at] = f.tops[stacked] })
	}
	out := f.results(f.out, head, heads, row)
	f.weigh(out, f.p, f.v, heads, row, rows)
	f.scatter(f.out, out, head, heads, row, rows, f.sums, 1)
}

// capScores bends row r of p, n+r scores, to the soft cap, if there is one.
func (at *attention) capScores(p matrix, rows, n int) {
	for r := 0; r < rows && at.SoftCap > 0; r++ {
		softCaps.on(at.shape.isa)(p.data[r*p.row:][:n+r], at.SoftCap, 1/at.SoftCap)
	}
}

// hideScores leaves of row r of p, n+r scores, only those of the window.
func (at *attention) hideScores(p matrix, rows, n int) {
	for r := 0; r < rows && at.Window > 0; r++ {
		hidden := p.data[r*p.row:][:max(0, n+r-at.Window)]
		for j := range hidden {
			hidden[j] = float32(math.Inf(-1))
		}
	}
}

// eachRow calls do with the index of every row in the stack and in lse.
func (f *stack) eachRow(head, heads, row, rows int, do func(stacked, at int)) {
	for h := range heads {
		for r := range rows {
			do(h*rows+r, (f.sequence*f.rows+row+r)*f.Query+head+h)
		}
	}
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
	stackedRows := at.stacked() * at.blockRows(keys, keys)
	kLen, tLen, bLen := lines(s.packedLen(keys, dim)), lines(s.packedLen(dim, keys)), lines(s.packedLen(stackedRows, dim))
	more := lines(stackedRows*dim) + stackedRows*scoreRow(keys) + lines(1)
	if at.SoftCap > 0 {
		more += stackedRows * scoreRow(keys)
	}
	buf := scratches.get()
	b := backBlock{stack: at.newStack(sequence, g, keys, keys, buf.floats(kLen+2*tLen+bLen+at.stackLen(keys, keys)+more))}
	b.kT, b.vT, b.block = b.free.take(tLen), b.free.take(tLen), b.free.take(bLen)
	b.ds, b.do, b.one = b.newScores(), b.newRows(), b.free.constant(1)
	if at.SoftCap > 0 {
		b.capped = b.newScores()
	}
	b.dk, b.dv = at.keyMatrix(at.dk, sequence, g), at.keyMatrix(at.dv, sequence, g)
	b.k = at.rowsOf(at.keyMatrix(at.k, sequence, g), keys, b.free.take(kLen))
	s.pack(b.kT, at.keyMatrix(at.k, sequence, g).transposed(), dim, keys)
	s.pack(b.vT, at.keyMatrix(at.v, sequence, g).transposed(), dim, keys)
	b.blocks(0, at.rows, b.run)
	at.scaleRows(b.dk, b.dk, keys, dim, b.one, 0)
	at.scaleRows(b.dv, b.dv, keys, dim, b.one, 0)
	scratches.put(buf)
}

// A backBlock computes the gradients of one key-value head, whose dk and dv
// it alone writes: by blocks of query rows in order, in each head by head.
type backBlock struct {
	stack
	k      right     // for dq
	kT, vT []float32 // packed transposed, for scores and their gradient
	block  []float32 // a stack of rows of dout or q, where they have to be packed
	do     matrix    // [heads*block, Dim] rows of dout
	ds     matrix    // [heads*block, keys] gradients of probabilities, then of scores
	capped matrix    // [heads*block, keys] scores after the soft cap, where there is one
	one    []float32 // 1 alone
	dk, dv matrix
}

// run adds what one stack of blocks contributes.
func (b *backBlock) run(head, heads, row, rows int) {
	b.gather(b.q, b.attention.q, head, heads, row, rows, b.scale)
	do := b.rowsOfDout(head, heads, row, rows)
	b.causalScores(b.p, b.q, b.kT, heads, row, rows)
	b.causalScores(b.ds, do, b.vT, heads, row, rows)
	b.scoreGradients(do, head, heads, row, rows)
	dq := b.results(b.dq, head, heads, row)
	b.weigh(dq, b.ds, b.k, heads, row, rows)
	b.scatter(b.dq, dq, head, heads, row, rows, b.scale, 0)
	fresh := head == b.kv*(b.Query/b.KV)
	b.addRows(b.dv, b.p, b.rowsOf(do, heads*rows, b.block), heads, row, rows, fresh)
	b.addRows(b.dk, b.ds, b.rowsOf(b.q, heads*rows, b.block), heads, row, rows, fresh)
}

// rowsOfDout is the block's [heads*rows, Dim] of dout: of one head where they are,
// of several in do.
func (b *backBlock) rowsOfDout(head, heads, row, rows int) matrix {
	if heads == 1 {
		return b.queryMatrix(b.dout, b.sequence, head, row)
	}
	b.gather(b.do, b.dout, head, heads, row, rows, b.one)
	return b.do
}

// addRows adds to c, dk or dv, the rows x of the stack weighted by columns of p.
// Where fresh is set, c of the keys of these rows themselves is set instead.
func (b *backBlock) addRows(c, p matrix, x right, heads, row, rows int, fresh bool) {
	s, all := b.shape, heads*rows
	if row > 0 {
		s.multiplyPanels(c, p.transposed(), x, row, all, b.Dim, true)
	}
	c, p = c.from(row, 0), p.from(0, row)
	if heads > 1 {
		s.multiplyPanels(c, p.transposed(), x, rows, all, b.Dim, !fresh)
		return
	}
	for r := 0; r < rows; r += groupRows {
		s.multiplyPanels(c.from(r, 0), p.from(r, r).transposed(), x.down(r), min(groupRows, rows-r), rows-r, b.Dim, !fresh)
	}
}

// scoreGradients turns scores p into probabilities, and their gradients ds
// into those of the scores: ds = p * (ds - mean), mean being the sum of p
// times ds, which is also that of dout times out. dout has the block's rows alone.
func (b *backBlock) scoreGradients(dout matrix, head, heads, row, rows int) {
	lse, means, end := b.tops, b.sums, row+rows
	b.eachRow(head, heads, row, rows, func(stacked, at int) { lse[stacked] = b.lse[at] })
	for h := range heads {
		p, ds, do := b.p.from(h*rows, 0), b.ds.from(h*rows, 0), dout.from(h*rows, 0)
		out := b.queryMatrix(b.out, b.sequence, head+h, row)
		b.capScores(p, rows, row+1)
		b.keepCapped(h, rows, row+1)
		b.hideScores(p, rows, row+1)
		_, _, _, _ = p.at(rows-1, (end-1)|15), ds.at(rows-1, (end-1)|15), do.at(rows-1, b.Dim-1), out.at(rows-1, b.Dim-1)
		dotRows.on(b.shape.isa)(&means[h*rows], &do.data[0], &out.data[0], 4*do.row, 4*out.row, rows, b.Dim)
		scoreGradientRows.on(b.shape.isa)(&p.data[0], &ds.data[0], 4*p.row, rows, row+1, end, &lse[h*rows], &means[h*rows])
		b.uncap(h, rows, row+1)
	}
}

// keepCapped notes the capped scores of the h-th head, row r of them n+r, before
// they become probabilities.
func (b *backBlock) keepCapped(h, rows, n int) {
	for r := 0; r < rows && b.SoftCap > 0; r++ {
		copy(b.capped.from(h*rows+r, 0).data[:n+r], b.p.from(h*rows+r, 0).data)
	}
}

// uncap turns gradients of capped scores into those of the scores themselves.
func (b *backBlock) uncap(h, rows, n int) {
	for r := 0; r < rows && b.SoftCap > 0; r++ {
		softCapBacks.on(b.shape.isa)(b.ds.from(h*rows+r, 0).data[:n+r], b.capped.from(h*rows+r, 0).data[:n+r], 1/b.SoftCap)
	}
}

// dotRows sets dst[r] = x[r]·y[r], by FMA over 16 lanes.
var dotRows = implement(func(dst, x, y *float32, xRow, yRow, rows, cols int) {
	for r := range rows {
		*plus(dst, 4*r) = dotGeneric(unsafe.Slice(plus(x, r*xRow), cols), unsafe.Slice(plus(y, r*yRow), cols))
	}
})

// logSums sets tops[i] = tops[i] + ln(sums[i]) and sums[i] = 1/sums[i].
var logSums = implement(func(tops, sums *float32, n int) {
	for i := range n {
		top, sum := plus(tops, 4*i), plus(sums, 4*i)
		*top += log32(*sum)
		*sum = 1 / *sum
	}
})

// Coefficients of log32: those of f⁰ to f⁸ in (ln(1+f) - f + f²/2) / f³ for
// sqrt(½) - 1 <= f <= sqrt(2) - 1, as in the Cephes library (S. Moshier), and
// ln 2 in two parts.
const (
	logC0, logC1, logC2 = 3.3333331174e-1, -2.4999993993e-1, 2.0000714765e-1
	logC3, logC4, logC5 = -1.6668057665e-1, 1.4249322787e-1, -1.2420140846e-1
	logC6, logC7, logC8 = 1.1676998740e-1, -1.1514610310e-1, 7.0376836292e-2
	logLn2Hi, logLn2Lo  = 0.693359375, -2.12194440e-4
	logHalfRoot         = 0x3F3504F3 // bits of sqrt(½)
)

// log32 is the natural logarithm of a positive normal number, by the same
// operations in the same order on every processor. It is NaN for NaN and Inf.
func log32(x float32) float32 {
	bits := math.Float32bits(x) - logHalfRoot
	e := float32(int32(bits) >> 23)
	f := math.Float32frombits(bits&(1<<23-1)+logHalfRoot) - 1
	p := float32(logC8)
	for _, c := range [...]float32{logC7, logC6, logC5, logC4, logC3, logC2, logC1, logC0} {
		p = fma32(p, f, c)
	}
	f2 := float32(f * f)
	y := float32(float32(f2*f) * p)
	y = fma32(e, logLn2Lo, y)
	y = fma32(f2, -0.5, y)
	y += f
	y = fma32(e, logLn2Hi, y)
	return y + float32(x-x)
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
