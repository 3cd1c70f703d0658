package kernels

import (
	"fmt"
	"unsafe"
)

// MatMul multiplies x with the transpose of w, as a linear layer does:
//
//	dst[i][j] = sum over p of x[i][p] * w[j][p]
//
// dst is [m, n], x is [m, k] and w is [n, k]. As in all products of this file
// an element is one chain of fused multiply-adds over the summed index in
// increasing order, so that every implementation and number of workers gives
// the same bits. dst may not overlap x or w. MatMul panics if lengths do not fit.
func MatMul(dst, x, w []float32, m, k, n int) {
	mustHave("MatMul", m, k, n, len(dst), m*n, len(x), m*k, len(w), n*k)
	multiply(matrix{dst, n, 1}, matrix{x, k, 1}, matrix{w, 1, k}, m, k, n, false)
}

// MatMulAdd adds the product to dst, whose elements the chains start from:
// dst[m, n] += x[m, k] · w[n, k]ᵀ.
func MatMulAdd(dst, x, w []float32, m, k, n int) {
	mustHave("MatMulAdd", m, k, n, len(dst), m*n, len(x), m*k, len(w), n*k)
	multiply(matrix{dst, n, 1}, matrix{x, k, 1}, matrix{w, 1, k}, m, k, n, true)
}

// MatMulBackX is the gradient of MatMul by x: dx[m, k] = dy[m, n] · w[n, k].
func MatMulBackX(dx, dy, w []float32, m, k, n int) {
	mustHave("MatMulBackX", m, k, n, len(dx), m*k, len(dy), m*n, len(w), n*k)
	multiply(matrix{dx, k, 1}, matrix{dy, n, 1}, matrix{w, k, 1}, m, n, k, false)
}

// MatMulBackXAdd adds it to dx: dx[m, k] += dy[m, n] · w[n, k].
func MatMulBackXAdd(dx, dy, w []float32, m, k, n int) {
	mustHave("MatMulBackXAdd", m, k, n, len(dx), m*k, len(dy), m*n, len(w), n*k)
	multiply(matrix{dx, k, 1}, matrix{dy, n, 1}, matrix{w, k, 1}, m, n, k, true)
}

// MatMulBackW adds the gradient of MatMul by w to dw, over the rows in order:
// dw[n, k] += dy[m, n]ᵀ · x[m, k].
func MatMulBackW(dw, dy, x []float32, m, k, n int) {
	mustHave("MatMulBackW", m, k, n, len(dw), n*k, len(dy), m*n, len(x), m*k)
	multiply(matrix{dw, k, 1}, matrix{dy, 1, n}, matrix{x, k, 1}, n, m, k, true)
}

// mustHave panics unless the three lengths are as expected.
func mustHave(kernel string, m, k, n int, lengths ...int) {
	for i := 0; i < len(lengths); i += 2 {
		if lengths[i] != lengths[i+1] || m < 0 || k < 0 || n < 0 {
			panic(fmt.Sprintf("kernels.%s: m %d, k %d, n %d need a length of %d, not %d",
				kernel, m, k, n, lengths[i+1], lengths[i]))
		}
	}
}

// A matrix is a view: element (i, j) is data[i*row+j*col].
type matrix struct {
	data     []float32
	row, col int
}

// from is the part of x that begins at element (i, j).
func (x matrix) from(i, j int) matrix {
	return matrix{x.data[i*x.row+j*x.col:], x.row, x.col}
}

// at points to element (i, j).
func (x matrix) at(i, j int) *float32 { return &x.data[i*x.row+j*x.col] }

// Sizes of blocks. A panel of stepBlock steps and 32 columns is as large as a
// first-level cache, of which the rows in use need little, and rowBlock rows
// of as many steps fit a second-level cache. Tasks are as large as a small
// product can be shared in: leastTask takes about 20 µs with AVX-512. They
// grow to mostTask where there are enough, so that less is packed twice.
const (
	stepBlock = 384
	rowBlock  = 512
	leastTask = 2 << 20 // fused multiply-adds
	mostTask  = 8 << 20
)

// A shape says how the tiles of an instruction set are cut: at most rows, and
// one or two vectors of lanes columns. Where parts of vectors cannot be
// stored, ragged is set and such tiles go through a buffer.
type shape struct {
	isa         isa
	rows, lanes int
	ragged      bool
}

var shapes = [isaCount]shape{
	generic: {isa: generic, rows: 8, lanes: 8},
	neon:    {isa: neon, rows: 8, lanes: 4, ragged: true},
	avx2:    {isa: avx2, rows: 6, lanes: 8, ragged: true},
	avx512:  {isa: avx512, rows: 14, lanes: 16},
}

const maxTileRows = 14

// A tileFunc multiplies tiles of a fixed number of rows, one below the other,
// with one panel of vectors*lanes columns:
//
//	c[i][j] = (c[i][j] if add is not 0) + sum over p < steps of a[i][p] * b[p][j]
//
// cRow and aRow are the distance of rows, aStep and bStep that of steps in
// bytes. cols is how many columns of the last vector c has; b is read in whole
// vectors. steps and tiles are at least 1.
type tileFunc func(c, a, b *float32, cRow, aRow, aStep, bStep, steps, tiles, cols, add int)

// tileKernels has the tiles by rows and vectors.
var tileKernels = func() (kernels [maxTileRows + 1][3]*perISA[tileFunc]) {
	for rows := range kernels {
		for vectors := 1; vectors <= 2; vectors++ {
			kernels[rows][vectors] = implement(tileGeneric(rows, 8*vectors))
		}
	}
	return kernels
}()

// tileGeneric is the definition of every tile.
func tileGeneric(rows, width int) tileFunc {
	return func(c, a, b *float32, cRow, aRow, aStep, bStep, steps, tiles, cols, add int) {
		cols += width - 8
		for row := range rows * tiles {
			out := unsafe.Slice((*float32)(unsafe.Add(unsafe.Pointer(c), row*cRow)), cols)
			if add == 0 {
				clear(out)
			}
			for p := range steps {
				e := *(*float32)(unsafe.Add(unsafe.Pointer(a), row*aRow+p*aStep))
				for j, w := range unsafe.Slice((*float32)(unsafe.Add(unsafe.Pointer(b), p*bStep)), cols) {
					out[j] = fma32(e, w, out[j])
				}
			}
		}
	}
}

// packRowsKernels copy the rows of a panel; cols counts its columns.
var packRowsKernels = [3]*perISA[func(dst, src *float32, row, steps, cols int)]{
	1: implement(packRowsGeneric(8)), 2: implement(packRowsGeneric(16)),
}

func packRowsGeneric(width int) func(dst, src *float32, row, steps, cols int) {
	return func(dst, src *float32, row, steps, cols int) {
		panel := unsafe.Slice(dst, steps*width)
		for p := range steps {
			out := panel[p*width : (p+1)*width]
			clear(out[copy(out, unsafe.Slice((*float32)(unsafe.Add(unsafe.Pointer(src), p*row)), cols)):])
		}
	}
}

// packColumnsKernel transposes one vector's lanes of rows, row bytes apart,
// each groups*4 long, into rows of a panel that is width bytes wide.
var packColumnsKernel = implement(func(dst, src *float32, row, groups, width int) {
	for j := range shapes[generic].lanes {
		for p := range 4 * groups {
			*(*float32)(unsafe.Add(unsafe.Pointer(dst), p*width+4*j)) = *(*float32)(unsafe.Add(unsafe.Pointer(src), j*row+4*p))
		}
	}
})

// panelWidth is how many columns the panel that begins at column j has room for.
func (s shape) panelWidth(j, cols int) int {
	if cols-j > s.lanes {
		return 2 * s.lanes
	}
	return s.lanes
}

// packedLen is how many elements the panels of steps × cols take.
func (s shape) packedLen(steps, cols int) int {
	return (cols + s.lanes - 1) / s.lanes * s.lanes * steps
}

// pack copies b [steps, cols] into panels: of each, for every step, the
// columns side by side, filled up with zeros.
func (s shape) pack(dst []float32, b matrix, steps, cols int) {
	for j := 0; j < cols; {
		width := s.panelWidth(j, cols)
		have := min(width, cols-j)
		if b.col == 1 {
			s.packRows(dst, b.from(0, j), steps, have, width)
		} else {
			s.packColumns(dst, b.from(0, j), steps, have, width)
		}
		dst = dst[steps*width:]
		j += width
	}
}

func (s shape) packRows(dst []float32, b matrix, steps, have, width int) {
	_, _ = dst[steps*width-1], b.at(steps-1, have-1)
	pack := packRowsKernels[width/s.lanes].on(s.isa)
	if have < width && s.ragged {
		for p := range steps {
			out := dst[p*width : (p+1)*width]
			clear(out[copy(out, b.data[p*b.row:p*b.row+have]):])
		}
		return
	}
	pack(&dst[0], &b.data[0], 4*b.row, steps, have)
}

func (s shape) packColumns(dst []float32, b matrix, steps, have, width int) {
	_, _ = dst[steps*width-1], b.at(steps-1, have-1)
	kernel, groups := packColumnsKernel.on(s.isa), steps/4
	j := 0
	for ; j+s.lanes <= have && groups > 0; j += s.lanes {
		kernel(&dst[j], b.at(0, j), 4*b.col, groups, 4*width)
		copyColumns(dst[j:], b.from(0, j), 4*groups, steps, s.lanes, width)
	}
	copyColumns(dst[j:], b.from(0, min(j, have-1)), 0, steps, have-j, width)
	for p := range steps {
		clear(dst[p*width+have : (p+1)*width])
	}
}

// copyColumns is the plain form of packColumns for steps [from, to).
func copyColumns(dst []float32, b matrix, from, to, cols, width int) {
	for j := range cols {
		for p := from; p < to; p++ {
			dst[p*width+j] = b.data[p*b.row+j*b.col]
		}
	}
}

// multiplyPacked computes c [rows, cols] (+)= a [rows, steps] · b, where
// panels holds b as pack left it with stride steps. Of the packed steps and
// columns the first may be used alone, columns in multiples of 32.
func (s shape) multiplyPacked(c, a matrix, panels []float32, stride, rows, steps, cols int, add bool) {
	for j := 0; j < cols; {
		width := s.panelWidth(j, cols)
		s.panel(c.from(0, j), a, matrix{panels, width, 1}, rows, steps, min(width, cols-j), width, add)
		j += width
		if j < cols {
			panels = panels[stride*width:]
		}
	}
}

// panel multiplies with width columns of b [steps, width], of which have exist
// in c. b is read in place, by whole vectors.
func (s shape) panel(c, a, b matrix, rows, steps, have, width int, add bool) {
	for p := 0; p < steps; p += stepBlock {
		n := min(stepBlock, steps-p)
		s.rowTiles(c, a.from(0, p), b.from(p, 0), rows, n, have, width, add || p > 0)
	}
}

// rowTiles cuts rows into tiles that differ by at most one row.
func (s shape) rowTiles(c, a, b matrix, rows, steps, have, width int, add bool) {
	tiles := (rows + s.rows - 1) / s.rows
	height, taller := rows/tiles, rows%tiles
	row := 0
	for _, run := range [2]struct{ tiles, height int }{{taller, height + 1}, {tiles - taller, height}} {
		if run.tiles == 0 {
			continue
		}
		s.run(c.from(row, 0), a.from(row, 0), b, run.tiles, run.height, steps, have, width, add)
		row += run.tiles * run.height
	}
}

// run calls the kernel for tiles of one height, after a check of the last
// elements that it will touch.
func (s shape) run(c, a, b matrix, tiles, height, steps, have, width int, add bool) {
	rows := tiles * height
	_, _, _ = c.at(rows-1, have-1), a.at(rows-1, steps-1), b.at(steps-1, width-1)
	kernel := tileKernels[height][width/s.lanes].on(s.isa)
	if have < width && s.ragged {
		s.runRagged(kernel, c, a, b, tiles, height, steps, have, width, add)
		return
	}
	kernel(&c.data[0], &a.data[0], &b.data[0], 4*c.row, 4*a.row, 4*a.col, 4*b.row, steps, tiles,
		have-(width-s.lanes), flag(add))
}

// runRagged computes tiles that are wider than c in a buffer.
func (s shape) runRagged(kernel tileFunc, c, a, b matrix, tiles, height, steps, have, width int, add bool) {
	r := raggedTiles.get()
	for tile := range tiles {
		for i := range height {
			copy(r[i*width:], c.data[(tile*height+i)*c.row:][:have])
		}
		kernel(&r[0], a.at(tile*height, 0), &b.data[0], 4*width, 4*a.row, 4*a.col, 4*b.row, steps, 1, s.lanes, flag(add))
		for i := range height {
			copy(c.data[(tile*height+i)*c.row:][:have], r[i*width:])
		}
	}
	raggedTiles.put(r)
}

var raggedTiles freeList[[maxTileRows * 32]float32]

func flag(b bool) int {
	if b {
		return 1
	}
	return 0
}

// A product is one call of multiply, cut into tasks of blocks of c.
type product struct {
	c, a, b           matrix
	rows, steps, cols int
	add               bool
	shape             shape
	rowsEach          int // rows of a task
	colsEach          int // columns of a task
	rowTasks          int
	run               func(task int) // p.task, bound once
}

var products = freeList[product]{fresh: func() *product {
	p := &product{}
	p.run = p.task
	return p
}}

// multiply computes c [rows, cols] (+)= a [rows, steps] · b [steps, cols].
func multiply(c, a, b matrix, rows, steps, cols int, add bool) {
	if rows == 0 || cols == 0 {
		return
	}
	if steps == 0 {
		if !add {
			clear(c.data[:rows*cols])
		}
		return
	}
	p := products.get()
	p.c, p.a, p.b, p.rows, p.steps, p.cols, p.add = c, a, b, rows, steps, cols, add
	p.shape = shapes[current()]
	parallel(p.plan(), p.run)
	p.c, p.a, p.b = matrix{}, matrix{}, matrix{}
	products.put(p)
}

// plan cuts c into tasks and returns their number. Every task packs its own
// part of b, which pays off over rowBlock rows and is affordable over fewer.
func (p *product) plan() int {
	width := 2 * p.shape.lanes
	products := p.rows * p.steps * p.cols
	if products >= 32*leastTask {
		width = 64
		if p.copies() {
			width = 128 // so that a copy serves long enough
		}
	}
	panels := (p.cols + width - 1) / width
	tasks := max(1, products/min(max(products/32, leastTask), mostTask))
	rowTasks := max(1, min(tasks, p.rows/rowBlock))
	colTasks := min(panels, (tasks+rowTasks-1)/rowTasks)
	if rowTasks*colTasks < tasks {
		fewest := 128
		if p.b.col == 1 && products < 32*leastTask {
			fewest = 42 // rows are copied faster than columns
		}
		rowTasks = max(rowTasks, min((tasks+colTasks-1)/colTasks, p.rows/fewest))
	}
	p.rowsEach = (p.rows + rowTasks - 1) / rowTasks
	p.colsEach = (panels + colTasks - 1) / colTasks * width
	p.rowTasks = (p.rows + p.rowsEach - 1) / p.rowsEach
	return p.rowTasks * ((p.cols + p.colsEach - 1) / p.colsEach)
}

// task computes one block of c, in blocks of steps.
func (p *product) task(task int) {
	row, col := task%p.rowTasks*p.rowsEach, task/p.rowTasks*p.colsEach
	rows, cols := min(p.rowsEach, p.rows-row), min(p.colsEach, p.cols-col)
	s := p.shape
	buf := scratches.get()
	c, a, b := p.c.from(row, col), p.a.from(row, 0), p.b.from(0, col)
	for at := 0; at < p.steps; at += stepBlock {
		n := min(stepBlock, p.steps-at)
		block, packed, copied := a.from(0, at), s.packedLen(n, cols), 0
		if cols > 48 && p.copies() {
			copied = (rows + copyGap) * n
		}
		memory := buf.floats(packed + copied)
		if copied > 0 {
			block = block.copied(memory[packed:], rows, n)
		}
		s.pack(memory[:packed], b.from(at, 0), n, cols)
		s.multiplyPacked(c, block, memory[:packed], n, rows, n, cols, p.add || at > 0)
	}
	scratches.put(buf)
}

// copyGap is the distance of columns beyond their length in a copied block.
const copyGap = 16

// copies reports whether tasks copy their blocks of a. Where a is read down
// its columns, steps that are long lines or a multiple of 1 KiB apart fall on
// few sets of a cache and drive each other out before the next tile needs the
// rest of a line. Tiles of many rows leave little of a line.
func (p *product) copies() bool {
	return p.a.row == 1 && p.shape.rows < 10 && (p.a.col%256 == 0 || p.a.col > 1024)
}

// copied returns a copy of x [rows, cols], whose columns it reads and lays
// side by side.
func (x matrix) copied(dst []float32, rows, cols int) matrix {
	y := matrix{dst, 1, rows + copyGap}
	for j := range cols {
		copy(dst[j*y.col:][:rows], x.data[j*x.col:])
	}
	return y
}

func (x matrix) transposed() matrix { return matrix{x.data, x.col, x.row} }
