package results

import "math"

// Detectable returns the smallest true difference between two arms that a paired
// comparison finds with 80 % power at the 5 % level:
//
//	2.80 · sqrt((d/n + 2s²)/k)
//
// d is the share of items on which the two arms disagree about correctness,
// n the number of items, s the standard deviation between seeds of one arm's
// score (as a share, 0.003 for 0.3 points), and k the number of seeds of each
// arm. The result is a share. 2.80 = 1.96 + 0.84, the normal quantiles of
// 97.5 % and 80 %. With no items or no seeds nothing can be found, and the
// result is +Inf.
func Detectable(d float64, n int, s float64, k int) float64 {
	if n < 1 || k < 1 {
		return math.Inf(1)
	}
	return 2.80 * math.Sqrt((d/float64(n)+2*s*s)/float64(k))
}
