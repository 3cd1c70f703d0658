package kernels

import "math"

// ArgMax returns where the largest element of x is, the first of several. NaNs are
// passed over; it is 0 where there is nothing else.
func ArgMax(x []float32) int {
	const block = 1024
	top, at, largest := float32(math.Inf(-1)), 0, rowMaxes.get()
	for from := 0; from < len(x); from += block {
		if v := largest(x[from:min(from+block, len(x))]); v > top {
			top, at = v, from
		}
	}
	for i, v := range x[at:] {
		if v == top {
			return at + i
		}
	}
	return 0
}
