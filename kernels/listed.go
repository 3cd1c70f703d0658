package kernels

import (
	"fmt"
	"unsafe"
)

// A Listed is a matrix [n, k] of which only the weights that are not 0 are kept,
// with their columns, row after row.
type Listed struct {
	n, k   int
	starts []int32 // [n+1] where each row begins in pairs
	pairs  []pair
}

// A pair is a weight and its column, in bytes from the beginning of a row of x.
type pair struct {
	column int32
	weight float32
}

// MostListed is the largest k of a Listed, so that distances fit an int32.
const MostListed = (1<<31 - 1) / (4 * panelRows)

// NewListed makes one of weights and their columns, where row r has those from
// starts[r] to starts[r+1]. It panics if they are not within the matrix.
func NewListed(weights []float32, columns, starts []int32, n, k int) *Listed {
	mustFit(len(starts) == n+1 && len(weights) == len(columns) && int(starts[n]) == len(weights) && k <= MostListed, "NewListed")
	w := &Listed{n: n, k: k, starts: starts, pairs: make([]pair, len(weights))}
	for i, c := range columns {
		mustBelow(c, 0, k, "NewListed")
		w.pairs[i] = pair{4 * c, weights[i]}
	}
	return w
}

// Row sets dst [k] to row r.
func (w *Listed) Row(dst []float32, r int) {
	clear(dst[:w.k])
	for _, p := range w.pairs[w.starts[r]:w.starts[r+1]] {
		dst[p.column/4] = p.weight
	}
}

// MatMulListed multiplies x [m, k] with the transpose of w [n, k]: an element of
// dst [m, n] is a chain of fused multiply-adds over the weights of its row, in
// order. It panics if lengths do not fit.
func MatMulListed(dst, x []float32, w *Listed, m int) {
	w.multiply("MatMulListed", dst, x, m, false)
}

// MatMulListedAdd starts the chains from dst.
func MatMulListedAdd(dst, x []float32, w *Listed, m int) {
	w.multiply("MatMulListedAdd", dst, x, m, true)
}

type listedCall struct {
	w      *Listed
	dst, x []float32
	m      int
	shape  shape
}

func (w *Listed) multiply(kernel string, dst, x []float32, m int, add bool) {
	if len(dst) != m*w.n || len(x) != m*w.k || m < 0 {
		panic(fmt.Sprintf("kernels.%s: %d rows of a matrix [%d, %d] do not fit lengths of %d and %d", kernel, m, w.n, w.k, len(dst), len(x)))
	}
	if !add {
		clear(dst)
	}
	if len(dst) == 0 || len(w.pairs) == 0 {
		return
	}
	call := listedCall{w, dst, x, m, shapes[current()]}
	each := max(1, len(w.pairs)/w.n)
	if m < listedRows {
		listedVectors.run(w.n, max(16, grain/(4*m*each)), call)
	} else {
		listedPanels.run((m+panelRows-1)/panelRows, 1, call)
	}
}

// listedRows is how many rows of x are worth transposing.
const listedRows = 6

// listedVectors multiplies rows of x one by one with some rows of w.
var listedVectors = inPieces(func(a *listedCall, from, to int) {
	run := listedRuns.get()
	run.set(a, 0)
	for r := range a.m {
		run.rows(a.dst[r*a.w.n+from:], &a.x[r*a.w.k], from, to)
	}
	listedRuns.put(run)
})

// listedPanels multiplies 32 rows of x, transposed.
var listedPanels = inPieces(func(a *listedCall, from, to int) {
	w, buf, run := a.w, scratches.get(), listedRuns.get()
	run.set(a, 1)
	space := buf.floats((w.k + panelRows) * panelRows)
	for panel := from; panel < to; panel++ {
		row := panel * panelRows
		rows := min(panelRows, a.m-row)
		x, y := space[:w.k*panelRows], space[w.k*panelRows:]
		a.shape.packColumns(x, matrix{a.x[row*w.k:], 1, w.k}, w.k, rows, panelRows)
		for j := 0; j < w.n; j += panelRows {
			cols := min(panelRows, w.n-j)
			dst := matrix{a.dst[row*w.n+j:], w.n, 1}
			clear(y)
			a.shape.transpose(y, panelRows, dst.transposed(), cols, rows)
			run.rows(y, &x[0], j, j+cols)
			a.shape.transpose(dst.data, w.n, matrix{y, 1, panelRows}, rows, cols)
		}
	}
	listedRuns.put(run)
	scratches.put(buf)
})

// transpose sets element (p, j) of dst, whose rows are width long, to that of src
// [steps, cols], whose columns lie side by side.
func (s shape) transpose(dst []float32, width int, src matrix, steps, cols int) {
	kernel, groups, j := packColumnsKernel.on(s.isa), steps/4, 0
	for ; j+s.lanes <= cols && groups > 0; j += s.lanes {
		kernel(&dst[j], src.at(0, j), 4*src.col, groups, 4*width)
		copyColumns(dst[j:], src.from(0, j), 4*groups, steps, s.lanes, width)
	}
	if j < cols {
		copyColumns(dst[j:], src.from(0, j), 0, steps, cols-j, width)
	}
}

// A listedRun goes through rows of w, several side by side as long as all of them
// have pairs left.
type listedRun struct {
	w         *Listed
	one, many listedFunc
	together  int
	size      int // elements of y and of x for each row and column of w
	start     int32
}

var listedRuns freeList[listedRun]

// set prepares r for one row of x, or for 32 where wide is 1.
func (r *listedRun) set(a *listedCall, wide int) {
	r.w, r.together, r.size = a.w, 4, 1
	if wide == 1 {
		r.size = panelRows
		if a.shape.isa != avx512 {
			r.together = 2
		}
	}
	r.one, r.many = listedKernels[wide][1].on(a.shape.isa), listedKernels[wide][r.together].on(a.shape.isa)
}

// rows adds the chains of rows from to to of w to y.
func (r *listedRun) rows(y []float32, x *float32, from, to int) {
	starts := r.w.starts
	for at := from; at < to; at += r.together {
		rows, shared := min(r.together, to-at), int32(0)
		if rows == r.together {
			shared = starts[at+1] - starts[at]
			for o := at + 1; o < at+rows; o++ {
				shared = min(shared, starts[o+1]-starts[o])
			}
		}
		if shared > 0 {
			r.many(&y[(at-from)*r.size], x, &r.w.pairs[0], &starts[at], int(shared))
		}
		for o := at; o < at+rows; o++ {
			r.start = starts[o] + shared
			if left := starts[o+1] - r.start; left > 0 {
				r.one(&y[(o-from)*r.size], x, &r.w.pairs[0], &r.start, int(left))
			}
		}
	}
}

// A listedFunc continues the chains of some rows of w side by side, each with so
// many pairs behind its start: y [rows], of one row of x; or y [rows, 32] of 32
// that are transposed, [k, 32].
type listedFunc func(y, x *float32, pairs *pair, starts *int32, count int)

// listedKernels has them for one row of x and for 32, by rows of w.
var listedKernels = func() (kernels [2][5]*perISA[listedFunc]) {
	for _, rows := range []int{1, 2, 4} {
		kernels[0][rows] = implement(listedGeneric(rows, 1))
		kernels[1][rows] = implement(listedGeneric(rows, panelRows))
	}
	return kernels
}()

func listedGeneric(rows, width int) listedFunc {
	return func(y, x *float32, pairs *pair, starts *int32, count int) {
		for r := range rows {
			out := unsafe.Slice(offset(y, 4*width*r), width)
			start := int(*offset(starts, 4*r))
			for _, p := range unsafe.Slice(offset(pairs, 8*start), count) {
				for j, e := range unsafe.Slice(offset(x, int(p.column)*width), width) {
					out[j] = fma32(p.weight, e, out[j])
				}
			}
		}
	}
}
