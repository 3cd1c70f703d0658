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
// With q the number in a word and z the zero point, 2^(bits-1) where a matrix has
// none, the matrix is w = scale·(q-z).
type Grouped struct {
	n, k, bits, group int

	words  []uint32  // [panels, words of a row, 32], an input in each byte; of 8, the later 4 above the others
	scales []float32 // [panels, groups, 32]
	zeros  []int32   // [panels, groups, 32], or nil for a matrix without zero points
	runs   []fixedRun
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
		w.zeros = make([]int32, len(w.scales))
	}
	w.runs = fixedRuns(s.K, s.Group)
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
				if w.zeros != nil {
					w.zeros[at] = int32(s.Zeros[r*groups+g])
				}
			}
		}
		for i := range w.rowWords() {
			word := uint32(0)
			for p, q := range row[i*each : (i+1)*each] {
				word |= uint32(q) << w.place(p)
			}
			words[i*panelRows+j] = word
		}
	}
}

// Adjoin moves matrices to one region. Their words lie one behind the other in
// the order given, which should be that of their use: what a product fetches
// beyond the end of its matrix is then what the next one begins with.
func Adjoin(all []*Grouped) {
	Place(func(a *Arena) struct{} {
		for _, w := range all {
			moveTo(a, &w.words)
		}
		for _, w := range all {
			moveTo(a, &w.scales)
			moveTo(a, &w.zeros)
		}
		return struct{}{}
	})
}

// moveTo moves x to a. Where a only counts, x stays.
func moveTo[E uint32 | int32 | float32](a *Arena, x *[]E) {
	if to := a.Floats(len(*x)); len(to) > 0 {
		moved := unsafe.Slice((*E)(unsafe.Pointer(&to[0])), len(to))
		copy(moved, *x)
		*x = moved
	}
}

// Shape returns the shape of the matrix.
func (w *Grouped) Shape() (n, k int) { return w.n, w.k }

func (w *Grouped) perWord() int  { return 32 / w.bits }
func (w *Grouped) rowWords() int { return (w.k + w.perWord() - 1) / w.perWord() }
func (w *Grouped) groups() int   { return Groups(w.k, w.group) }

// place is the lowest bit of input p of a word.
func (w *Grouped) place(p int) int { return 8*(p%4) + 4*(p/4) }

// Row sets dst [k] to row r: each weight is scale·(q-z), rounded once.
func (w *Grouped) Row(dst []float32, r int) {
	each, zero := w.perWord(), w.middle()
	words := w.words[r/panelRows*w.rowWords()*panelRows+r%panelRows:]
	mask := uint32(1)<<w.bits - 1
	for p := range dst[:w.k] {
		at := (r/panelRows*w.groups()+p/w.group)*panelRows + r%panelRows
		if w.zeros != nil {
			zero = w.zeros[at]
		}
		dst[p] = float32(int32(words[p/each*panelRows]>>w.place(p%each)&mask)-zero) * w.scales[at]
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

// middle is the zero point of a matrix without any.
func (w *Grouped) middle() int32 { return 1 << (w.bits - 1) }

// MatMulGrouped multiplies x [m, k] with the transpose of w [n, k]. x is read as
// whole numbers too, of 24 bits: those of 128 neighbouring inputs, or fewer where
// a group is shorter, are rounded to multiples of the power of two by which the
// largest of them is between 2^22 and 2^23. An element of dst [m, n] is
//
//	y = 0
//	for each group, or 128 inputs of it: y = fma(float32(Σ v·(q-z)), power·scale, y)
//
// where x = power·v. Sums of whole numbers are exact and rounded once. So x is
// known as well as a float32 beside the largest of its neighbours; below 2^-104
// it is known less well. Where x has a NaN or an infinity the row is NaN. It
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
	w   *Grouped
	dst []float32
	x   fixedRows
	m   int
	add bool
}

func (w *Grouped) multiply(kernel string, dst, x []float32, m int, add bool) {
	if len(dst) != m*w.n || len(x) != m*w.k || m < 0 {
		panic(fmt.Sprintf("kernels.%s: %d rows of a matrix [%d, %d] do not fit lengths of %d and %d",
			kernel, m, w.n, w.k, len(dst), len(x)))
	}
	if len(dst) == 0 {
		return
	}
	buf := scratches.get()
	call := groupedCall{w: w, dst: dst, x: newFixedRows(buf, x, m, w.k, w.runs), m: m, add: add}
	panels := (w.n + panelRows - 1) / panelRows
	if m == 1 && call.x.on == avx512 {
		groupedVectors.run(panels, max(4, mostTask/(leastRows*panelRows*w.k)/4*4), call)
	} else {
		rows := (m + packedRows - 1) / packedRows
		groupedTiles.run(rows*panels, max(1, 2*mostTask/(max(m/rows, leastRows)*panelRows*w.k)), call)
	}
	scratches.put(buf)
}

// groupedVectors multiplies one row with panels.
var groupedVectors = inPieces(func(a *groupedCall, from, to int) {
	w, whole := a.w, a.w.n/panelRows
	if from < whole {
		w.vector(a, a.dst[from*panelRows:], from, min(to, whole)-from)
	}
	if to > whole {
		var y [panelRows]float32
		last := a.dst[whole*panelRows:]
		copy(y[:], last)
		w.vector(a, y[:], whole, 1)
		copy(last, y[:])
	}
})

// vector sets y to the product of the only row with panels, or adds it.
func (w *Grouped) vector(a *groupedCall, y []float32, panel, panels int) {
	kernel, add := groupedKernels[w.bits/8].on(a.x.on), flag(a.add)
	for _, r := range w.runs {
		scales, zeros, scaleStep, zeroStep := w.factors(panel, r)
		scalePanel, zeroPanel := 4*panelRows*w.groups(), 0
		if w.zeros != nil {
			zeroPanel = scalePanel
		}
		kernel(&y[0], a.x.at(0, r.first), w.word(panel, r.first), scales, zeros, a.x.fact(0, r.segment),
			a.x.plane, panels, r.segments, w.wordsOf(r.inputs), scaleStep, zeroStep, 4*panelRows*w.rowWords(), scalePanel, zeroPanel, add)
		add = 1
	}
}

// word is where the words of an input begin, the first of a word.
func (w *Grouped) word(panel, input int) *uint32 {
	return &w.words[(panel*w.rowWords()+input/w.perWord())*panelRows]
}

// wordsOf is how many words hold so many inputs.
func (w *Grouped) wordsOf(inputs int) int { return (inputs + w.perWord() - 1) / w.perWord() }

// middles are the zero points of matrices without any, by bits/8.
var middles = func() (all [2][panelRows]int32) {
	for j := range panelRows {
		all[0][j], all[1][j] = 8, 128
	}
	return all
}()

// factors returns the scales and zero points of the first segment of a run, and
// the bytes from those of a segment to those of the next.
func (w *Grouped) factors(panel int, r fixedRun) (scales *float32, zeros *int32, scaleStep, zeroStep int) {
	at := (panel*w.groups() + r.group) * panelRows
	if !r.shared {
		scaleStep = 4 * panelRows
	}
	if w.zeros == nil {
		return &w.scales[at], &middles[w.bits/8][0], scaleStep, 0
	}
	return &w.scales[at], &w.zeros[at], scaleStep, scaleStep
}

// groupedTiles multiplies rows with panels of bytes, to which those of 4 bits are
// unpacked in cache. Pieces number the panels of the first rows, then those of the
// next.
var groupedTiles = inPieces(func(a *groupedCall, from, to int) {
	w, panels := a.w, (a.w.n+panelRows-1)/panelRows
	blocks := (a.m + packedRows - 1) / packedRows
	rows := (a.m + blocks - 1) / blocks
	buf := scratches.get()
	unpacked := 0
	if w.bits == 4 {
		unpacked = 2 * w.rowWords() * panelRows
	}
	space := buf.floats(unpacked + groupedRows*(1+mostPlanes)*panelRows)
	for piece := from; piece < to; piece++ {
		row, panel := piece/panels*rows, piece%panels
		end, words := min(row+rows, a.m), w.word(panel, 0)
		if w.bits == 4 {
			words = (*uint32)(unsafe.Pointer(&space[0]))
			unpackKernel.on(a.x.on)(words, w.word(panel, 0), w.rowWords())
		}
		for ; row < end; row += groupedRows {
			w.tile(a, words, space[unpacked:], row, min(groupedRows, end-row), panel)
		}
	}
	scratches.put(buf)
})

// groupedRows is how many rows go through the groups of a panel together: as
// many as fit a first-level cache twice.
const groupedRows = 28

// tile adds the product of some rows with one panel, whose bytes words holds, to
// dst. Between groups the sums lie side by side, since rows of dst may be a
// distance apart that has them share few sets of a cache.
func (w *Grouped) tile(a *groupedCall, words *uint32, space []float32, row, rows, panel int) {
	y, j := space[:rows*panelRows], panel*panelRows
	dots := (*int32)(unsafe.Pointer(&space[rows*panelRows]))
	cols := min(panelRows, w.n-j)
	if !a.add {
		clear(y)
	}
	for r := 0; a.add && r < rows; r++ {
		copy(y[r*panelRows:(r+1)*panelRows], a.dst[(row+r)*w.n+j:][:cols])
	}
	sum := sumKernel.on(a.x.on)
	for _, r := range w.runs {
		scales, zeros, scaleStep, zeroStep := w.factors(panel, r)
		for s := range r.segments {
			first := r.first + s*r.inputs
			a.x.dots(dots, offset(words, first/4*4*panelRows), row, rows, first, (r.inputs+3)/4)
			sum(&y[0], dots, offset(scales, s*scaleStep), offset(zeros, s*zeroStep), a.x.fact(row, r.segment+s), a.x.factRow(), rows)
		}
	}
	for r := range rows {
		copy(a.dst[(row+r)*w.n+j:][:cols], y[r*panelRows:])
	}
}
