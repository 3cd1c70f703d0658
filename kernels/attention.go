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

// queryBlock is how many query rows share one block of scores: all keys up to
// the last of them.
const queryBlock = 28

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

// stackRows is about how many rows of scores are computed at a time: the
// query heads that share keys are stacked, each with its block of rows.
const stackRows = 4 * queryBlock

// A stack computes blocks of query rows for the query heads of one key-value
// head. Row h*rows+r of its matrices is row r of the block in the h-th head.
type stack struct {
	*attention
	sequence, kv int
	free         area
	cap          int // rows of the matrices
	keys         int
	q, o         matrix    // [cap, Dim] rows of q times Scale; rows of out or dq
	p            matrix    // [cap, keys] scores, then probabilities
	tops, sums   []float32 // of rows
	scale        []float32 // Scale alone
}

// stackLen is how many elements the stack takes for keys keys, with matrices
// of scores for the backward pass or without.
func (at *attention) stackCap() int {
	return queryBlock * min(at.Query/at.KV, stackRows/queryBlock)
}

func (at *attention) stackLen(keys int) int {
	return at.stackCap()*(2*at.Dim+(keys+15)&^15+2) + 1
}

func (at *attention) newStack(sequence, kv, keys int, buf []float32) stack {
	f := stack{attention: at, sequence: sequence, kv: kv, keys: keys, free: area{buf}, cap: at.stackCap()}
	f.q, f.o = matrix{f.free.take(f.cap * at.Dim), at.Dim, 1}, matrix{f.free.take(f.cap * at.Dim), at.Dim, 1}
	f.p = f.newScores()
	f.tops, f.sums = f.free.take(f.cap), f.free.take(f.cap)
	f.scale = f.free.constant(at.Scale)
	return f
}

// newScores returns a matrix with rows of whole vectors of 16.
func (f *stack) newScores() matrix {
	row := (f.keys + 15) &^ 15
	return matrix{f.free.take(f.cap * row), row, 1}
}

// blocks calls run for all blocks from row first to last in order, and for
// each of them for all heads, as many at a time as are stacked.
func (f *stack) blocks(first, last int, run func(head, heads, row, rows int)) {
	group := f.Query / f.KV
	for row := first; row < last; row += queryBlock {
		for i := 0; i < group; i += f.cap / queryBlock {
			run(f.kv*group+i, min(f.cap/queryBlock, group-i), row, min(queryBlock, last-row))
		}
	}
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
	kLen, vLen := s.packedLen(at.Dim, keys), s.packedLen(keys, at.Dim)
	f := attendBlock{stack: at.newStack(sequence, g, keys, buf.floats(kLen+vLen+at.stackLen(keys)))}
	f.k, f.v = f.free.take(kLen), f.free.take(vLen)
	s.pack(f.k, at.keyMatrix(at.k, sequence, g).transposed(), at.Dim, keys)
	s.pack(f.v, at.keyMatrix(at.v, sequence, g), keys, at.Dim)
	f.blocks(first, last, f.run)
	scratches.put(buf)
}

// An attendBlock computes the forward pass with packed keys, transposed, and values.
type attendBlock struct {
	stack
	k, v []float32
}

// run computes out for one stack of blocks.
func (f *attendBlock) run(head, heads, row, rows int) {
	s, all, end := f.shape, heads*rows, f.past+row+rows
	f.gather(f.q, f.attention.q, head, heads, row, rows, f.scale)
	s.multiplyPacked(f.p, f.q, f.k, f.Dim, all, f.Dim, scoreColumns(end, f.keys), false)
	for h := range heads {
		f.capScores(f.p.from(h*rows, 0), rows, f.past+row+1)
		f.hideScores(f.p.from(h*rows, 0), rows, f.past+row+1)
		f.softmaxRows(f.p.from(h*rows, 0), rows, f.past+row+1, end, f.tops[h*rows:], f.sums[h*rows:])
	}
	logSums.on(s.isa)(&f.tops[0], &f.sums[0], all)
	if f.lse != nil {
		f.eachRow(head, heads, row, rows, func(stacked, at int) { f.lse[at] = f.tops[stacked] })
	}
	s.multiplyPacked(f.o, f.p, f.v, f.keys, all, end, f.Dim, false)
	for h := range heads {
		f.scaleRows(f.queryMatrix(f.out, f.sequence, head+h, row), f.o.from(h*rows, 0), rows, f.Dim, f.sums[h*rows:], 1)
	}
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

// scoreColumns is how many scores of a row are computed where end are needed:
// whole panels, or all keys. What is beyond end is not read.
func scoreColumns(end, keys int) int { return min(keys, (end+31)&^31) }

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
	buf := scratches.get()
	kLen, tLen, bLen := s.packedLen(keys, dim), s.packedLen(dim, keys), s.packedLen(at.stackCap(), dim)
	more := at.stackCap()*(dim+(keys+15)&^15) + 1
	if at.SoftCap > 0 {
		more += at.stackCap() * ((keys + 15) &^ 15)
	}
	b := backBlock{stack: at.newStack(sequence, g, keys, buf.floats(kLen+2*tLen+bLen+at.stackLen(keys)+more))}
	b.k, b.kT, b.vT, b.block = b.free.take(kLen), b.free.take(tLen), b.free.take(tLen), b.free.take(bLen)
	b.ds, b.do, b.one = b.newScores(), matrix{b.free.take(b.cap * dim), dim, 1}, b.free.constant(1)
	if at.SoftCap > 0 {
		b.capped = b.newScores()
	}
	b.dk, b.dv = at.keyMatrix(at.dk, sequence, g), at.keyMatrix(at.dv, sequence, g)
	s.pack(b.k, at.keyMatrix(at.k, sequence, g), keys, dim)
	s.pack(b.kT, at.keyMatrix(at.k, sequence, g).transposed(), dim, keys)
	s.pack(b.vT, at.keyMatrix(at.v, sequence, g).transposed(), dim, keys)
	clearRows(b.dk, keys, dim)
	clearRows(b.dv, keys, dim)
	b.blocks(0, at.rows, b.run)
	at.scaleRows(b.dk, b.dk, keys, dim, b.one, 0)
	at.scaleRows(b.dv, b.dv, keys, dim, b.one, 0)
	scratches.put(buf)
}

func clearRows(x matrix, rows, cols int) {
	for r := range rows {
		clear(x.data[r*x.row:][:cols])
	}
}

// A backBlock computes the gradients of one key-value head, whose dk and dv
// it alone writes: by blocks of query rows in order, in each head by head.
type backBlock struct {
	stack
	k      []float32 // packed for dq
	kT, vT []float32 // packed transposed, for scores and their gradient
	block  []float32 // a stack of rows of dout or q, packed
	do     matrix    // [cap, Dim] rows of dout
	ds     matrix    // [cap, keys] gradients of probabilities, then of scores
	capped matrix    // [cap, keys] scores after the soft cap, where there is one
	one    []float32 // 1 alone
	dk, dv matrix
}

// run adds what one stack of blocks contributes.
func (b *backBlock) run(head, heads, row, rows int) {
	s, dim, all, end := b.shape, b.Dim, heads*rows, row+rows
	b.gather(b.q, b.attention.q, head, heads, row, rows, b.scale)
	b.gather(b.do, b.dout, head, heads, row, rows, b.one)
	cols := scoreColumns(end, b.rows)
	s.multiplyPacked(b.p, b.q, b.kT, dim, all, dim, cols, false)
	s.multiplyPacked(b.ds, b.do, b.vT, dim, all, dim, cols, false)
	b.scoreGradients(head, heads, row, rows)
	s.multiplyPacked(b.o, b.ds, b.k, b.rows, all, end, dim, false)
	for h := range heads {
		b.scaleRows(b.queryMatrix(b.dq, b.sequence, head+h, row), b.o.from(h*rows, 0), rows, dim, b.scale, 0)
	}
	s.pack(b.block, b.do, all, dim)
	s.multiplyPacked(b.dv, b.p.transposed(), b.block, all, end, all, dim, true)
	s.pack(b.block, b.q, all, dim)
	s.multiplyPacked(b.dk, b.ds.transposed(), b.block, all, end, all, dim, true)
}

// scoreGradients turns scores p into probabilities, and their gradients ds
// into those of the scores: ds = p * (ds - mean), mean being the sum of p
// times ds, which is also that of dout times out.
func (b *backBlock) scoreGradients(head, heads, row, rows int) {
	lse, means, end := b.tops, b.sums, row+rows
	b.eachRow(head, heads, row, rows, func(stacked, at int) { lse[stacked] = b.lse[at] })
	for h := range heads {
		p, ds, do := b.p.from(h*rows, 0), b.ds.from(h*rows, 0), b.do.from(h*rows, 0)
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
