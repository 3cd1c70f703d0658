package kernels

import "math"

// fma32 returns a*b + c rounded once to float32, as the processor's fused
// multiply-add does. The product of two float32 is exact in float64. Rounding
// its sum with c to float64 and then to float32 would round twice, which is
// wrong only where the first result lies halfway between two float32; there
// and where the result is denormal the first rounding is made odd, which
// keeps the second one right.
func fma32(a, b, c float32) float32 {
	p := float64(a) * float64(b)
	s := float64(p + float64(c))
	bits := math.Float64bits(s)
	const exponent = 0x7FF << 52
	if bits&(1<<29-1) != 1<<28 && bits&exponent >= (1023-126)<<52 {
		return float32(s)
	}
	return float32(roundOdd(p, float64(c), s, bits))
}

// roundOdd returns p+c rounded to odd, given s = p+c rounded to nearest.
func roundOdd(p, c, s float64, bits uint64) float64 {
	if bits&1 == 1 || math.IsNaN(s) || math.IsInf(s, 0) {
		return s
	}
	back := float64(s - p)
	lost := float64(float64(p-float64(s-back)) + float64(c-back))
	switch {
	case lost == 0:
		return s
	case (lost > 0) == (s > 0):
		return math.Float64frombits(bits + 1)
	default:
		return math.Float64frombits(bits - 1)
	}
}
