package kernels

import "unsafe"

// MatMulEach multiplies the matrix of each row of x with the same small matrix:
//
//	dst[r] [p, n] = s [p, q] · x[r] [q, n]
//
// dst is [rows, p, n] and x is [rows, q, n]. An element is one chain over q, as in
// all products. dst may not overlap x or s. It panics if lengths do not fit.
func MatMulEach(dst, s, x []float32, rows, p, q, n int) {
	mustFit(rows >= 0 && p > 0 && q > 0 && n > 0, "MatMulEach")
	mustFit(len(dst) == rows*p*n && len(s) == p*q && len(x) == rows*q*n, "MatMulEach")
	buf := scratches.get()
	call := eachCall{dst, buf.floats(p * q), x, p, q, n, current()}
	call.interleave(s)
	eachPieces.run(rows, max(1, grain/(4*(p+q)*n)), call)
	scratches.put(buf)
}

type eachCall struct {
	dst, s, x []float32 // s as interleave has it
	p, q, n   int
	isa       isa
}

// strips calls do with the rows of s that go through a kernel together.
func (a *eachCall) strips(do func(from, rows int)) {
	most := 4
	if a.isa == avx512 {
		most = 8
	}
	for from := 0; from < a.p; {
		for most > a.p-from {
			most /= 2
		}
		do(from, most)
		from += most
	}
}

// interleave lays s [p, q] out by strips, [q, rows] each.
func (a *eachCall) interleave(s []float32) {
	a.strips(func(from, rows int) {
		strip := a.s[from*a.q:]
		for i := range rows {
			for k, v := range s[(from+i)*a.q:][:a.q] {
				strip[k*rows+i] = v
			}
		}
	})
}

var eachPieces = inPieces(func(a *eachCall, from, to int) {
	for r := from; r < to; r++ {
		dst, x := a.dst[r*a.p*a.n:][:a.p*a.n], a.x[r*a.q*a.n:][:a.q*a.n]
		a.strips(func(from, rows int) {
			eachKernels[rows].on(a.isa)(&dst[from*a.n], &a.s[from*a.q], &x[0], 4*a.n, a.n, a.q)
		})
	}
})

// An eachFunc sets dst [rows, n] to the product of s [steps, rows], transposed, and x
// [steps, n]; rows of dst and x are row bytes apart.
type eachFunc func(dst, s, x *float32, row, n, steps int)

// eachKernels has them by rows.
var eachKernels = func() (kernels [9]*perISA[eachFunc]) {
	for rows := 1; rows < len(kernels); rows *= 2 {
		kernels[rows] = implement(eachGeneric(rows))
	}
	return kernels
}()

func eachGeneric(rows int) eachFunc {
	return func(dst, s, x *float32, row, n, steps int) {
		for i := range rows {
			out := unsafe.Slice(offset(dst, i*row), n)
			clear(out)
			for k := range steps {
				weight := *offset(s, 4*(k*rows+i))
				for j, v := range unsafe.Slice(offset(x, k*row), n) {
					out[j] = fma32(weight, v, out[j])
				}
			}
		}
	}
}

// Gather sets every row of dst to elements of the row of src:
//
//	dst[r][i] = src[r][index[i]]
//
// dst is [rows, len(index)]; src has as many rows. dst may not overlap src. It
// panics if lengths do not fit or an index is beyond a row.
func Gather(dst, src []float32, index []int32, rows int) {
	mustFit(rows >= 0 && len(dst) == rows*len(index), "Gather")
	if rows == 0 || len(index) == 0 {
		return
	}
	mustFit(len(src)%rows == 0, "Gather")
	width := len(src) / rows
	for _, i := range index {
		if uint(i) >= uint(width) {
			mustBelow(i, 0, width, "Gather")
		}
	}
	gatherPieces.run(rows, max(1, grain/(4*len(index))), gatherCall{dst, src, index, width})
}

type gatherCall struct {
	dst, src []float32
	index    []int32
	width    int
}

// gatherPieces takes four rows at a time, so that an index is read once for them.
var gatherPieces = inPieces(func(a *gatherCall, from, to int) {
	n, four := len(a.index), gatherKernel.get()
	for ; from+4 <= to; from += 4 {
		four(&a.dst[from*n], &a.src[from*a.width], &a.index[0], 4*n, 4*a.width, n)
	}
	for ; from < to; from++ {
		src, dst := a.src[from*a.width:][:a.width], a.dst[from*n:][:n]
		for i, at := range a.index {
			dst[i] = src[at]
		}
	}
})

// A gatherFunc is Gather for four rows that are so many bytes apart.
type gatherFunc func(dst, src *float32, index *int32, dstRow, srcRow, n int)

var gatherKernel = implement[gatherFunc](gatherGeneric)

func gatherGeneric(dst, src *float32, index *int32, dstRow, srcRow, n int) {
	for r := range 4 {
		for i, at := range unsafe.Slice(index, n) {
			*offset(dst, dstRow*r+4*i) = *offset(src, srcRow*r+4*int(at))
		}
	}
}

// Transpose sets the matrix [n2, n1] of every row of dst to that [n1, n2] of src,
// transposed. dst may not overlap src. It panics if lengths do not fit.
func Transpose(dst, src []float32, rows, n1, n2 int) {
	mustFit(rows >= 0 && n1 > 0 && n2 > 0 && len(dst) == rows*n1*n2 && len(src) == len(dst), "Transpose")
	transposePieces.run(rows, max(1, grain/(4*n1*n2)), transposeCall{dst, src, n1, n2, current()})
}

type transposeCall struct {
	dst, src []float32
	n1, n2   int
	isa      isa
}

var transposePieces = inPieces(func(a *transposeCall, from, to int) {
	n, buf := a.n1*a.n2, scratches.get()
	space := buf.floats(n)
	for r := from; r < to; r++ {
		a.row(a.dst[r*n:][:n], a.src[r*n:][:n], space)
	}
	scratches.put(buf)
})

// row transposes one matrix: by two or four columns or rows in vectors, where the
// others fill them.
func (a *transposeCall) row(dst, src, space []float32) {
	n1, n2, split, join := a.n1, a.n2, splitKernel.on(a.isa), joinKernel.on(a.isa)
	switch {
	case n2 == 2 && n1%lanes == 0:
		split(&dst[0], &dst[n1], &src[0], n1)
	case n1 == 2 && n2%lanes == 0:
		join(&src[0], &src[n2], &dst[0], n2)
	case n2 == 4 && n1%lanes == 0:
		split(&space[0], &space[2*n1], &src[0], 2*n1)
		split(&dst[0], &dst[2*n1], &space[0], n1)
		split(&dst[n1], &dst[3*n1], &space[2*n1], n1)
	case n1 == 4 && n2%lanes == 0:
		join(&src[0], &src[2*n2], &space[0], n2)
		join(&src[n2], &src[3*n2], &space[2*n2], n2)
		join(&space[0], &space[2*n2], &dst[0], 2*n2)
	default:
		for i := range n1 {
			for j, v := range src[i*n2 : (i+1)*n2] {
				dst[j*n1+i] = v
			}
		}
	}
}

// A pairFunc moves n numbers of one and of two from pairs of them, or to pairs; n
// is a multiple of 16.
type pairFunc func(one, two, pairs *float32, n int)

var splitKernel, joinKernel = implement[pairFunc](splitGeneric), implement[pairFunc](joinGeneric)

func splitGeneric(one, two, pairs *float32, n int) {
	for i := range n {
		*offset(one, 4*i), *offset(two, 4*i) = *offset(pairs, 8*i), *offset(pairs, 8*i+4)
	}
}

func joinGeneric(one, two, pairs *float32, n int) {
	for i := range n {
		*offset(pairs, 8*i), *offset(pairs, 8*i+4) = *offset(one, 4*i), *offset(two, 4*i)
	}
}
