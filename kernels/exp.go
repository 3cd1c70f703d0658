package kernels

import "math"

// Coefficients of exp32. expC2 to expC6 are twice the coefficients of r² to r⁶
// in a polynomial for exp(r) on |r| <= ln2/2 whose first two terms are 1 + r;
// its relative error is 1.1e-8. They are a Chebyshev fit to (exp(r)-1)/r,
// rounded to float32. The factor of two makes room for
// n = 128 in the exponent, see exp32.
const (
	expLow   = -87.5 // exp32 is 0 from here down
	expHigh  = 89    // exp32 is +Inf from here up
	expLog2E = 0x1.715476p+0
	expMagic = 12582912 + 126 // 1.5·2²³: adding it rounds to an integer; 126 is the bias of the exponent less 1
	expLn2Hi = 0x1.62e43p-1
	expLn2Lo = -0x1.05c61p-29
	expC0    = 2
	expC2    = 0x1.0p+0
	expC3    = 0x1.55547ap-2
	expC4    = 0x1.5554e8p-4
	expC5    = 0x1.123eb6p-6
	expC6    = 0x1.6d444ap-9
)

// exp32 returns e to the power x with a relative error below 1.2e-7, by the
// same operations in the same order on every processor:
//
//	n = round(x·log2 e);  r = x - n·ln2;  exp(x) = 2p(r) · 2^(n-1)
//
// Results below 1.7e-38 (x < -86.98) are 0, so that no denormal slows a loop
// down; exp32(-Inf) is 0, exp32 of more than 88.7228 is +Inf and NaN stays NaN.
func exp32(x float32) float32 {
	if x < expLow { // not max and min: NaN must stay
		x = expLow
	}
	if x > expHigh {
		x = expHigh
	}
	shifted := fma32(x, expLog2E, expMagic)
	n := shifted - expMagic
	r := fma32(-n, expLn2Hi, x)
	r = fma32(-n, expLn2Lo, r)
	p := fma32(expC6, r, expC5)
	p = fma32(p, r, expC4)
	p = fma32(p, r, expC3)
	p = fma32(p, r, expC2)
	p = fma32(p, r, expC0)
	p = fma32(p, r, expC0)
	power := math.Float32frombits(math.Float32bits(shifted) << 23) // 2^(n-1), and 0 for n = -126
	return float32(p * power)
}

// expRow stores exp(x-shift) in dst and returns the sum of what it stored,
// in float32 over 16 lanes. dst may be x. An empty row sums to 0.
func expRow(dst, x []float32, shift float32) float32 { return expRows.get()(dst, x, shift) }

var expRows = implement(expRowGeneric)

func expRowGeneric(dst, x []float32, shift float32) float32 {
	var sum [lanes]float32
	for i, v := range x {
		e := exp32(v - shift)
		dst[i] = e
		sum[i%lanes] += e
	}
	return foldSum(&sum)
}

// expRow64 is expRow with the sum in float64.
func expRow64(dst, x []float32, shift float32) float64 { return expRows64.get()(dst, x, shift) }

var expRows64 = implement(expRow64Generic)

func expRow64Generic(dst, x []float32, shift float32) float64 {
	var sum [lanes]float64
	for i, v := range x {
		e := exp32(v - shift)
		dst[i] = e
		sum[i%lanes] += float64(e)
	}
	return foldSum64(&sum)
}

// expSum64 returns what expRow64 would and stores nothing.
func expSum64(x []float32, shift float32) float64 { return expSums64.get()(x, shift) }

var expSums64 = implement(expSum64Generic)

func expSum64Generic(x []float32, shift float32) float64 {
	var sum [lanes]float64
	for i, v := range x {
		sum[i%lanes] += float64(exp32(v - shift))
	}
	return foldSum64(&sum)
}

// rowMax returns the largest element of x, -Inf for an empty x. A NaN is passed
// over, and a zero is returned as +0.
func rowMax(x []float32) float32 { return rowMaxes.get()(x) }

var rowMaxes = implement(rowMaxGeneric)

func rowMaxGeneric(x []float32) float32 {
	largest := float32(math.Inf(-1))
	for _, v := range x {
		if v > largest {
			largest = v
		}
	}
	return largest + 0
}

// dot returns the sum of a[i]·b[i], by FMA over 16 lanes.
func dot(a, b []float32) float32 { return dots.get()(a, b) }

var dots = implement(dotGeneric)

func dotGeneric(a, b []float32) float32 {
	var sum [lanes]float32
	for i, v := range a {
		sum[i%lanes] = fma32(v, b[i], sum[i%lanes])
	}
	return foldSum(&sum)
}
