package kernels

import (
	"fmt"
	"unsafe"
)

// A Grouped is a matrix w [n, k] of whole numbers, with a scale for each group of
// neighbouring inputs of a row, in the order in which products read it: by
// panels of 32 rows, of which a word holds the next 4 or 8 inputs. The order is
// the same for every instruction set.
//
// With h = 2^(bits-1), q the number in a word and z the zero point, h where a
// matrix has none, the matrix is w = scale·(q-z).
type Grouped struct {
	n, k, bits, group int

	words  []uint32  // [panels, words of a row, 32], the first input in the lowest bits
	scales []float32 // [panels, groups, 32]
	shifts []float32 // [panels, groups, 32] h-z, or nil for a matrix without zero points
}

// A GroupedSource is what PackGrouped makes a matrix of.
type GroupedSource struct {
	N, K  int
	Bits  int // 4 or 8
	Group int // inputs; a multiple of 8, or K for one scale a row. The last may be shorter.
	// Row writes row r of q to dst [k], each below 2^Bits.
	Row    func(dst []uint8, r int)
	Scales []float32 // [n, groups]
	Zeros  []uint8   // [n, groups], or nil for 2^(Bits-1) everywhere
}

// Groups is how many groups a row of k inputs has.
func Groups(k, group int) int { return (k + group - 1) / max(group, 1) }

// PackGrouped lays out a matrix. It panics if lengths do not fit.
func PackGrouped(s GroupedSource) *Grouped {
	groups := Groups(s.K, s.Group)
	if s.N < 0 || s.K < 1 || s.Bits != 4 && s.Bits != 8 || s.Group < 1 || s.Group%8 != 0 && s.Group != s.K ||
		len(s.Scales) != s.N*groups || s.Zeros != nil && len(s.Zeros) != s.N*groups {
		panic(fmt.Sprintf("kernels.PackGrouped: [%d, %d] of %d bits in groups of %d, %d scales, %d zeros", s.N, s.K, s.Bits, s.Group, len(s.Scales), len(s.Zeros)))
	}
	w := &Grouped{n: s.N, k: s.K, bits: s.Bits, group: s.Group}
	panels := (s.N + panelRows - 1) / panelRows
	words := panels * w.rowWords() * panelRows
	if words > 0 { // in huge pages, where the matrix is large
		w.words = unsafe.Slice((*uint32)(unsafe.Pointer(&NewArena(words).Floats(words)[0])), words)
	}
	w.scales = make([]float32, panels*groups*panelRows)
	if s.Zeros != nil {
		w.shifts = make([]float32, len(w.scales))
	}
	parallel(panels, func(panel int) { w.pack(s, panel) })
	return w
}

// pack fills one panel. Rows and inputs beyond the matrix weigh nothing.
func (w *Grouped) pack(s GroupedSource, panel int) {
	groups, each := Groups(w.k, w.group), w.perWord()
	middle := uint8(1) << (w.bits - 1)
	row := make([]uint8, w.rowWords()*each)
	words := w.words[panel*w.rowWords()*panelRows:]
	for j := range panelRows {
		for i := range row {
			row[i] = middle
		}
		if r := panel*panelRows + j; r < w.n {
			s.Row(row[:w.k], r)
			for g := range groups {
				at := (panel*groups+g)*panelRows + j
				w.scales[at] = s.Scales[r*groups+g]
				if w.shifts != nil {
					w.shifts[at] = float32(middle) - float32(s.Zeros[r*groups+g])
				}
			}
		}
		for i := range w.rowWords() {
			word := uint32(0)
			for p, q := range row[i*each : (i+1)*each] {
				word |= uint32(q) << (w.bits * p)
			}
			words[i*panelRows+j] = word
		}
	}
}

// Shape returns the shape of the matrix.
func (w *Grouped) Shape() (n, k int) { return w.n, w.k }

func (w *Grouped) perWord() int  { return 32 / w.bits }
func (w *Grouped) rowWords() int { return (w.k + w.perWord() - 1) / w.perWord() }
func (w *Grouped) groups() int   { return Groups(w.k, w.group) }

// Row sets dst [k] to row r: each weight is scale·(q-z), rounded once.
func (w *Grouped) Row(dst []float32, r int) {
	each, middle := w.perWord(), float32(uint8(1)<<(w.bits-1))
	words := w.words[r/panelRows*w.rowWords()*panelRows+r%panelRows:]
	mask := uint32(1)<<w.bits - 1
	for p := range dst[:w.k] {
		q := float32(words[p/each*panelRows]>>(w.bits*(p%each))&mask) - middle
		at := (r/panelRows*w.groups()+p/w.group)*panelRows + r%panelRows
		if w.shifts != nil {
			q += w.shifts[at]
		}
		dst[p] = q * w.scales[at]
	}
}

// EmbeddingGrouped is Embedding with a table [v, c] of whole numbers.
func EmbeddingGrouped(dst []float32, table *Grouped, ids []int32) {
	mustFit(len(dst) == len(ids)*table.k, "EmbeddingGrouped")
	for i, id := range ids {
		mustBelow(id, 0, table.n, "EmbeddingGrouped")
		table.Row(dst[i*table.k:], int(id))
	}
}

// MatMulGrouped multiplies x [m, k] with the transpose of w [n, k]. With x and q
// of one group and sum the sum of that x, over 16 lanes as in all sums of rows,
// an element of dst [m, n] is
//
//	y = 0
//	for each group: y = fma(scale, dot + (h-z)·sum, y)
//
// where dot is the chain of fused multiply-adds of x and q-h from 0, and the
// part with h-z, also fused, is left out for a matrix without zero points. It
// panics if lengths do not fit.
func MatMulGrouped(dst, x []float32, w *Grouped, m int) {
	w.multiply("MatMulGrouped", dst, x, m, false)
}

// MatMulGroupedAdd starts y from dst instead of 0.
func MatMulGroupedAdd(dst, x []float32, w *Grouped, m int) {
	w.multiply("MatMulGroupedAdd", dst, x, m, true)
}

// A groupedCall is one product, cut into tasks of panels or of rows and a panel.
type groupedCall struct {
	w      *Grouped
	dst, x []float32
	sums   []float32 // [m, groups] of x, or nil
	shape  shape
	m      int
}

func (w *Grouped) multiply(kernel string, dst, x []float32, m int, add bool) {
	if len(dst) != m*w.n || len(x) != m*w.k || m < 0 {
		panic(fmt.Sprintf("kernels.%s: %d rows of a matrix [%d, %d] do not fit lengths of %d and %d",
			kernel, m, w.n, w.k, len(dst), len(x)))
	}
	if len(dst) == 0 {
		return
	}
	if !add {
		clear(dst)
	}
	buf := scratches.get()
	call := groupedCall{w: w, dst: dst, x: x, m: m, shape: shapes[current()]}
	if w.shifts != nil {
		call.sums = buf.floats(m * w.groups())
		groupSums(call.sums, x, m, w.k, w.group)
	}
	if m <= vectorRows {
		groupedVectors.run((w.n+panelRows-1)/panelRows, max(4, mostTask/(leastRows*panelRows*w.k)/4*4), call)
	} else {
		rows := (m + packedRows - 1) / packedRows
		groupedTiles.run(rows*((w.n+panelRows-1)/panelRows), max(1, mostTask/(max(m/rows, leastRows)*panelRows*w.k)), call)
	}
	scratches.put(buf)
}

// groupSums sums the groups of each row of x.
func groupSums(sums, x []float32, m, k, group int) {
	dot, groups := dots.get(), Groups(k, group)
	ones := scratches.get()
	one := ones.floats(min(k, group))
	for i := range one {
		one[i] = 1
	}
	for r := range m {
		for g := range groups {
			part := x[r*k+g*group : r*k+min(k, (g+1)*group)]
			sums[r*groups+g] = dot(part, one[:len(part)])
		}
	}
	scratches.put(ones)
}

// vectorRows is how many rows are multiplied one by one, with words that are
// still in cache after the first: unpacking them would take longer.
const vectorRows = 4

// groupedVectors multiplies rows with panels, one after the other.
var groupedVectors = inPieces(func(a *groupedCall, from, to int) {
	w, buf := a.w, scratches.get()
	space := buf.floats(4*panelRows + w.rowWords()*w.perWord())
	for panel := from; panel < to; {
		panels := 1
		for panels < mostPanels(a.shape.isa) && panel+2*panels <= to {
			panels *= 2
		}
		for row := range a.m {
			w.vector(a, space, row, panel, panels)
		}
		panel += panels
	}
	scratches.put(buf)
})

// vector adds the product of one row with some panels to dst.
func (w *Grouped) vector(a *groupedCall, space []float32, row, panel, panels int) {
	x, y := a.x[row*w.k:(row+1)*w.k], a.dst[row*w.n+panel*panelRows:(row+1)*w.n]
	if w.k%w.perWord() != 0 { // whole words want whole numbers of inputs
		filled := space[4*panelRows:][:w.rowWords()*w.perWord()]
		clear(filled[copy(filled, x):])
		x = filled
	}
	if n := panels * panelRows; len(y) < n { // and whole panels as many outputs
		copy(space[:n], y)
		w.vectorGroups(a, space[:n], x, row, panel, panels)
		copy(y, space)
		return
	}
	w.vectorGroups(a, y, x, row, panel, panels)
}

// vectorGroups adds the product of row x with some panels to y.
func (w *Grouped) vectorGroups(a *groupedCall, y, x []float32, row, panel, panels int) {
	kernel := groupedKernels[w.bits/8][panels].on(a.shape.isa)
	groups, words := w.groups(), w.rowWords()
	whole := w.k / w.group // the last group may be shorter
	at := panel * groups * panelRows
	run := func(first, count, each int) {
		if count == 0 {
			return
		}
		g := at + first*panelRows
		var shifts, sums *float32
		if w.shifts != nil {
			shifts, sums = &w.shifts[g], &a.sums[row*groups+first]
		}
		start := first * w.group / w.perWord()
		kernel(&y[0], &x[first*w.group], &w.words[(panel*words+start)*panelRows], &w.scales[g], shifts, sums,
			4*words*panelRows, 4*groups*panelRows, count, each)
	}
	if w.group >= w.k {
		run(0, 1, words)
		return
	}
	run(0, whole, w.group/w.perWord())
	run(whole, groups-whole, words-whole*w.group/w.perWord())
}

// groupedTiles multiplies rows with panels, which are unpacked to float32 in
// cache. Pieces number the panels of the first rows, then those of the next.
var groupedTiles = inPieces(func(a *groupedCall, from, to int) {
	w, panels := a.w, (a.w.n+panelRows-1)/panelRows
	blocks := (a.m + packedRows - 1) / packedRows
	rows := (a.m + blocks - 1) / blocks
	buf := scratches.get()
	unpacked := w.rowWords() * w.perWord() * panelRows
	space := buf.floats(unpacked + 2*groupedRows*panelRows)
	for piece := from; piece < to; piece++ {
		row, panel := piece/panels*rows, piece%panels
		end := min(row+rows, a.m)
		unpackKernels[w.bits/8].on(a.shape.isa)(&space[0], &w.words[panel*w.rowWords()*panelRows], w.rowWords())
		for ; row < end; row += groupedRows {
			w.tile(a, space[:unpacked], space[unpacked:], row, min(groupedRows, end-row), panel)
		}
	}
	scratches.put(buf)
})

// groupedRows is how many rows go through the groups of a panel together: as
// many as fit a first-level cache twice.
const groupedRows = 56

// tile adds the product of some rows with one panel, unpacked to q, to dst.
// Between groups the sums lie side by side, since rows of dst may be a distance
// apart that has them share few sets of a cache.
func (w *Grouped) tile(a *groupedCall, q, space []float32, row, rows, panel int) {
	groups, j := w.groups(), panel*panelRows
	dots, y := space[:rows*panelRows], space[rows*panelRows:]
	cols := min(panelRows, w.n-j)
	for r := range rows {
		copy(y[r*panelRows:(r+1)*panelRows], a.dst[(row+r)*w.n+j:][:cols])
	}
	rescale := rescaleKernel.on(a.shape.isa)
	for g := range groups {
		first := g * w.group
		steps := min(w.group, w.k-first)
		a.shape.wide(matrix{dots, panelRows, 1}, matrix{a.x[row*w.k+first:], w.k, 1}, matrix{q[first*panelRows:], panelRows, 1},
			rows, steps, panelRows, false)
		at := (panel*groups + g) * panelRows
		var shifts, sums *float32
		if w.shifts != nil {
			shifts, sums = &w.shifts[at], &a.sums[row*groups+g]
		}
		rescale(&y[0], &dots[0], &w.scales[at], shifts, sums, 4*panelRows, 4*groups, rows)
	}
	for r := range rows {
		copy(a.dst[(row+r)*w.n+j:][:cols], y[r*panelRows:])
	}
}

// A groupedFunc adds the product of one row with panels of words to y [panels,
// 32]: for each group of so many words,
//
//	dot = chain of fma(x, q-h, dot) from 0
//	dot = fma(shift, sum, dot)           unless shifts is nil
//	y   = fma(dot, scale, y)
//
// wordsPanel and scalesPanel are the distances of panels in bytes.
type groupedFunc func(y, x *float32, words *uint32, scales, shifts, sums *float32, wordsPanel, scalesPanel, groups, each int)

// groupedKernels has them by bits/8 and panels.
var groupedKernels = func() (kernels [2][5]*perISA[groupedFunc]) {
	for _, panels := range []int{1, 2, 4} {
		kernels[0][panels] = implement(groupedGeneric(4, panels))
		kernels[1][panels] = implement(groupedGeneric(8, panels))
	}
	return kernels
}()

// mostPanels is how many panels the kernels of i take at a time, so many that
// their chains keep the processor busy.
func mostPanels(i isa) int {
	if i == avx512 {
		return 4
	}
	return 2
}
