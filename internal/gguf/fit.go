package gguf

import "math"

// The searches of ggml's reference quantisers (make_qkx2_quants and
// make_qx_quants of ggml-quants.c), without weights of importance. All sums are
// in float32 and in the order of the numbers; products are rounded before they
// are added, so that no processor fuses the two and every one finds the same bits.

// negligible is the magnitude below which ggml takes a group for zero.
const negligible = 1e-15

// A fit is a group of numbers x in search of a scale and an offset such that
// scale·q + offset, with whole q from 0 to top, comes close to x. Squared
// errors are weighted with w, the root mean square of x plus |x|.
type fit struct {
	x          []float32
	w          [group]float32
	sumW, sumX float32 // of w and of w·x
	top        int
}

func newFit(x []float32, top int) *fit {
	f := &fit{x: x, top: top}
	var squares float32
	for _, v := range x {
		squares += float32(v * v)
	}
	mean := float32(math.Sqrt(float64(squares / float32(len(x)))))
	for i, v := range x {
		f.w[i] = mean + abs(v)
		f.sumW += f.w[i]
		f.sumX += float32(f.w[i] * v)
	}
	return f
}

// fitScaleAndMin writes q and returns the scale and the offset with its sign
// turned, neither of them negative. It starts from the range of x, and tries
// steps+1 roundings with top+start, top+start+0.1, ... levels to the range, each
// with the scale and offset of least squares. A better offset also moves the
// range from which the next ones start.
func fitScaleAndMin(q []byte, x []float32, top int, start float32, steps int) (scale, least float32) {
	f := newFit(x, top)
	low, high := limits(x)
	if low > 0 {
		low = 0
	}
	if high == low {
		clear(q)
		return 0, -low
	}
	inverse := float32(top) / (high - low)
	scale = 1 / inverse
	f.round(q, inverse, low)
	best := f.error(q, scale, low)
	trial := make([]byte, len(q), group)
	for step := range steps + 1 {
		inverse = (start + float32(0.1*float32(step)) + float32(top)) / (high - low)
		f.round(trial, inverse, low)
		trialScale, trialLow, ok := f.leastSquares(trial)
		if !ok {
			continue
		}
		if e := f.error(trial, trialScale, trialLow); e < best {
			copy(q, trial)
			best, scale, low = e, trialScale, trialLow
		}
	}
	return scale, -low
}

func (f *fit) round(q []byte, inverse, low float32) {
	for i, v := range f.x {
		q[i] = byte(nearest(inverse*(v-low), 0, f.top))
	}
}

func (f *fit) error(q []byte, scale, low float32) float32 {
	var sum float32
	for i, v := range f.x {
		d := float32(scale*float32(q[i])) + low - v
		sum += float32(f.w[i] * float32(d*d))
	}
	return sum
}

// leastSquares returns the best scale and an offset of at most 0 for given q.
func (f *fit) leastSquares(q []byte) (scale, low float32, ok bool) {
	var sumQ, sumQQ, sumXQ float32
	for i, v := range f.x {
		wq := float32(f.w[i] * float32(q[i]))
		sumQ += wq
		sumQQ += float32(wq * float32(q[i]))
		sumXQ += float32(wq * v)
	}
	determinant := float32(f.sumW*sumQQ) - float32(sumQ*sumQ)
	if !(determinant > 0) {
		return 0, 0, false
	}
	scale = (float32(f.sumW*sumXQ) - float32(f.sumX*sumQ)) / determinant
	low = (float32(sumQQ*f.sumX) - float32(sumQ*sumXQ)) / determinant
	if low > 0 {
		return sumXQ / sumQQ, 0, true
	}
	return scale, low, true
}

// fitScale finds a scale such that scale·(q − half) is close to x for whole q
// from 0 to 2·half−1, errors weighted with x², and writes q. It tries 19
// roundings around the one that takes the number of largest magnitude to −half.
func fitScale(q []byte, x []float32, half int) float32 {
	most := extreme(x)
	if abs(most) < negligible {
		clear(q)
		return 0
	}
	inverse := float32(-half) / most
	roundSigned(q, x, inverse, half)
	sumXQ, sumQQ := signedSums(x, inverse, half)
	var scale float32
	if sumQQ != 0 {
		scale = sumXQ / sumQQ
	}
	best := scale * sumXQ
	for step := -9; step <= 9; step++ {
		if step == 0 {
			continue
		}
		inverse = -(float32(half) + float32(0.1*float32(step))) / most
		sumXQ, sumQQ = signedSums(x, inverse, half)
		if sumQQ > 0 && float32(sumXQ*sumXQ) > float32(best*sumQQ) {
			roundSigned(q, x, inverse, half)
			scale = sumXQ / sumQQ
			best = scale * sumXQ
		}
	}
	return scale
}

func roundSigned(q []byte, x []float32, inverse float32, half int) {
	for i, v := range x {
		q[i] = byte(nearest(inverse*v, -half, half-1) + half)
	}
}

// signedSums returns Σ x²·x·q and Σ x²·q² of the rounding with inverse.
func signedSums(x []float32, inverse float32, half int) (sumXQ, sumQQ float32) {
	for _, v := range x {
		q := float32(nearest(inverse*v, -half, half-1))
		w := float32(v * v)
		sumXQ += float32(float32(w*v) * q)
		sumQQ += float32(float32(w*q) * q)
	}
	return sumXQ, sumQQ
}

// nearest rounds v to the nearest whole number, ties to even, from low to high,
// which are small. What is no number is low.
func nearest(v float32, low, high int) int {
	switch {
	case !(v > float32(low)):
		return low
	case v > float32(high):
		return high
	}
	const shift = 3 << 22 // a float32 of this size has no bits behind the point
	return int(math.Float32bits(float32(v)+shift)&0x7fffff) - 1<<22
}
