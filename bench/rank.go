package bench

import (
	"cmp"
	"math"
	"slices"

	"gonum.org/v1/gonum/stat/distuv"
)

// mannWhitney returns the two-sided probability that the ranks of a and b among
// each other lie as far from even as they do, where both come from one
// distribution (Mann and Whitney 1947): exactly for up to exactRanks values
// without ties, else by the normal approximation with its corrections for ties
// and continuity.
func mannWhitney(a, b []float64) float64 {
	n, m := len(a), len(b)
	if n == 0 || m == 0 {
		return 1
	}
	u, ties := rankSum(a, b)
	if ties == 0 && n+m <= exactRanks {
		low := math.Min(u, float64(n*m)-u)
		return math.Min(1, 2*cumulative(n, m, int(low))/binomial(n+m, n))
	}
	all := float64(n + m)
	variance := float64(n*m) / 12 * (all + 1 - ties/(all*(all-1)))
	distance := math.Abs(u-float64(n*m)/2) - 0.5
	if variance <= 0 || distance <= 0 {
		return 1
	}
	return 2 * distuv.UnitNormal.Survival(distance/math.Sqrt(variance))
}

// exactRanks is the most values for which the distribution is computed.
const exactRanks = 60

// rankSum returns how many pairs have the value of a above that of b, an equal
// one counting half, and the sum of t³-t over groups of t equal values.
func rankSum(a, b []float64) (u, ties float64) {
	type ranked struct {
		value float64
		first bool // of a
	}
	var all []ranked
	for _, v := range a {
		all = append(all, ranked{v, true})
	}
	for _, v := range b {
		all = append(all, ranked{v, false})
	}
	slices.SortFunc(all, func(x, y ranked) int { return cmp.Compare(x.value, y.value) })
	below := 0.0 // values of b that are smaller
	for from := 0; from < len(all); {
		to, ofA := from, 0.0
		for ; to < len(all) && all[to].value == all[from].value; to++ {
			if all[to].first {
				ofA++
			}
		}
		t := float64(to - from)
		u += ofA * (below + (t-ofA)/2)
		below += t - ofA
		ties += t*t*t - t
		from = to
	}
	return u, ties
}

// cumulative counts the orders of n and m values in which at most u pairs have
// the value of the first kind above that of the second.
func cumulative(n, m, u int) float64 {
	orders := make([]float64, n*m+1) // by how many such pairs they have
	orders[0] = 1
	// They are the coefficients of the Gaussian binomial, the product over
	// i = 1..n of (1-q^(m+i))/(1-q^i).
	for i := 1; i <= n; i++ {
		for at := len(orders) - 1; at >= m+i; at-- {
			orders[at] -= orders[at-m-i]
		}
		for at := i; at < len(orders); at++ {
			orders[at] += orders[at-i]
		}
	}
	return sum(orders[:u+1])
}

func binomial(n, k int) float64 {
	c := 1.0
	for i := 1; i <= k; i++ {
		c = c * float64(n-k+i) / float64(i)
	}
	return math.Round(c)
}

// holm adjusts probabilities for how many there are, by Holm's step-down method
// (1979): no more than 5 % of all families have any below 5 % by chance.
func holm(p []float64) []float64 {
	order := make([]int, len(p))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(i, j int) int { return cmp.Compare(p[i], p[j]) })
	adjusted, most := make([]float64, len(p)), 0.0
	for rank, i := range order {
		most = math.Max(most, math.Min(1, p[i]*float64(len(p)-rank)))
		adjusted[i] = most
	}
	return adjusted
}
