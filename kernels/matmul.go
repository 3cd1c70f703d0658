package kernels

import "fmt"

// MatMul multiplies x with the transpose of w, as a linear layer does:
//
//	dst[i][j] = sum over p of x[i][p] * w[j][p]
//
// dst is [m, n], x is [m, k] and w is [n, k]. As in all products of this file
// an element is one chain of fused multiply-adds over the summed index in
// increasing order, or here, up to a k of 256, the sum of chains of 32 terms, so
// that every implementation and number of workers gives the same bits. dst may not overlap x or w. MatMul panics if lengths do not fit.
func MatMul(dst, x, w []float32, m, k, n int) { unkept.MatMul(dst, x, w, m, k, n) }

// MatMulAdd adds the product to dst, whose elements the first chains start from,
// or which pieces are added to: dst[m, n] += x[m, k] · w[n, k]ᵀ.
func MatMulAdd(dst, x, w []float32, m, k, n int) { unkept.MatMulAdd(dst, x, w, m, k, n) }

// MatMulBackX is the gradient of MatMul by x: dx[m, k] = dy[m, n] · w[n, k].
func MatMulBackX(dx, dy, w []float32, m, k, n int) { unkept.MatMulBackX(dx, dy, w, m, k, n) }

// MatMulBackXAdd adds it to dx: dx[m, k] += dy[m, n] · w[n, k].
func MatMulBackXAdd(dx, dy, w []float32, m, k, n int) { unkept.MatMulBackXAdd(dx, dy, w, m, k, n) }

// MatMulBackW adds the gradient of MatMul by w to dw, over the rows in order:
// dw[n, k] += dy[m, n]ᵀ · x[m, k].
func MatMulBackW(dw, dy, x []float32, m, k, n int) {
	MatMulBackWs(x, m, k, WeightGradient{dw, dy, n})
}

// A WeightGradient is what MatMulBackW adds up for one of the matrices w [N, k]
// that the same x is multiplied with: DW [N, k] from DY [m, N].
type WeightGradient struct {
	DW, DY []float32
	N      int
}

// MatMulBackWs is MatMulBackW for several matrices, with the same bits.
func MatMulBackWs(x []float32, m, k int, of ...WeightGradient) {
	var buf [3]factor
	all := buf[:0]
	for _, w := range of {
		mustHave("MatMulBackW", m, k, w.N, len(w.DW), w.N*k, len(w.DY), m*w.N, len(x), m*k)
		all = append(all, factor{matrix{w.DW, k, 1}, matrix{w.DY, 1, w.N}, w.N})
	}
	shapes[current()].multiply(matrix{x, k, 1}, m, k, true, nil, all...)
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

// Sizes of blocks. Of b, some steps of colBlock columns are packed at a time.
// As many rows of a as fill areaBlock fit a second-level cache, through which one
// panel after the other runs, and all panels a third-level one. Tiles that begin and
// end seldom are worth more than panels that fit a first-level cache. Where a is read
// down its columns, blocks are shorter: the lines of a tile have to wait for the next,
// which begins in them. They are shorter too for fewer than leastRows rows, which wait
// for b. Tasks are large enough to be worth handing out, about 10 µs with AVX-512.
const (
	stepBlock   = 1024
	columnBlock = 512
	fewRowSteps = 384
	areaBlock   = 128 << 10
	mostRows    = 504
	colBlock    = 2048
	leastTask   = 1 << 20 // fused multiply-adds
	leastPack   = 1 << 15 // elements
	// Of a product that several workers share:
	shareTasks = 4  // for each worker
	shareRows  = 42 // of a task at least
)

// A product is one call of multiply. Blocks of b are packed one after the
// other, and what each adds to c is computed from them by tasks.
type product struct {
	c, a, b           matrix // from the block on
	rows, steps, cols int    // of the block
	add               bool
	shape             shape
	right             right     // b as tiles read it
	panels            []float32 // b, packed
	packEach          int       // columns of a task of packing
	rowTasks          int
	rowsEach          int            // rows of a task
	colsEach          int            // columns of a task
	pack, run         func(task int) // methods, bound once
}

var products = freeList[product]{fresh: func() *product {
	p := &product{}
	p.pack, p.run = p.packTask, p.task
	return p
}}

// A factor is what a product has beside b: a [rows, steps], and c [rows, cols]
// for the result.
type factor struct {
	c, a matrix
	rows int
}

// multiply computes c (+)= a · b for each c and a of of, with one b [steps, cols],
// whose panels go to kept, where they may be already, or with nil are forgotten.
func (s shape) multiply(b matrix, steps, cols int, add bool, kept *order, of ...factor) {
	if cols == 0 || steps == 0 {
		clearResults(of, cols, add)
		return
	}
	p, buf := products.get(), scratches.get()
	p.shape = s
	block := blockOf(of, steps)
	kept.cut(s, block)
	for col := 0; col < cols; col += colBlock {
		p.cols = min(colBlock, cols-col)
		for at := 0; at < steps; at += block {
			p.steps = min(block, steps-at)
			p.b, p.add = b.from(at, col), add || at > 0
			p.order(kept.panels(steps, at, col, p.cols), kept.isPacked(), buf)
			for _, f := range of {
				p.multiply(f, at, col)
			}
		}
	}
	kept.done()
	scratches.put(buf)
	p.c, p.a, p.b, p.right, p.panels = matrix{}, matrix{}, matrix{}, right{}, nil
	products.put(p)
}

// clearResults clears what sums of no terms give, unless they are added.
func clearResults(of []factor, cols int, add bool) {
	for _, f := range of {
		if !add {
			clear(f.c.data[:f.rows*cols])
		}
	}
}

// blockOf is how many steps a block has.
func blockOf(of []factor, steps int) int {
	if len(of) == 0 {
		return steps
	}
	return even(steps, of[0].a.blockSteps(of[0].rows))
}

// blockSteps is how many steps of so many rows of a tiles take at a time.
func (a matrix) blockSteps(rows int) int {
	switch {
	case a.row == 1:
		return columnBlock
	case rows < leastRows:
		return fewRowSteps
	}
	return stepBlock
}

// even is the size of blocks of n, at most block each, that differ little.
func even(n, block int) int {
	blocks := (n + block - 1) / block
	return min(block, ((n+blocks-1)/blocks+15)&^15)
}

// order sees that the block of b is packed, in kept, or where it is nil in buf,
// unless it can be read where it is.
func (p *product) order(kept []float32, isPacked bool, buf *scratch) {
	p.panels = kept
	if kept == nil {
		if p.shape.readsInPlace(p.b, p.cols) {
			p.right = right{matrix: p.b}
			return
		}
		p.panels = buf.floats(p.shape.packedLen(p.steps, p.cols))
	}
	p.right = packed(p.panels, p.steps)
	if isPacked {
		return
	}
	width := 2 * p.shape.lanes
	panels := (p.cols + width - 1) / width
	p.packEach = min(panels, max(1, leastPack/(width*p.steps))) * width
	parallel((p.cols+p.packEach-1)/p.packEach, p.pack)
}

// multiply computes with one block of b, which begins at step at and column col.
func (p *product) multiply(f factor, at, col int) {
	if f.rows == 0 {
		return
	}
	p.c, p.a, p.rows = f.c.from(0, col), f.a.from(0, at), f.rows
	p.cut()
	parallel(p.rowTasks*((p.cols+p.colsEach-1)/p.colsEach), p.run)
}

// cut sets the sizes of tasks: blocks of rows, as few as fit the cache, but
// several for each worker where the product is large enough, and parts of the
// columns where there are too few rows for that.
func (p *product) cut() {
	width := 2 * p.shape.lanes
	panels := (p.cols + width - 1) / width
	tasks := 1
	if workers := Workers(); workers > 1 {
		tasks = min(shareTasks*workers, max(1, p.rows*p.steps*p.cols/leastTask))
	}
	rowBlock := min(mostRows, areaBlock/p.steps)
	rowTasks := max((p.rows+rowBlock-1)/rowBlock, min(tasks, p.rows/shareRows))
	p.rowsEach = (p.rows + rowTasks - 1) / rowTasks
	p.rowTasks = (p.rows + p.rowsEach - 1) / p.rowsEach
	colTasks := max(1, min(panels, tasks/p.rowTasks))
	p.colsEach = (panels + colTasks - 1) / colTasks * width
}

// packTask packs some panels of b.
func (p *product) packTask(task int) {
	col := task * p.packEach
	p.shape.pack(p.panels[p.steps*col:], p.b.from(0, col), p.steps, min(p.packEach, p.cols-col))
}

// task computes one block of c.
func (p *product) task(task int) {
	row, col := task%p.rowTasks*p.rowsEach, task/p.rowTasks*p.colsEach
	rows, cols := min(p.rowsEach, p.rows-row), min(p.colsEach, p.cols-col)
	a, buf := p.a.from(row, 0), (*scratch)(nil)
	if p.copies() {
		buf = scratches.get()
		a = a.copied(buf.floats((rows+copyGap)*p.steps), rows, p.steps)
	}
	p.shape.multiplyPanels(p.c.from(row, col), a, p.right.after(col), rows, p.steps, cols, p.add)
	if buf != nil {
		scratches.put(buf)
	}
}

// copyGap is the distance of columns beyond their length in a copied block.
const copyGap = 16

// copies reports whether tasks copy their blocks of a. Where a is read down
// its columns, steps that are long lines or a multiple of 1 KiB apart fall on
// few sets of a cache and drive each other out before the next tile needs the
// rest of a line. Tiles of many rows leave little of a line.
func (p *product) copies() bool {
	return p.a.row == 1 && p.cols > 48 && p.shape.rows < 10 && (p.a.col%256 == 0 || p.a.col > 1024)
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
