package bench

import (
	"math"
	"slices"
)

// A Figure is a speed: how much work was done in a second of one of the clocks.
type Figure struct {
	Best   float64 `json:"best"` // of the fastest repetition
	Median float64 `json:"median"`
	Low    float64 `json:"low"`    // a quarter of the repetitions are slower
	High   float64 `json:"high"`   // a quarter are faster
	Spread float64 `json:"spread"` // between the quartiles, as a share of the median, in time
	Verdict
}

// figure sums up what work took in each repetition.
func figure(work float64, seconds []float64, v Verdict) Figure {
	if len(seconds) == 0 {
		return Figure{Verdict: v}
	}
	q := quartiles(seconds)
	return Figure{
		Best: work / q[0], High: work / q[1], Median: work / q[2], Low: work / q[3],
		Spread: spread(seconds), Verdict: v,
	}
}

// quartiles returns the smallest of values, which it leaves as they are, and
// their three quartiles by linear interpolation.
func quartiles(values []float64) [4]float64 {
	sorted := slices.Sorted(slices.Values(values))
	var q [4]float64
	for i := range q {
		at := float64(i) / 4 * float64(len(sorted)-1)
		below := int(at)
		above := min(below+1, len(sorted)-1)
		q[i] = sorted[below] + (at-float64(below))*(sorted[above]-sorted[below])
	}
	return q
}

// spread is the distance between the quartiles as a share of the median.
func spread(values []float64) float64 {
	q := quartiles(values)
	if q[2] == 0 {
		return math.Inf(1)
	}
	return (q[3] - q[1]) / q[2]
}
