package kernels

import "math"

// normChunk is how many rows share one partial sum of the gradients of gain and
// bias. The partial sums are added in the order of the rows.
const normChunk = 64

// RMSNorm divides each row of x by its root mean square, then scales it:
//
//	dst[i] = x[i] / sqrt(mean(x²) + eps) · gain[i]
//
// dst and x are [t, c] and gain is [c], all row-major; t is len(x)/len(gain).
// dst may be x. The mean is summed in float32 by FMA over 16 lanes. RMSNorm
// panics if lengths do not fit.
func RMSNorm(dst, x, gain []float32, eps float32) {
	c := len(gain)
	rows := rowsOf(len(x), c, "RMSNorm")
	mustFit(len(dst) == len(x), "RMSNorm")
	rmsNormPieces.run(rows, rowsPerTask(c), normCall{dst, x, gain, nil, eps})
}

// A normCall is one call of a norm; bias is nil for RMSNorm.
type normCall struct {
	dst, x, gain, bias []float32
	eps                float32
}

var rmsNormPieces = inPieces(func(a *normCall, from, to int) {
	c := len(a.gain)
	rmsNorms.get()(a.dst[from*c:to*c], a.x[from*c:to*c], a.gain, a.eps)
})

var rmsNorms = implement(rmsNormGeneric)

func rmsNormGeneric(dst, x, gain []float32, eps float32) {
	c := len(gain)
	for ; len(x) > 0; dst, x = dst[c:], x[c:] {
		scale := inverseRoot(dotGeneric(x[:c], x[:c]), c, eps)
		for i, g := range gain {
			dst[i] = float32(x[i]*scale) * g
		}
	}
}

// inverseRoot is 1/sqrt(sum/c + eps), each step rounded to float32.
func inverseRoot(sum float32, c int, eps float32) float32 {
	mean := sum / float32(c)
	return 1 / float32(math.Sqrt(float64(float32(mean+eps))))
}

// RMSNormBack adds the gradients of RMSNorm to dx [t, c] and dgain [c]; dy, x
// [t, c] and gain, eps are as RMSNorm saw them. With s = 1/sqrt(mean(x²) + eps):
//
//	dx[i]    += s·dy[i]·gain[i] - x[i]·s³·Σ(dy·gain·x)/c
//	dgain[i] += Σ over rows of dy[i]·x[i]·s
//
// dgain is summed over 64 rows at a time and these sums are added in order.
// RMSNormBack panics if lengths do not fit.
func RMSNormBack(dx, dgain, dy, x, gain []float32, eps float32) {
	c := len(gain)
	rows := rowsOf(len(x), c, "RMSNormBack")
	mustFit(len(dx) == len(x) && len(dy) == len(x) && len(dgain) == c, "RMSNormBack")
	s := scratches.get()
	defer scratches.put(s)
	partial := s.zeros((rows + normChunk - 1) / normChunk * c)
	rmsNormBackPieces.run(rows, normChunk, normBackCall{dx, dy, x, gain, partial, eps})
	for add := adders.get(); len(partial) > 0; partial = partial[c:] {
		add(dgain, partial[:c])
	}
}

// A normBackCall is one call of the gradient of a norm.
type normBackCall struct {
	dx, dy, x, gain []float32
	partial         []float32 // sums of each piece for dgain, and for dbias behind them
	eps             float32
}

var rmsNormBackPieces = inPieces(func(a *normBackCall, from, to int) {
	c := len(a.gain)
	sums := a.partial[from/normChunk*c:][:c]
	rmsNormBacks.get()(a.dx[from*c:to*c], sums, a.dy[from*c:to*c], a.x[from*c:to*c], a.gain, a.eps)
})

var rmsNormBacks = implement(rmsNormBackGeneric)

func rmsNormBackGeneric(dx, dgain, dy, x, gain []float32, eps float32) {
	c := len(gain)
	for ; len(x) > 0; dx, dy, x = dx[c:], dy[c:], x[c:] {
		var squares, products [lanes]float32
		for i, g := range gain {
			squares[i%lanes] = fma32(x[i], x[i], squares[i%lanes])
			products[i%lanes] = fma32(float32(dy[i]*g), x[i], products[i%lanes])
		}
		s := inverseRoot(foldSum(&squares), c, eps)
		k := float32(float32(s*s)*s) * (foldSum(&products) / float32(c))
		for i, g := range gain {
			direct := float32(float32(dy[i]*g) * s)
			dx[i] += fma32(-k, x[i], direct)
			dgain[i] = fma32(dy[i], float32(x[i]*s), dgain[i])
		}
	}
}

// LayerNorm shifts each row of x to mean 0 and variance 1, then scales and
// shifts it:
//
//	dst[i] = (x[i]-mean) / sqrt(variance + eps) · gain[i] + bias[i]
//
// dst and x are [t, c], gain and bias [c], all row-major; t is len(x)/len(gain).
// dst may be x. Mean and variance are summed in float32 over 16 lanes, the
// variance from the differences to the mean. LayerNorm panics if lengths do not
// fit.
func LayerNorm(dst, x, gain, bias []float32, eps float32) {
	c := len(gain)
	rows := rowsOf(len(x), c, "LayerNorm")
	mustFit(len(dst) == len(x) && len(bias) == c, "LayerNorm")
	layerNormPieces.run(rows, rowsPerTask(c), normCall{dst, x, gain, bias, eps})
}

var layerNormPieces = inPieces(func(a *normCall, from, to int) {
	c := len(a.gain)
	layerNorms.get()(a.dst[from*c:to*c], a.x[from*c:to*c], a.gain, a.bias, a.eps)
})

var layerNorms = implement(layerNormGeneric)

func layerNormGeneric(dst, x, gain, bias []float32, eps float32) {
	c := len(gain)
	for ; len(x) > 0; dst, x = dst[c:], x[c:] {
		mean, s := moments(x[:c], eps)
		for i, g := range gain {
			dst[i] = fma32(float32(float32(x[i]-mean)*s), g, bias[i])
		}
	}
}

// moments returns the mean of x and 1/sqrt(variance + eps).
func moments(x []float32, eps float32) (mean, s float32) {
	var sum, squares [lanes]float32
	for i, v := range x {
		sum[i%lanes] += v
	}
	mean = foldSum(&sum) / float32(len(x))
	for i, v := range x {
		d := v - mean
		squares[i%lanes] = fma32(d, d, squares[i%lanes])
	}
	return mean, inverseRoot(foldSum(&squares), len(x), eps)
}

// LayerNormBack adds the gradients of LayerNorm to dx [t, c], dgain [c] and
// dbias [c]; dy, x [t, c] and gain, eps are as LayerNorm saw them. With
// n = (x-mean)·s and s = 1/sqrt(variance + eps):
//
//	dx[i]    += s·(dy[i]·gain[i] - mean(dy·gain) - n[i]·mean(dy·gain·n))
//	dgain[i] += Σ over rows of dy[i]·n[i];  dbias[i] += Σ over rows of dy[i]
//
// dgain and dbias are summed over 64 rows at a time and these sums are added in
// order. LayerNormBack panics if lengths do not fit.
func LayerNormBack(dx, dgain, dbias, dy, x, gain []float32, eps float32) {
	c := len(gain)
	rows := rowsOf(len(x), c, "LayerNormBack")
	mustFit(len(dx) == len(x) && len(dy) == len(x) && len(dgain) == c && len(dbias) == c, "LayerNormBack")
	s := scratches.get()
	defer scratches.put(s)
	partial := s.zeros((rows + normChunk - 1) / normChunk * 2 * c)
	layerNormBackPieces.run(rows, normChunk, normBackCall{dx, dy, x, gain, partial, eps})
	for add := adders.get(); len(partial) > 0; partial = partial[2*c:] {
		add(dgain, partial[:c])
		add(dbias, partial[c:2*c])
	}
}

var layerNormBackPieces = inPieces(func(a *normBackCall, from, to int) {
	c := len(a.gain)
	sums := a.partial[from/normChunk*2*c:][:2*c]
	layerNormBacks.get()(a.dx[from*c:to*c], sums[:c], sums[c:], a.dy[from*c:to*c], a.x[from*c:to*c], a.gain, a.eps)
})

var layerNormBacks = implement(layerNormBackGeneric)

func layerNormBackGeneric(dx, dgain, dbias, dy, x, gain []float32, eps float32) {
	c := len(gain)
	for ; len(x) > 0; dx, dy, x = dx[c:], dy[c:], x[c:] {
		var sum, sumA, squares, products [lanes]float32
		for i, g := range gain {
			sum[i%lanes] += x[i]
			sumA[i%lanes] += float32(dy[i] * g)
		}
		mean, meanA := foldSum(&sum)/float32(c), foldSum(&sumA)/float32(c)
		for i, g := range gain {
			d := x[i] - mean
			squares[i%lanes] = fma32(d, d, squares[i%lanes])
			products[i%lanes] = fma32(float32(dy[i]*g), d, products[i%lanes])
		}
		s := inverseRoot(foldSum(&squares), c, eps)
		meanAN := float32(foldSum(&products)*s) / float32(c)
		for i, g := range gain {
			n := float32(float32(x[i]-mean) * s)
			a := float32(float32(dy[i]*g) - meanA)
			dx[i] = fma32(fma32(-meanAN, n, a), s, dx[i])
			dgain[i] = fma32(dy[i], n, dgain[i])
			dbias[i] += dy[i]
		}
	}
}
