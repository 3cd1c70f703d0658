package kernels

import "unsafe"

// packRowsKernels copy steps rows of src, row bytes apart, into panels of as many
// vectors as the index says, apart bytes from one to the next. cols is how many columns
// of each panel exist.
var packRowsKernels = [3]*perISA[func(dst, src *float32, row, steps, cols, panels, apart int)]{
	1: implement(packRowsGeneric(8)), 2: implement(packRowsGeneric(16)),
}

func packRowsGeneric(width int) func(dst, src *float32, row, steps, cols, panels, apart int) {
	return func(dst, src *float32, row, steps, cols, panels, apart int) {
		for i := range panels {
			panel := unsafe.Slice(plus(dst, i*apart), steps*width)
			for p := range steps {
				out := panel[p*width : (p+1)*width]
				clear(out[copy(out, unsafe.Slice(plus(src, p*row+4*i*width), cols)):])
			}
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
	if b.col == 1 {
		s.packRows(dst, b, steps, cols)
		return
	}
	for j := 0; j < cols; {
		width := s.panelWidth(j, cols)
		s.packColumns(dst[steps*j:], b.from(0, j), steps, min(width, cols-j), width)
		j += width
	}
}

// rowsTogether is how many rows are packed into all panels before the next: those
// that are read at a time lie side by side then, which memory is faster at.
const rowsTogether = 8

func (s shape) packRows(dst []float32, b matrix, steps, cols int) {
	whole, width := cols/(2*s.lanes), 2*s.lanes
	for p := 0; p < steps; p += rowsTogether {
		n, rest := min(rowsTogether, steps-p), cols-whole*width
		if whole > 0 {
			s.packRowsOf(dst[p*width:], b.from(p, 0), n, width, width, whole, steps*width)
		}
		if rest > 0 {
			last := s.panelWidth(0, rest)
			s.packRowsOf(dst[steps*whole*width+p*last:], b.from(p, whole*width), n, rest, last, 1, 0)
		}
	}
}

// packRowsOf packs rows of panels of which have columns exist, apart elements from
// one to the next.
func (s shape) packRowsOf(dst []float32, b matrix, steps, have, width, panels, apart int) {
	_, _ = dst[(panels-1)*apart+steps*width-1], b.at(steps-1, (panels-1)*width+have-1)
	if have < width && s.ragged {
		for p := range steps {
			out := dst[p*width : (p+1)*width]
			clear(out[copy(out, b.data[p*b.row:p*b.row+have]):])
		}
		return
	}
	packRowsKernels[width/s.lanes].on(s.isa)(&dst[0], &b.data[0], 4*b.row, steps, have, panels, 4*apart)
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
	if have == width {
		return
	}
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
