package results

import "math"

// Compare tests what one model scored on the items of a task against what
// another did on the same ones, by a metric in Measures: a paired t over the
// differences of items, robust to clusters. Items that are not the same are an
// error that names the first of them.
func Compare(a, b Items, metric string) (Comparison, error) {
	return soleArm(a, metric).compareItems(soleArm(b, metric))
}

// soleArm is an arm of one seed.
func soleArm(x Items, metric string) arm {
	return arm{seeds: []uint64{0}, items: []Items{x}, itemsOf: []int{0}, metric: metric}
}

// AverageOf is the comparison of two arms by the plain average over several
// tasks, given the comparison by each: tasks have no items in common, so that
// the variance of the average is Σ SE² / k². Degrees of freedom are
// Satterthwaite's.
func AverageOf(parts []Comparison) Comparison {
	c := Comparison{Method: "mean over tasks of paired differences"}
	variance, spread := 0.0, 0.0
	k := float64(len(parts))
	for _, p := range parts {
		if !p.Testable() {
			return untestable(c, "a task cannot be tested")
		}
		v := p.SE * p.SE / (k * k)
		c.Diff += p.Diff / k
		c.Items += p.Items
		c.Clusters += p.Clusters
		variance += v
		spread += v * v / math.Max(1, p.DF)
	}
	if len(parts) == 0 {
		return untestable(c, "no tasks")
	}
	c.Seeds = parts[0].Seeds
	df := 1.0
	if spread > 0 {
		df = variance * variance / spread
	}
	return c.withVariances(variance, df, 0, 1)
}
