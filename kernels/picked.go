package kernels

import (
	"fmt"
	"unsafe"
)

// A Picked is a matrix [n, k] of which each panel of 32 rows has weights in the
// same few columns only. Products skip the other columns.
type Picked struct {
	weights *Packed // [n, kept]
	k       int
	picks   []int32 // [panels, kept] where the columns are in a row of x, in bytes
}

// PackPicked makes one of weights [n, kept] and the columns [panels, kept] that
// they stand in. The memory of the weights is used for it. It panics if lengths
// do not fit or a column is not below k.
func PackPicked(weights []float32, columns []int32, n, kept, k int) *Picked {
	mustHave("PackPicked", n, k, kept, len(weights), n*kept, len(columns), (n+panelRows-1)/panelRows*kept)
	w := &Picked{weights: Pack(weights, n, kept), k: k, picks: make([]int32, len(columns))}
	for i, c := range columns {
		mustBelow(c, 0, k, "PackPicked")
		w.picks[i] = 4 * c
	}
	return w
}

// Row sets dst [k] to row r.
func (w *Picked) Row(dst []float32, r int) {
	clear(dst[:w.k])
	kept := w.weights.k
	row := scratches.get()
	values := row.floats(kept)
	w.weights.Row(values, r)
	for i, pick := range w.picks[r/panelRows*kept:][:kept] {
		dst[pick/4] = values[i]
	}
	scratches.put(row)
}

// MatMulPicked multiplies x [m, k] with the transpose of w [n, k]: an element of
// dst [m, n] is a chain of fused multiply-adds over the columns that its panel
// has, in order. It panics if lengths do not fit.
func MatMulPicked(dst, x []float32, w *Picked, m int) {
	w.multiply("MatMulPicked", dst, x, m, false)
}

// MatMulPickedAdd starts the chains from dst.
func MatMulPickedAdd(dst, x []float32, w *Picked, m int) {
	w.multiply("MatMulPickedAdd", dst, x, m, true)
}

type pickedCall struct {
	w      *Picked
	dst, x []float32
	m      int
	add    bool
	shape  shape
}

func (w *Picked) multiply(kernel string, dst, x []float32, m int, add bool) {
	n, kept := w.weights.Shape()
	if len(dst) != m*n || len(x) != m*w.k || m < 0 {
		panic(fmt.Sprintf("kernels.%s: %d rows of a matrix [%d, %d] do not fit lengths of %d and %d", kernel, m, n, w.k, len(dst), len(x)))
	}
	if len(dst) == 0 {
		return
	}
	if kept == 0 {
		if !add {
			clear(dst)
		}
		return
	}
	panels, blocks := (n+panelRows-1)/panelRows, (m+packedRows-1)/packedRows
	pickedProducts.run(blocks*panels, max(1, mostTask/(max(m/blocks, leastRows)*panelRows*kept)), pickedCall{w, dst, x, m, add, shapes[current()]})
}

// pickedProducts numbers the panels of the first rows, then those of the next.
var pickedProducts = inPieces(func(a *pickedCall, from, to int) {
	n, _ := a.w.weights.Shape()
	panels, blocks := (n+panelRows-1)/panelRows, (a.m+packedRows-1)/packedRows
	rows := (a.m + blocks - 1) / blocks
	buf := scratches.get()
	space := buf.floats(rows * panelRows)
	for piece := from; piece < to; piece++ {
		row, j := piece/panels*rows, piece%panels*panelRows
		count, cols := min(rows, a.m-row), min(panelRows, n-j)
		c := matrix{a.dst[row*n+j:], n, 1}
		if cols < panelRows { // whole vectors go through a buffer
			copyRows(matrix{space, panelRows, 1}, c, count, cols)
			a.w.tiles(a, matrix{space, panelRows, 1}, row, count, j)
			copyRows(c, matrix{space, panelRows, 1}, count, cols)
		} else {
			a.w.tiles(a, c, row, count, j)
		}
	}
	scratches.put(buf)
})

// copyRows copies what two matrices have in common.
func copyRows(dst, src matrix, rows, cols int) {
	for r := range rows {
		copy(dst.data[r*dst.row:][:cols], src.data[r*src.row:])
	}
}

// tiles computes some rows of one panel, which begins at column j.
func (w *Picked) tiles(a *pickedCall, c matrix, row, rows, j int) {
	kept, panel := w.weights.k, w.weights.panel(j).data
	picks := w.picks[j/panelRows*kept:][:kept]
	for p := 0; p < kept; p += packedSteps {
		steps := min(packedSteps, kept-p)
		tiles := (rows + a.shape.rows - 1) / a.shape.rows
		height, taller, at := rows/tiles, rows%tiles, 0
		for _, run := range [2]struct{ tiles, height int }{{taller, height + 1}, {tiles - taller, height}} {
			if run.tiles == 0 {
				continue
			}
			for col := 0; col < panelRows; col += 2 * a.shape.lanes {
				pickedTiles[run.height].on(a.shape.isa)(&c.data[at*c.row+col], &a.x[(row+at)*w.k], &panel[p*panelRows+col], &picks[p],
					4*c.row, 4*w.k, steps, run.tiles, flag(a.add || p > 0))
			}
			at += run.tiles * run.height
		}
	}
}

// A pickedFunc is a tileFunc of two vectors that takes the element of a of every
// step at a listed distance in bytes. Steps of b are 128 bytes apart.
type pickedFunc func(c, a, b *float32, picks *int32, cRow, aRow, steps, tiles, add int)

// pickedTiles has them by rows.
var pickedTiles = func() (kernels [maxTileRows + 1]*perISA[pickedFunc]) {
	for rows := range kernels {
		kernels[rows] = implement(pickedGeneric(rows))
	}
	return kernels
}()

func pickedGeneric(rows int) pickedFunc {
	return func(c, a, b *float32, picks *int32, cRow, aRow, steps, tiles, add int) {
		width := 2 * shapes[generic].lanes
		for r := range rows * tiles {
			out := unsafe.Slice(offset(c, r*cRow), width)
			if add == 0 {
				clear(out)
			}
			for p, pick := range unsafe.Slice(picks, steps) {
				e := *offset(a, r*aRow+int(pick))
				for j, w := range unsafe.Slice(offset(b, 4*panelRows*p), width) {
					out[j] = fma32(e, w, out[j])
				}
			}
		}
	}
}
