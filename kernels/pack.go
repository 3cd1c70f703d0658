package kernels

import "unsafe"

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
