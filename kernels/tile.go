package kernels

import "unsafe"

// A shape says how the tiles of an instruction set are cut: at most rows, and
// one or two vectors of lanes columns, or four where rows are few. Where parts
// of vectors cannot be stored, ragged is set and such tiles go through a buffer.
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
var tileKernels = func() (kernels [maxTileRows + 1][5]*perISA[tileFunc]) {
	for rows := range kernels {
		for _, vectors := range []int{1, 2, 4} {
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
		rows := c.from(tile*height, 0)
		for i := range height {
			copy(r[i*width:], rows.data[i*c.row:][:have])
		}
		kernel(&r[0], a.at(tile*height, 0), &b.data[0], 4*width, 4*a.row, 4*a.col, 4*b.row, steps, 1, s.lanes, flag(add))
		for i := range height {
			copy(rows.data[i*c.row:][:have], r[i*width:])
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
