package results

import (
	"math"
	"slices"

	"gonum.org/v1/gonum/stat/distuv"
)

// A Spread says what the two ends of an Interval are.
type Spread string

// What the ends of an interval may be.
const (
	SpreadNone  Spread = "none"  // one value: nothing is known about others
	SpreadRange Spread = "range" // two values: the two themselves
	SpreadT     Spread = "t"     // three or more: 95 % by Student's t

	SpreadQuartiles Spread = "quartiles" // one timing: the quartiles of its repetitions
)

// An Interval is a mean over seeds and how far it can be trusted.
type Interval struct {
	Mean, Low, High float64
	Spread          Spread
	N               int // values behind it
}

// Half returns half the width of the interval: what stands behind ±.
func (i Interval) Half() float64 { return (i.High - i.Low) / 2 }

// MeanInterval returns the mean of values, one a seed, with its 95 % interval:
// mean ± t(0.975, n-1)·s/√n. Two values give their range instead, since t with
// one degree of freedom is 12.7 and such an interval says nothing; one value
// gives none. No values give N = 0. Values are summed in the given order.
func MeanInterval(values []float64) Interval {
	n := len(values)
	if n == 0 {
		return Interval{Spread: SpreadNone}
	}
	mean := mean(values)
	i := Interval{Mean: mean, Low: mean, High: mean, Spread: SpreadNone, N: n}
	switch {
	case n == 2:
		i.Spread, i.Low, i.High = SpreadRange, min(values[0], values[1]), max(values[0], values[1])
	case n > 2:
		half := quantileT(0.975, float64(n-1)) * math.Sqrt(variance(values)/float64(n))
		i.Spread, i.Low, i.High = SpreadT, mean-half, mean+half
		if !finite(i.Low) || !finite(i.High) { // squares beyond 1e308: the range is all that can be said
			i.Spread, i.Low, i.High = SpreadRange, slices.Min(values), slices.Max(values)
		}
	}
	return i
}

// quantileT is the value below which a share p of Student's t with df degrees
// of freedom lies.
func quantileT(p, df float64) float64 {
	return distuv.StudentsT{Mu: 0, Sigma: 1, Nu: df}.Quantile(p)
}

// twoSided is the probability of a |t| at least as large with df degrees of freedom.
func twoSided(t, df float64) float64 {
	return 2 * distuv.StudentsT{Mu: 0, Sigma: 1, Nu: df}.CDF(-math.Abs(t))
}

func mean(values []float64) float64 {
	sum, n := 0.0, float64(len(values))
	for _, v := range values {
		sum += v
	}
	if finite(sum) {
		return sum / n
	}
	sum = 0
	for _, v := range values {
		sum += v / n
	}
	return sum
}

// variance is the unbiased one, with n-1 below.
func variance(values []float64) float64 {
	m, sum := mean(values), 0.0
	for _, v := range values {
		sum += (v - m) * (v - m)
	}
	return sum / float64(len(values)-1)
}
