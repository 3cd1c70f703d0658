package kernels

// Softmax turns each of rows rows of x into probabilities:
//
//	dst[i] = exp(x[i]-max) / Σ exp(x[j]-max)
//
// dst and x are [rows, len(x)/rows], row-major; dst may be x. The sum is taken
// in float32 over 16 lanes. A row with a NaN, or without a finite largest
// element, becomes NaN. Softmax panics if lengths do not fit.
func Softmax(dst, x []float32, rows int) {
	mustFit(len(dst) == len(x) && rows >= 0, "Softmax")
	if len(x) == 0 {
		return
	}
	mustFit(rows > 0 && len(x)%rows == 0, "Softmax")
	c := len(x) / rows
	softmaxPieces.run(rows, rowsPerTask(c), softmaxCall{dst, x, c})
}

type softmaxCall struct {
	dst, x []float32
	c      int
}

var softmaxPieces = inPieces(func(a *softmaxCall, from, to int) {
	for r := from; r < to; r++ {
		softmaxRow(a.dst[r*a.c:(r+1)*a.c], a.x[r*a.c:(r+1)*a.c])
	}
})

func softmaxRow(dst, x []float32) {
	sum := expRow(dst, x, rowMax(x))
	scaleRow(dst, 1/sum)
}
