package results

import (
	"errors"
	"fmt"
	"math"
)

// A Comparison is what two arms' difference is and how sure it is.
type Comparison struct {
	Diff     float64 // mean of a minus mean of b
	SE       float64 // standard error of Diff
	DF       float64 // degrees of freedom of SE
	P        float64 // two-sided: probability of such a difference between equals; NaN when it cannot be tested
	Items    int     // 0 when the test is over seeds alone
	Clusters int     // groups of items that count as independent
	Seeds    int     // per arm, the smaller number
	Method   string  // what was done, in words, for a footnote
}

// Significant says whether the difference is one at the 5 % level. What could
// not be tested is not.
func (c Comparison) Significant() bool { return c.Testable() && c.P < 0.05 }

// Testable says whether P is a probability.
func (c Comparison) Testable() bool {
	return finite(c.Diff) && finite(c.SE) && finite(c.DF) && finite(c.P)
}

// errUndetermined means that a metric is not a mean over items.
var errUndetermined = errors.New("the items do not determine the metric")

// scoresBySeed is [seed][item].
func scoresBySeed(arm []Items, metric string) ([][]float64, error) {
	scores := make([][]float64, len(arm))
	for j, x := range arm {
		s, ok := x.Scores(metric)
		if !ok {
			return nil, fmt.Errorf("%w: %s of task %s", errUndetermined, metric, x.Task)
		}
		scores[j] = s
	}
	return scores, nil
}

// sameItems says where two files do not hold the same questions.
func sameItems(a, b Items) error {
	if a.Task != b.Task || a.Version != b.Version || a.Protocol != b.Protocol {
		return fmt.Errorf("task %s version %s (%s) cannot be compared with %s version %s (%s)", a.Task, a.Version, a.Protocol, b.Task, b.Version, b.Protocol)
	}
	for i := range min(len(a.Items), len(b.Items)) {
		p, q := a.Items[i], b.Items[i]
		if p.ID != q.ID || p.Gold != q.Gold || p.Cluster != q.Cluster || len(p.Choices) != len(q.Choices) {
			return fmt.Errorf("task %s: item %d is %q (gold %d of %d) in one arm and %q (gold %d of %d) in the other", a.Task, i+1, p.ID, p.Gold, len(p.Choices), q.ID, q.Gold, len(q.Choices))
		}
	}
	if len(a.Items) != len(b.Items) {
		return fmt.Errorf("task %s: one arm has %d items and the other %d", a.Task, len(a.Items), len(b.Items))
	}
	return nil
}

// clusters numbers the clusters in order of appearance and says which each
// item belongs to. An item without a cluster is one of its own.
func clusters(items []Item) (of []int) {
	number := map[string]int{}
	next := 0
	for _, item := range items {
		n, known := number[item.Cluster]
		if item.Cluster == "" || !known {
			n = next
			next++
			if item.Cluster != "" {
				number[item.Cluster] = n
			}
		}
		of = append(of, n)
	}
	return of
}

// compareScores does the arithmetic of arm.compareItems on scores [seed][item];
// cluster gives each item's cluster, numbered from 0, and sameSeeds says that
// a[j] and b[j] have the same seed.
func compareScores(a, b [][]float64, cluster []int, sameSeeds bool) Comparison {
	n := len(cluster)
	diffs := make([]float64, n)
	for i := range diffs {
		diffs[i] = meanAt(a, i) - meanAt(b, i)
	}
	c := Comparison{Diff: mean(diffs), Items: n, Seeds: min(len(a), len(b))}
	itemVar, groups := clusteredVariance(diffs, cluster)
	c.Clusters = groups
	if groups < 2 {
		return untestable(c, "fewer than two clusters of items: no test")
	}
	seedVar, seedDF := seedVariance(seedMeans(a), seedMeans(b), sameSeeds)
	c.Method = "paired t over items, clustered, averaged over seeds"
	return c.withVariances(itemVar, float64(groups-1), seedVar, seedDF)
}

// withVariances finishes c from independent parts of its variance.
func (c Comparison) withVariances(v1, df1, v2, df2 float64) Comparison {
	v := v1 + v2
	c.SE, c.DF = math.Sqrt(v), df1
	if v2 > 0 {
		c.DF = v * v / (v1*v1/df1 + v2*v2/df2)
	}
	switch {
	case v > 0:
		c.P = twoSided(c.Diff/c.SE, c.DF)
	case c.Diff == 0:
		c.P = 1
	default: // every item and seed differs by the same amount
		c.P = 0
	}
	return c
}

func untestable(c Comparison, why string) Comparison {
	c.SE, c.DF, c.P, c.Method = math.NaN(), 0, math.NaN(), why
	return c
}

func meanAt(scores [][]float64, i int) float64 {
	sum := 0.0
	for _, seed := range scores {
		sum += seed[i]
	}
	return sum / float64(len(scores))
}

func seedMeans(scores [][]float64) []float64 {
	means := make([]float64, len(scores))
	for j, seed := range scores {
		means[j] = mean(seed)
	}
	return means
}

// clusteredVariance is that of the mean of values, robust to clusters. Where
// the items of a cluster always balance out (a model that ignores the contexts
// of a quartet gets the same number right in each) that would be 0; then the
// items count as independent, so that nothing claims to be exact.
func clusteredVariance(values []float64, cluster []int) (v float64, groups int) {
	v, groups = variancePerCluster(values, cluster)
	if groups < 2 || groups == len(values) {
		return v, groups
	}
	alone := variance(values) / float64(len(values))
	if v <= 1e-12*alone {
		return alone, len(values)
	}
	return v, groups
}

func variancePerCluster(values []float64, cluster []int) (v float64, groups int) {
	m := mean(values)
	var sums []float64
	for i, x := range values {
		for cluster[i] >= len(sums) {
			sums = append(sums, 0)
		}
		sums[cluster[i]] += x - m
	}
	groups = len(sums)
	for _, s := range sums {
		v += s * s
	}
	n := float64(len(values))
	return v / (n * n) * float64(groups) / math.Max(1, float64(groups-1)), groups
}

// seedVariance is the variance of the difference between two arms' means over
// seeds: paired by seed where the seeds are the same, else Welch's. With one
// seed it is not known and 0 is returned.
func seedVariance(a, b []float64, sameSeeds bool) (v, df float64) {
	if len(a) < 2 || len(b) < 2 {
		return 0, 1
	}
	if sameSeeds && len(a) == len(b) {
		diffs := make([]float64, len(a))
		for j := range a {
			diffs[j] = a[j] - b[j]
		}
		return variance(diffs) / float64(len(diffs)), float64(len(diffs) - 1)
	}
	va, vb := variance(a)/float64(len(a)), variance(b)/float64(len(b))
	if va+vb == 0 {
		return 0, 1
	}
	return va + vb, (va + vb) * (va + vb) / (va*va/float64(len(a)-1) + vb*vb/float64(len(b)-1))
}

// PairedSeeds compares two arms by one value a seed, for metrics without
// items. sameSeeds says that a[j] and b[j] have the same seed: then it is a
// paired t over seeds, otherwise Welch's t. With one seed an arm nothing can
// be tested.
func PairedSeeds(a, b []float64, sameSeeds bool) Comparison {
	c := Comparison{Seeds: min(len(a), len(b))}
	if c.Seeds > 0 {
		c.Diff = mean(a) - mean(b)
	}
	if c.Seeds < 2 {
		return untestable(c, "one seed and no items: no test")
	}
	c.Method = "Welch's t over seeds"
	if sameSeeds && len(a) == len(b) {
		c.Method = "paired t over seeds"
	}
	v, df := seedVariance(a, b, sameSeeds)
	return c.withVariances(v, df, 0, 1)
}
