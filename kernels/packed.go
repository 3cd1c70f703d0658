package kernels

import "fmt"

// panelRows is how many rows of a matrix lie side by side in a panel.
const panelRows = 32

// A Packed is a matrix w [n, k] in the order in which products read it: by
// panels of 32 rows, transposed to [k, 32]. The order is the same for every
// instruction set. It takes the place of the matrix; only rows that fill no
// panel are kept twice.
type Packed struct {
	n, k   int
	panels []float32 // [n/32, k, 32]
	rest   []float32 // [n%32, k] rows beyond the panels, as they were
	last   []float32 // [k, 32] the same as a panel, filled up with zeros; or nil
}

// Pack permutes w [n, k] in place; its memory is the result's from now on.
// Pack panics if the length does not fit.
func Pack(w []float32, n, k int) *Packed {
	mustHave("Pack", 0, k, n, len(w), n*k)
	whole := n / panelRows * panelRows * k
	p := &Packed{n: n, k: k, panels: w[:whole:whole], rest: w[whole:]}
	s := shapes[current()]
	if k > 0 && len(p.rest) > 0 {
		p.last = make([]float32, k*panelRows)
		s.packColumns(p.last, matrix{p.rest, 1, k}, k, n%panelRows, panelRows)
	}
	size := k * panelRows
	if size == 0 {
		return p
	}
	parallel(n/panelRows, func(task int) {
		buf := scratches.get()
		rows, panel := buf.floats(size), p.panels[task*size:][:size]
		copy(rows, panel)
		s.packColumns(panel, matrix{rows, 1, k}, k, panelRows, panelRows)
		scratches.put(buf)
	})
	return p
}

// Shape returns the shape of the matrix.
func (w *Packed) Shape() (n, k int) { return w.n, w.k }

// Row copies row r of the matrix to dst [k].
func (w *Packed) Row(dst []float32, r int) {
	if whole := w.n / panelRows; r >= whole*panelRows {
		copy(dst[:w.k], w.rest[(r-whole*panelRows)*w.k:])
		return
	}
	panel := w.panels[r/panelRows*panelRows*w.k+r%panelRows:]
	for p := range dst[:w.k] {
		dst[p] = panel[p*panelRows]
	}
}

// EmbeddingPacked is Embedding with a packed table [v, c].
func EmbeddingPacked(dst []float32, table *Packed, ids []int32) {
	c := table.k
	mustFit(len(dst) == len(ids)*c, "EmbeddingPacked")
	for _, id := range ids {
		mustBelow(id, 0, table.n, "EmbeddingPacked")
	}
	if len(ids) == 1 {
		table.Row(dst, int(ids[0]))
		return
	}
	packedRowPieces.run(len(ids), max(1, rowsPerTask(c)/8), packedRowCall{dst, table, ids})
}

type packedRowCall struct {
	dst   []float32
	table *Packed
	ids   []int32
}

var packedRowPieces = inPieces(func(a *packedRowCall, from, to int) {
	c := a.table.k
	for r := from; r < to; r++ {
		a.table.Row(a.dst[r*c:(r+1)*c], int(a.ids[r]))
	}
})

// MatMulPacked is MatMul with a packed matrix [n, k]: dst[m, n] = x[m, k] · wᵀ,
// with the same bits.
func MatMulPacked(dst, x []float32, w *Packed, m int) { w.multiply("MatMulPacked", dst, x, m, false) }

// MatMulPackedAdd adds the product to dst, as MatMulAdd does.
func MatMulPackedAdd(dst, x []float32, w *Packed, m int) {
	w.multiply("MatMulPackedAdd", dst, x, m, true)
}

// A packedProduct is one product with a packed matrix, cut into tasks.
type packedProduct struct {
	w                    *Packed
	shape                shape
	c, a                 matrix
	rows                 int
	add                  bool
	rowsEach, panelsEach int
	rowTasks             int
	run                  func(task int) // p.task, bound once
}

var packedProducts = freeList[packedProduct]{fresh: func() *packedProduct {
	p := &packedProduct{}
	p.run = p.task
	return p
}}

// Sizes of tasks. Few rows take as long as leastRows, the time being that of
// reading the panel. packedRows times 2*packedSteps elements are most of a second-level
// cache; of rows that are longer, packedSteps are taken at a time.
const (
	leastRows   = 8
	packedRows  = 252
	packedSteps = 384
	mostTask    = 8 << 20 // fused multiply-adds
)

func (w *Packed) multiply(kernel string, dst, x []float32, m int, add bool) {
	if len(dst) != m*w.n || len(x) != m*w.k || m < 0 {
		panic(fmt.Sprintf("kernels.%s: %d rows of a matrix [%d, %d] do not fit lengths of %d and %d",
			kernel, m, w.n, w.k, len(dst), len(x)))
	}
	if len(dst) == 0 {
		return
	}
	if w.k == 0 {
		if !add {
			clear(dst)
		}
		return
	}
	one := packedProduct{w: w, shape: shapes[current()].summing(w.k), c: matrix{dst, w.n, 1}, a: matrix{x, w.k, 1}, rows: m, add: add}
	tasks := one.plan()
	if tasks == 1 || Workers() == 1 {
		for task := range tasks {
			one.task(task)
		}
		return
	}
	p := packedProducts.get()
	run := p.run
	*p = one
	p.run = run
	parallel(tasks, run)
	*p = packedProduct{run: run}
	packedProducts.put(p)
}

// plan cuts c into tasks and returns their number.
func (p *packedProduct) plan() int {
	p.rowTasks = (p.rows + packedRows - 1) / packedRows
	p.rowsEach = (p.rows + p.rowTasks - 1) / p.rowTasks
	panels := (p.w.n + panelRows - 1) / panelRows
	p.panelsEach = max(1, min(panels, mostTask/(max(p.rowsEach, leastRows)*panelRows*p.w.k)))
	return p.rowTasks * ((panels + p.panelsEach - 1) / p.panelsEach)
}

// task computes some rows with some panels: all steps of a panel where the
// rows fit a cache, or one block of steps after the other.
func (p *packedProduct) task(task int) {
	w, first := p.w, task/p.rowTasks*p.panelsEach
	row := task % p.rowTasks * p.rowsEach
	rows, last := min(p.rowsEach, p.rows-row), min((first+p.panelsEach)*panelRows, w.n)
	each := w.k
	if rows*each > packedRows*2*packedSteps {
		each = packedSteps
	}
	for at := 0; at < w.k; at += each {
		steps := min(each, w.k-at)
		for j := first * panelRows; j < last; j += panelRows {
			p.shape.wide(p.c.from(row, j), p.a.from(row, at), w.panel(j).from(at, 0), rows, steps, min(panelRows, last-j), p.add || at > 0)
		}
	}
}

// panel is the panel of which row j is the first.
func (w *Packed) panel(j int) matrix {
	if j+panelRows > w.n {
		return matrix{w.last, panelRows, 1}
	}
	return matrix{w.panels[j*w.k:][:w.k*panelRows], panelRows, 1}
}

// wideRows is how many rows a tile of four vectors may have: so few that the
// steps of two would wait for each other.
const wideRows = 2

// wide multiplies with the first cols columns of b, which is read in place by
// whole vectors: c [rows, cols] (+)= a [rows, steps] · b [steps, cols].
func (s shape) wide(c, a, b matrix, rows, steps, cols int, add bool) {
	for j := 0; j < cols; {
		width := s.panelWidth(j, cols)
		if rows <= wideRows && cols-j > 3*s.lanes { // the last vector must not be empty
			width = 4 * s.lanes
		}
		s.panel(c.from(0, j), a, b.from(0, j), rows, steps, min(width, cols-j), width, add)
		j += width
	}
}
