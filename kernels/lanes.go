package kernels

// lanes is how many partial sums every sum over a row keeps: element i of the
// row belongs to partial sum i mod 16. An AVX-512 register holds all of them,
// AVX2 takes two registers and NEON four, so that the same additions are done
// in the same order everywhere.
const lanes = 16

// foldSum adds partial sums pairwise, always in the same order: those 8 apart,
// then 4, 2 and 1.
func foldSum(s *[lanes]float32) float32 {
	for step := lanes / 2; step > 0; step /= 2 {
		for i := range step {
			s[i] += s[i+step]
		}
	}
	return s[0]
}

// foldSum64 is foldSum for partial sums in float64.
func foldSum64(s *[lanes]float64) float64 {
	for step := lanes / 2; step > 0; step /= 2 {
		for i := range step {
			s[i] += s[i+step]
		}
	}
	return s[0]
}

// grain is about how many elements one task handles: from 3 µs for the cheapest
// kernels to 10 µs for those with an exp, so that handing a task out, a fraction
// of a microsecond, costs little and small layers still make several tasks.
const grain = 1 << 15

// rowsPerTask is how many rows of width c make a task of about one grain.
func rowsPerTask(c int) int {
	return max(1, grain/max(1, c))
}

// mustFit panics in the name of kernel when ok is false: lengths that do not
// fit are a mistake in the program.
func mustFit(ok bool, kernel string) {
	if !ok {
		panic("kernels." + kernel + ": lengths do not fit")
	}
}

// rowsOf returns how many rows of width c a matrix of n elements has, and
// panics in the name of kernel when they do not come out even.
func rowsOf(n, c int, kernel string) int {
	if n == 0 {
		return 0
	}
	mustFit(c > 0 && n%c == 0, kernel)
	return n / c
}
