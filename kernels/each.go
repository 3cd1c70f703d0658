package kernels

// MatMulEach multiplies the matrix of each row of x with the same small matrix:
//
//	dst[r] [p, n] = s [p, q] · x[r] [q, n]
//
// dst is [rows, p, n] and x is [rows, q, n]. An element is one chain over q, as in
// all products. dst may not overlap x or s. It panics if lengths do not fit.
func MatMulEach(dst, s, x []float32, rows, p, q, n int) {
	mustFit(rows >= 0 && p > 0 && q > 0 && n > 0, "MatMulEach")
	mustFit(len(dst) == rows*p*n && len(s) == p*q && len(x) == rows*q*n, "MatMulEach")
	eachPieces.run(rows, max(1, grain/(4*(p+q)*n)), eachCall{dst, s, x, p, q, n})
}

type eachCall struct {
	dst, s, x []float32
	p, q, n   int
}

var eachPieces = inPieces(func(a *eachCall, from, to int) {
	shape := shapes[current()]
	whole := a.n / shape.lanes * shape.lanes // columns that fill vectors
	for r := from; r < to; r++ {
		dst, x := a.dst[r*a.p*a.n:][:a.p*a.n], a.x[r*a.q*a.n:][:a.q*a.n]
		if whole > 0 {
			shape.wide(matrix{dst, a.n, 1}, matrix{a.s, a.q, 1}, matrix{x, a.n, 1}, a.p, a.q, whole, false)
		}
		for j := whole; j < a.n; j++ {
			for i := range a.p {
				sum := float32(0)
				for k, v := range a.s[i*a.q : (i+1)*a.q] {
					sum = fma32(v, x[k*a.n+j], sum)
				}
				dst[i*a.n+j] = sum
			}
		}
	}
})

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
		mustBelow(i, 0, width, "Gather")
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
	n := len(a.index)
	for ; from+4 <= to; from += 4 {
		a.four(from)
	}
	for ; from < to; from++ {
		src, dst := a.src[from*a.width:][:a.width], a.dst[from*n:][:n]
		for i, at := range a.index {
			dst[i] = src[at]
		}
	}
})

func (a *gatherCall) four(row int) {
	n, w := len(a.index), a.width
	src := a.src[row*w:][:4*w]
	s0, s1, s2, s3 := src[:w], src[w:2*w], src[2*w:3*w], src[3*w:4*w]
	dst := a.dst[row*n:][:4*n]
	d0, d1, d2, d3 := dst[:n], dst[n:2*n], dst[2*n:3*n], dst[3*n:4*n]
	for i, at := range a.index {
		d0[i], d1[i], d2[i], d3[i] = s0[at], s1[at], s2[at], s3[at]
	}
}
