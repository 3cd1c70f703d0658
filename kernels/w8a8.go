package kernels

import (
	"fmt"
	"math"
	"unsafe"
)

// MatMulW8A8 multiplies x [m, k], rounded to 8 bits, with the transpose of w
// [n, k], 8 bits with one scale a row and no zero points:
//
//	s[i]      = scale, or max over p of |x[i][p]| / 127 where scale is 0
//	q[i][p]   = x[i][p] / s[i], to the nearest whole number, halves to even, within ±127
//	dst[i][j] = float32(sum over p of q[i][p]·w[j][p]) · s[i] · scale[j]
//
// The division is a multiplication by 127/max or 1/scale, rounded. Sums of whole
// numbers are exact. A row with a NaN or an infinity gives NaN. It panics if
// lengths do not fit or k is above 2^17, where sums may overflow.
func MatMulW8A8(dst, x []float32, w *Grouped, m int, scale float32) {
	w.multiplyInts("MatMulW8A8", dst, x, m, scale, false)
}

// MatMulW8A8Add adds the product to dst.
func MatMulW8A8Add(dst, x []float32, w *Grouped, m int, scale float32) {
	w.multiplyInts("MatMulW8A8Add", dst, x, m, scale, true)
}

// MostInts is the largest k of MatMulW8A8.
const MostInts = 1 << 17

// An intCall is one product of rounded rows.
type intCall struct {
	w      *Grouped
	dst, x []float32
	m      int
	fixed  float32   // scale of x, or 0
	q      []float32 // room of [m, words] for four numbers of 8 bits each
	scales []float32 // [m]
	sums   []float32 // room of [m] int32: 128 times the sum of q
	add    int
	isa    isa
}

func (w *Grouped) multiplyInts(kernel string, dst, x []float32, m int, scale float32, add bool) {
	if len(dst) != m*w.n || len(x) != m*w.k || m < 0 || w.bits != 8 || w.group < w.k || w.zeros != nil || w.k > MostInts {
		panic(fmt.Sprintf("kernels.%s: %d rows of a matrix [%d, %d] of %d bits do not fit lengths of %d and %d",
			kernel, m, w.n, w.k, w.bits, len(dst), len(x)))
	}
	if len(dst) == 0 {
		return
	}
	buf := scratches.get()
	words := w.rowWords()
	space := buf.floats(m * (words + 2))
	call := intCall{w: w, dst: dst, x: x, m: m, fixed: scale, isa: current(), add: flag(add),
		q: space[2*m:], scales: space[:m], sums: space[m : 2*m]}
	roundings.run(m, rowsPerTask(w.k), call)
	panels, blocks := (w.n+panelRows-1)/panelRows, (m+packedRows-1)/packedRows
	intProducts.run(blocks*panels, max(1, 4*mostTask/(max(m/blocks, leastRows)*panelRows*w.k)), call)
	scratches.put(buf)
}

// roundings rounds rows of x to 8 bits.
var roundings = inPieces(func(a *intCall, from, to int) {
	k, words := a.w.k, a.w.rowWords()
	for r := from; r < to; r++ {
		scale, q := roundRow(a.q[r*words:(r+1)*words], a.x[r*k:(r+1)*k], a.fixed, a.isa)
		a.scales[r] = scale
		*(*int32)(unsafe.Pointer(&a.sums[r])) = 128 * q
	}
})

// roundRow rounds x to dst, four numbers to an element, filled up with zeros, and
// returns their scale and sum.
func roundRow(dst, x []float32, scale float32, i isa) (float32, int32) {
	inverse := 1 / scale
	if largest := absMaxes.on(i)(x); scale == 0 || math.IsNaN(float64(largest)) {
		scale, inverse = largest/127, 127/largest
	}
	if !(scale > 0) || inverse > math.MaxFloat32 { // nothing but zeros, numbers too small to divide, or NaN
		clear(dst)
		return scale * 0, 0
	}
	dst[len(dst)-1] = 0
	var sums [lanes]int32
	q := unsafe.Slice((*int8)(unsafe.Pointer(&dst[0])), 4*len(dst))
	whole := len(x) / lanes * lanes
	round := rounders.on(i)
	if whole > 0 {
		round(&q[0], &x[0], inverse, whole, &sums)
	}
	if whole < len(x) {
		var last [lanes]float32
		var rounded [lanes]int8
		copy(last[:], x[whole:])
		round(&rounded[0], &last[0], inverse, lanes, &sums)
		copy(q[whole:], rounded[:len(x)-whole])
	}
	sum := int32(0)
	for _, s := range sums {
		sum += s
	}
	return scale, sum
}

// absMaxes have the largest |x|, NaN if an element is NaN or infinite.
var absMaxes = implement(absMaxGeneric)

func absMaxGeneric(x []float32) float32 {
	largest, zero := float32(0), float32(0)
	for _, v := range x {
		largest = max(largest, float32(math.Abs(float64(v))))
		zero += float32(v * 0)
	}
	return largest + zero
}

// A roundFunc writes x·inverse in n whole numbers, a multiple of 16, and adds
// them to sums by lanes.
type roundFunc func(dst *int8, x *float32, inverse float32, n int, sums *[lanes]int32)

var rounders = implement[roundFunc](roundGeneric)

func roundGeneric(dst *int8, x *float32, inverse float32, n int, sums *[lanes]int32) {
	q := unsafe.Slice(dst, n)
	for i, v := range unsafe.Slice(x, n) {
		r := int32(math.RoundToEven(float64(max(-127, min(127, float32(v*inverse))))))
		q[i] = int8(r)
		sums[i%lanes] += r
	}
}

// An intTileFunc multiplies tiles of a fixed number of rows of 8-bit numbers, one
// below the other, with one panel of words:
//
//	c[i][j] = sum over p < 4·steps of a[i][p]·byte p of b[.][j]
//
// where bytes of b are from 0 to 255. c is [rows·tiles, 32], aRow is in bytes.
type intTileFunc func(c *int32, a *int8, b *uint32, aRow, steps, tiles int)

// intTiles has them by rows.
var intTiles = func() (kernels [maxTileRows + 1]*perISA[intTileFunc]) {
	for rows := range kernels {
		kernels[rows] = implement(intTileGeneric(rows))
	}
	return kernels
}()

func intTileGeneric(rows int) intTileFunc {
	return func(c *int32, a *int8, b *uint32, aRow, steps, tiles int) {
		for r := range rows * tiles {
			out, x := unsafe.Slice(offset(c, 4*panelRows*r), panelRows), unsafe.Slice(offset(a, aRow*r), 4*steps)
			clear(out)
			for i := range steps {
				for j, word := range unsafe.Slice(offset(b, 4*panelRows*i), panelRows) {
					for p := range 4 {
						out[j] += int32(x[4*i+p]) * int32(word>>(8*p)&255)
					}
				}
			}
		}
	}
}

// An intShape says which tiles of whole numbers run where.
func (i isa) intTiles() (on isa, rows int) {
	switch {
	case i == avx512 && hasVNNI:
		return avx512, maxTileRows
	case i == avx512 || i == avx2:
		return avx2, 2
	case i == neon:
		return neon, 2
	}
	return generic, maxTileRows
}

// intRows multiplies any number of rows with one panel of words, as an
// intTileFunc does.
func intRows(i isa, c *int32, a *int8, b *uint32, aRow, steps, rows int) {
	on, most := i.intTiles()
	tiles := (rows + most - 1) / most
	height, taller, at := rows/tiles, rows%tiles, 0
	for _, run := range [2]struct{ tiles, height int }{{taller, height + 1}, {tiles - taller, height}} {
		if run.tiles > 0 {
			intTiles[run.height].on(on)(offset(c, 4*panelRows*at), offset(a, aRow*at), b, aRow, steps, run.tiles)
			at += run.tiles * run.height
		}
	}
}

// A restoreFunc sets y [rows, 32], or adds to it:
//
//	y = float32(c - sum)·xScale·scale
//
// c is [rows, 32], yRow in bytes, sums and xScales are of the rows.
type restoreFunc func(y *float32, c, sums *int32, xScales, scales *float32, yRow, rows, add int)

var restoreKernel = implement[restoreFunc](restoreGeneric)

func restoreGeneric(y *float32, c, sums *int32, xScales, scales *float32, yRow, rows, add int) {
	for r := range rows {
		out, scale := unsafe.Slice(offset(y, yRow*r), panelRows), unsafe.Slice(scales, panelRows)
		for j, n := range unsafe.Slice(offset(c, 4*panelRows*r), panelRows) {
			v := float32(float32(n-*offset(sums, 4*r))**offset(xScales, 4*r)) * scale[j]
			if add != 0 {
				v = out[j] + float32(v)
			}
			out[j] = v
		}
	}
}

// intProducts multiplies rounded rows with panels, which pieces number, those of
// the first rows before those of the next.
var intProducts = inPieces(func(a *intCall, from, to int) {
	w, panels := a.w, (a.w.n+panelRows-1)/panelRows
	blocks := (a.m + packedRows - 1) / packedRows
	rows := (a.m + blocks - 1) / blocks
	buf := scratches.get()
	space := buf.floats(2 * rows * panelRows)
	for piece := from; piece < to; piece++ {
		w.intTile(a, space, piece/panels*rows, min(rows, a.m-piece/panels*rows), piece%panels)
	}
	scratches.put(buf)
})

// intTile sets some rows of dst for one panel.
func (w *Grouped) intTile(a *intCall, space []float32, row, rows, panel int) {
	words, j := w.rowWords(), panel*panelRows
	c, space := (*int32)(unsafe.Pointer(&space[0])), space[rows*panelRows:]
	intRows(a.isa, c, (*int8)(unsafe.Pointer(&a.q[row*words])), &w.words[panel*words*panelRows], 4*words, words, rows)
	y, stride, cols := a.dst[row*w.n+j:], w.n, min(panelRows, w.n-j)
	if cols < panelRows {
		y, stride = space, panelRows
		for r := range rows {
			copy(y[r*panelRows:], a.dst[(row+r)*w.n+j:][:cols])
		}
	}
	restoreKernel.on(a.isa)(&y[0], c, (*int32)(unsafe.Pointer(&a.sums[row])), &a.scales[row], &w.scales[j], 4*stride, rows, a.add)
	if cols < panelRows {
		for r := range rows {
			copy(a.dst[(row+r)*w.n+j:][:cols], y[r*panelRows:])
		}
	}
}
