package kernels

// A segment is the keys and values of consecutive positions of one key-value
// head, as the forward pass of attention reads them. Keys are transposed, in
// panels of 32 positions; values stand in rows of Dim, behind which as much
// memory follows as a panel is wide, because they are read by whole vectors.
type segment struct {
	n      int       // positions
	keys   []float32 // [n/32 rounded up, Dim, 32]
	values matrix    // [n, Dim]
}

// segmentLen is how many elements a segment of n positions takes.
func (at *attention) segmentLen(n int) int { return lines(at.keysLen(n)) + lines(at.valuesLen(n)) }

func (at *attention) keysLen(n int) int {
	return (n + panelRows - 1) / panelRows * panelRows * at.Dim
}

func (at *attention) valuesLen(n int) int { return n*at.Dim + panelRows }

// fill makes a segment of n positions in memory of segmentLen elements from
// rows of k and v, of one head.
func (at *attention) fill(memory []float32, k, v matrix, n int) segment {
	free := area{memory}
	seg := segment{n, free.take(at.keysLen(n)), matrix{free.take(at.valuesLen(n)), at.Dim, 1}}
	at.packKeys(seg.keys, k, n)
	for i := range n {
		copy(seg.values.data[i*at.Dim:][:at.Dim], v.data[i*v.row:])
	}
	return seg
}

// packKeys transposes n rows of k into panels.
func (at *attention) packKeys(panels []float32, k matrix, n int) {
	for i := 0; i < n; i += panelRows {
		at.shape.packColumns(panels[i*at.Dim:][:panelRows*at.Dim], k.from(i, 0).transposed(), at.Dim, min(panelRows, n-i), panelRows)
	}
}

// scores sets c [rows, cols] to the products of q [rows, Dim] with the first
// cols keys.
func (at *attention) scores(c, q matrix, seg segment, rows, cols int) {
	for j := 0; j < cols; j += panelRows {
		panel := matrix{seg.keys[j*at.Dim:][:panelRows*at.Dim], panelRows, 1}
		at.shape.wide(c.from(0, j), q, panel, rows, at.Dim, min(panelRows, cols-j), false)
	}
}

// mix adds to c [rows, Dim] the first n values, weighted by p [rows, n], or
// sets it to their sum.
func (at *attention) mix(c, p matrix, seg segment, rows, n int, add bool) {
	at.shape.wide(c, p, seg.values, rows, n, at.Dim, add)
}

// A reader computes rows of queries of the query heads of one key-value head,
// which read all of past and then own up to their own position.
type reader struct {
	*attention
	past, own  segment
	cap        int       // rows of the matrices
	q, o, p    matrix    // [cap, Dim] queries times Scale; [cap, Dim] out; [cap, keys] scores, then probabilities
	tops, sums []float32 // of rows
	scale      []float32 // Scale alone
}

// readerCap is how many rows are computed at a time where at most rows are
// needed: the query heads that share keys are stacked, each with its block.
func (at *attention) readerCap(rows int) int {
	return min(groupRows, rows) * at.stacked()
}

func (at *attention) readerLen(rows, keys int) int {
	most := at.readerCap(rows)
	return 2*lines(most*at.Dim) + most*lines(keys) + 2*lines(most) + lines(1)
}

// newReader returns a reader of blocks of up to rows rows with up to keys keys,
// in memory of readerLen elements.
func (at *attention) newReader(memory []float32, rows, keys int) reader {
	r, free, width := reader{attention: at, cap: at.readerCap(rows)}, area{memory}, lines(keys)
	r.q, r.o = matrix{free.take(r.cap * at.Dim), at.Dim, 1}, matrix{free.take(r.cap * at.Dim), at.Dim, 1}
	r.p = matrix{free.take(r.cap * width), width, 1}
	r.tops, r.sums, r.scale = free.take(r.cap), free.take(r.cap), free.constant(at.Scale)
	return r
}

// read computes rows [first, first+rows) of own, whose queries and results
// begin at row at of the whole matrices, for key-value head g.
func (r *reader) read(g, at, first, rows int) {
	group := r.Query / r.KV
	stacked := r.stacked()
	for done := 0; done < rows; done += groupRows {
		for i := 0; i < group; i += stacked {
			r.block(g*group+i, min(stacked, group-i), at+done, first+done, min(groupRows, rows-done))
		}
	}
}

// block computes one stack: rows rows from row of own on, for some heads.
func (r *reader) block(head, heads, at, row, rows int) {
	s, all, n := r.shape, heads*rows, r.past.n+row+1
	end := n + rows - 1
	for h := range heads {
		r.scaleRows(r.q.from(h*rows, 0), r.queryMatrix(r.attention.q, 0, head+h, at), rows, r.Dim, r.scale, 0)
	}
	r.scores(r.p, r.q, r.past, all, r.past.n)
	r.scores(r.p.from(0, r.past.n), r.q, r.own, all, row+rows)
	for h := range heads {
		p := r.p.from(h*rows, 0)
		r.capScores(p, rows, n)
		r.hideScores(p, rows, n)
		r.softmaxRows(p, rows, n, end, r.tops[h*rows:], r.sums[h*rows:])
	}
	logSums.on(s.isa)(&r.tops[0], &r.sums[0], all)
	if r.past.n > 0 {
		r.mix(r.o, r.p, r.past, all, r.past.n, false)
	}
	r.mix(r.o, r.p.from(0, r.past.n), r.own, all, row+rows, r.past.n > 0)
	for h := range heads {
		r.scaleRows(r.queryMatrix(r.out, 0, head+h, at), r.o.from(h*rows, 0), rows, r.Dim, r.sums[h*rows:], 1)
	}
}
