package kernels

import "math"

// The functions of this file are for the few numbers that are computed one at
// a time: losses, schedules, rotary tables. Package math has assembly for some
// of them on some processors, and its Go code may be fused on others, so that
// its last bit differs from machine to machine. These do not: every product
// that is added to something is rounded by a conversion or is an FMA.

const (
	ln2Hi64 = 0x1.62e42fefa39efp-1
	ln2Lo64 = 0x1.abc9e3b39803fp-56
)

// Exp64 returns e to the power x, within 1.5 units in the last place and the
// same on every processor. Exp64(-Inf) is 0, Exp64(+Inf) is +Inf.
func Exp64(x float64) float64 {
	switch {
	case x != x || x > 710:
		return x * math.Inf(1)
	case x < -746:
		return 0
	}
	n := math.Floor(float64(x*math.Log2E) + 0.5)
	r := math.FMA(-n, ln2Hi64, x)
	r = math.FMA(-n, ln2Lo64, r)
	p := inverseFactorial[14] // Taylor's series: |r| <= 0.35, so the rest is below 1e-19
	for k := 13; k >= 0; k-- {
		p = math.FMA(p, r, inverseFactorial[k])
	}
	return math.Ldexp(p, int(n))
}

// inverseFactorial[k] is 1/k!.
var inverseFactorial = [17]float64{
	1, 1, 1.0 / 2, 1.0 / 6, 1.0 / 24, 1.0 / 120, 1.0 / 720, 1.0 / 5040, 1.0 / 40320,
	1.0 / 362880, 1.0 / 3628800, 1.0 / 39916800, 1.0 / 479001600, 1.0 / 6227020800,
	1.0 / 87178291200, 1.0 / 1307674368000, 1.0 / 20922789888000,
}

// Log64 returns the natural logarithm of x, within 1.5 units in the last place
// and the same on every processor. Log64(0) is -Inf; of a negative x it is NaN.
func Log64(x float64) float64 {
	switch {
	case x != x || x > math.MaxFloat64:
		return x
	case x < 0:
		return math.NaN()
	case x == 0:
		return math.Inf(-1)
	}
	m, exponent := math.Frexp(x) // m in [0.5, 1)
	if m < math.Sqrt2/2 {
		m, exponent = 2*m, exponent-1
	}
	n, f := float64(exponent), m-1
	s := f / (2 + f) // ln(1+f) = 2·atanh(s) = f - (f²/2 - s·(f²/2 + tail))
	z := float64(s * s)
	tail := 2.0 / 23
	for k := 21; k >= 3; k -= 2 {
		tail = math.FMA(tail, z, 2/float64(k))
	}
	tail = float64(tail * z)
	square := float64(0.5 * float64(f*f))
	correction := math.FMA(n, ln2Lo64, float64(s*(square+tail)))
	return math.FMA(n, ln2Hi64, f-(square-correction))
}

// Sin returns the sine of x radians, within 2e-16 for |x| up to 2³⁰ and the
// same on every processor. Beyond, and for NaN and infinities, it is NaN.
func Sin(x float64) float64 {
	r, quarter := quarterTurn(x)
	return sinOrCos(r, quarter)
}

// Cos returns the cosine of x radians, with Sin's accuracy and range.
func Cos(x float64) float64 {
	r, quarter := quarterTurn(x)
	return sinOrCos(r, quarter+1)
}

// quarterTurn returns x - n·pi/2 for the nearest n, and n mod 4.
func quarterTurn(x float64) (r float64, n int64) {
	if !(math.Abs(x) <= 1<<30) {
		return math.NaN(), 0
	}
	turns := math.Floor(float64(x*(2/math.Pi)) + 0.5)
	r = math.FMA(-turns, 0x1.921fb54442d18p+0, x) // pi/2 in three parts
	r = math.FMA(-turns, 0x1.1a62633145c07p-54, r)
	r = math.FMA(-turns, -0x1.f1976b8p-110, r)
	return r, int64(turns) & 3
}

// sinOrCos returns the sine of r + quarter·pi/2 for |r| <= pi/4.
func sinOrCos(r float64, quarter int64) float64 {
	z := float64(r * r)
	var v float64
	if quarter%2 == 0 {
		p := taylor(z, 15)
		v = math.FMA(float64(r*z), p, r)
	} else {
		p := taylor(z, 16)
		v = math.FMA(z, p, 1)
	}
	if quarter&2 != 0 {
		return -v
	}
	return v
}

// taylor sums -1/k! + z/(k+2)! - ... with alternating signs up to 1/last!,
// where k is 3 for odd and 2 for even last.
func taylor(z float64, last int) float64 {
	p := 0.0
	for k := last; k >= 2; k -= 2 {
		term := inverseFactorial[k]
		if k/2%2 == 1 {
			term = -term
		}
		p = math.FMA(p, z, term)
	}
	return p
}

// Pow returns x to the power y for x >= 0, the same on every processor. Its
// relative error is below (1 + |y·ln x|)·4e-16. Whole powers up to 2¹⁶ of any x
// are products and nearer. Pow(x, 0) is 1; a broken power of a negative x is NaN.
func Pow(x, y float64) float64 {
	whole := y == math.Floor(y)
	switch {
	case y == 0:
		return 1
	case whole && math.Abs(y) <= 1<<16:
		return wholePower(x, int(y))
	case x < 0:
		return math.NaN()
	}
	return Exp64(float64(y * Log64(x)))
}

// wholePower multiplies by squaring.
func wholePower(x float64, n int) float64 {
	if n < 0 {
		return 1 / wholePower(x, -n)
	}
	p := 1.0
	for ; n > 0; n /= 2 {
		if n%2 == 1 {
			p *= x
		}
		x *= x
	}
	return p
}
