package kernels

import "unsafe"

// A shape says how the tiles of an instruction set are cut: at most rows, and
// one or two vectors of lanes columns, or four where rows are few. Where parts
// of vectors cannot be stored, ragged is set and such tiles go through a buffer.
// Where pieces is set, sums are taken piece by piece, see summing.
type shape struct {
	isa         isa
	rows, lanes int
	ragged      bool
	pieces      bool
}

var shapes = [isaCount]shape{
	generic: {isa: generic, rows: 8, lanes: 8},
	neon:    {isa: neon, rows: 8, lanes: 4, ragged: true},
	avx2:    {isa: avx2, rows: 6, lanes: 8, ragged: true},
	avx512:  {isa: avx512, rows: 14, lanes: 16},
}

// The largest tiles: rows of any, columns of those in pure Go.
const (
	maxTileRows = 14
	maxTileCols = 32
)

// What a tile does with the c that is there.
const (
	replaced = iota
	chained
	joined
)

// A tileFunc multiplies tiles of a fixed number of rows, one below the other,
// with one panel of vectors*lanes columns:
//
//	c[i][j] = sum over p < steps of a[i][p] * b[p][j]
//
// The sum is one chain of fused multiply-adds, which starts from zero or, if add
// is chained, from c[i][j]; if add is joined, c[i][j] is added to the finished sum.
// cRow and aRow are the distance of rows, aStep and bStep that of steps in
// bytes. cols is how many columns of the last vector c has; b is read in whole
// vectors. steps and tiles are at least 1.
type tileFunc func(c, a, b *float32, cRow, aRow, aStep, bStep, steps, tiles, cols, add int)

// tileKernels has the tiles by vectors and rows.
var tileKernels = func() (kernels [5][maxTileRows + 1]*perISA[tileFunc]) {
	for _, vectors := range []int{1, 2, 4} {
		for rows := range kernels[vectors] {
			kernels[vectors][rows] = implement(tileGeneric(rows, 8*vectors))
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
			var sums [maxTileCols]float32
			if add == chained {
				copy(sums[:], out)
			}
			for p := range steps {
				e := *(*float32)(unsafe.Add(unsafe.Pointer(a), row*aRow+p*aStep))
				for j, w := range unsafe.Slice((*float32)(unsafe.Add(unsafe.Pointer(b), p*bStep)), cols) {
					sums[j] = fma32(e, w, sums[j])
				}
			}
			for j := range out {
				if add == joined {
					sums[j] += out[j]
				}
				out[j] = sums[j]
			}
		}
	}
}

// A right is b of a product from a step on: panels as pack left them, of stride steps
// each, or with a stride of 0 a matrix that is read in place.
type right struct {
	matrix
	stride, step int
}

// packed is b as pack left it, with panels of stride steps.
func packed(panels []float32, stride int) right { return right{matrix{data: panels}, stride, 0} }

// panel is the panel of width columns that begins at column j.
func (b right) panel(j, width int) matrix {
	if b.stride == 0 {
		return b.from(b.step, j)
	}
	return matrix{b.data[b.stride*j+b.step*width:], width, 1}
}

// down is b from a step on.
func (b right) down(step int) right { return right{b.matrix, b.stride, b.step + step} }

// after is b from column j on, where a panel begins.
func (b right) after(j int) right {
	if b.stride == 0 {
		return right{b.from(0, j), 0, b.step}
	}
	return right{matrix{data: b.data[b.stride*j:]}, b.stride, b.step}
}

// multiplyPanels computes c [rows, cols] (+)= a [rows, steps] · b. Of steps and columns
// of b the first may be used alone, columns in multiples of 32.
func (s shape) multiplyPanels(c, a matrix, b right, rows, steps, cols int, add bool) {
	for j := 0; j < cols; {
		width := s.panelWidth(j, cols)
		s.panel(c.from(0, j), a, b.panel(j, width), rows, steps, min(width, cols-j), width, add)
		j += width
	}
}

// readsInPlace reports whether b, of which cols columns are wanted, need not be
// packed: columns lie side by side in whole vectors, and steps so far apart that
// they spread over the sets of a cache. Lines 2ⁿ lines apart share every 2ⁿ-th
// set alone.
func (s shape) readsInPlace(b matrix, cols int) bool {
	const line = 16 // elements
	lines := b.row / line
	return b.col == 1 && cols%s.lanes == 0 && b.row%line == 0 && lines&-lines <= 4
}

// panel multiplies with width columns of b [steps, width], of which have exist
// in c. b is read in place, by whole vectors.
func (s shape) panel(c, a, b matrix, rows, steps, have, width int, add bool) {
	_, _, _ = c.at(rows-1, have-1), a.at(rows-1, steps-1), b.at(steps-1, width-1)
	t := tiling{shape: s, c: c, a: a, b: b, have: have, width: width, kernels: &tileKernels[width/s.lanes]}
	if s.pieces {
		t.inPieces(rows, steps, add)
		return
	}
	block := even(steps, a.blockSteps(rows))
	for p := 0; p < steps; p += block {
		t.rowTiles(0, p, rows, min(block, steps-p), add || p > 0)
	}
}

// A tiling is a product with one panel on its way into tiles. Indices into c, a
// and b have been checked.
type tiling struct {
	shape
	c, a, b     matrix
	have, width int
	kernels     *[maxTileRows + 1]*perISA[tileFunc] // by rows
}

// Sums of at most shortSum terms are taken in pieces of pieceSteps: each is a
// chain from zero, and they are added in order. Rounding errors of a chain grow
// with its length, and small models, whose rows are short, have time for this:
// their steps of training take 2 to 4 % longer. The 480 log-likelihoods of the model stories260K that
// golden_models_test.go compares are 0.87e-5 nats off instead of 1.75e-5 (root of
// the mean square), the worst 3.5e-5 instead of 1.2e-4.
const (
	shortSum   = 256
	pieceSteps = 32
	pieceRows  = 84 // their c stays in the first-level cache
)

// summing is s for sums of so many terms, of a layer's output.
func (s shape) summing(terms int) shape {
	s.pieces = terms <= shortSum
	return s
}

// inPieces computes rows rows of sums in pieces.
func (t *tiling) inPieces(rows, steps int, add bool) {
	for row := 0; row < rows; row += pieceRows {
		for p := 0; p < steps; p += pieceSteps {
			t.rowTiles(row, p, min(pieceRows, rows-row), min(pieceSteps, steps-p), add || p > 0)
		}
	}
}

// rowTiles adds steps steps from step on to rows from row on, cut into tiles that
// differ by at most one row.
func (t *tiling) rowTiles(row, step, rows, steps int, add bool) {
	most := t.tallest()
	tiles := (rows + most - 1) / most
	height := rows / tiles
	if taller := rows - tiles*height; taller > 0 {
		t.run(row, step, taller, height+1, steps, add)
		row, tiles = row+taller*(height+1), tiles-taller
	}
	t.run(row, step, tiles, height, steps, add)
}

// A first-level cache has cacheWays places for lines that are a multiple of wayBytes apart.
const (
	wayBytes  = 4096
	cacheWays = 12
)

// tallest is how many rows a tile has at most. More of them than a cache has places
// for would drive each other out of it at every step.
func (t *tiling) tallest() int {
	if t.a.col == 1 && 4*t.a.row%wayBytes == 0 {
		return min(t.rows, cacheWays)
	}
	return t.rows
}

// run calls the kernel for tiles of one height.
func (t *tiling) run(row, step, tiles, height, steps int, add bool) {
	kernel, onto := t.kernels[height].on(t.isa), t.onto(add)
	if t.have < t.width && t.ragged {
		c, a, b := t.c.from(row, 0), t.a.from(row, step), t.b.from(step, 0)
		runRagged(kernel, t.lanes, c, a, b, tiles, height, steps, t.have, t.width, onto)
		return
	}
	c, a, b := &t.c, &t.a, &t.b
	kernel(plus(&c.data[0], 4*row*c.row), plus(&a.data[0], 4*(row*a.row+step*a.col)), plus(&b.data[0], 4*step*b.row),
		4*c.row, 4*a.row, 4*a.col, 4*b.row, steps, tiles, t.have-(t.width-t.lanes), onto)
}

// onto is what tiles do with the c that is there.
func (s shape) onto(add bool) int {
	switch {
	case !add:
		return replaced
	case s.pieces:
		return joined
	}
	return chained
}

// runRagged computes tiles that are wider than c in a buffer.
func runRagged(kernel tileFunc, lanes int, c, a, b matrix, tiles, height, steps, have, width, add int) {
	r := raggedTiles.get()
	for tile := range tiles {
		rows := c.from(tile*height, 0)
		for i := range height {
			copy(r[i*width:], rows.data[i*c.row:][:have])
		}
		kernel(&r[0], a.at(tile*height, 0), &b.data[0], 4*width, 4*a.row, 4*a.col, 4*b.row, steps, 1, lanes, add)
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
