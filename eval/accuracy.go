package eval

import (
	"errors"
	"fmt"
	"math"

	"plumb/results"
)

// A Metric is one number of a Result.
type Metric struct {
	Name     string  // "acc", "acc_norm"
	Unit     string  // "share", "perplexity", "bits/byte", see results.Measure
	Value    float64 // over the scored items
	StdErr   float64 // standard error of Value, see stdErr; NaN where there is but one item
	N        int     // scored items
	Clusters int     // groups of items the error counts as independent; N where items stand alone
	Chance   float64 // Value by guessing: the mean over items of one over the number of choices; NaN where nothing is chosen
	Note     string  // a doubt about the number, or empty
}

// Metrics computes the metrics called names, each a name in results.Measures, over
// the items that were scored. Errors of what is no mean over items are those of
// its linear approximation.
func (r Result) Metrics(names ...string) ([]Metric, error) {
	if why := r.Invalid(); why != "" {
		return nil, fmt.Errorf("%s: %w", why, ErrInvalid)
	}
	var metrics []Metric
	var errs []error
	for _, name := range names {
		m, err := r.metric(name)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		metrics = append(metrics, m)
	}
	return metrics, errors.Join(errs...)
}

func (r Result) metric(name string) (Metric, error) {
	measure, err := results.Measures.Get(name)
	if err != nil {
		return Metric{}, err
	}
	value, scores, ok := measure.Of(r.Items)
	if !ok {
		return Metric{}, fmt.Errorf("the scores give %s no finite value: %w", name, ErrInvalid)
	}
	m := Metric{Name: name, Unit: measure.Unit, Value: value, N: len(r.Items), Chance: math.NaN(), Note: r.Note()}
	clusters := make([]string, len(r.Items))
	for i, item := range r.Items {
		clusters[i] = item.Cluster
	}
	if chance, chosen := (results.Items{Items: r.Items}).Chance(); chosen && measure.Unit == "share" {
		m.Chance = chance
	}
	m.StdErr, m.Clusters = stdErr(scores, clusters)
	return m, nil
}

// stdErr returns the standard error of the mean p of x, and the number of
// clusters G it rests on. Items with the same cluster name vary together; an
// item without one is a cluster of its own. With n items,
//
//	stdErr² = G/(G-1) · Σ_clusters (Σ_items of it (x - p))² / n²
//
// When every item stands alone this is sqrt(p(1-p)/(n-1)) for x of 0 and 1, the
// usual error of an accuracy. Where sets of items share their choices, a model
// that ignores the context gets the same number right in each set and this
// would be 0, and with a single cluster it is not known; then the error that
// takes the items as independent is returned, so that no score between 0 and 1
// claims to be exact.
func stdErr(x []float64, clusters []string) (float64, int) {
	groups := groupByName(x, clusters)
	if se := clusteredError(groups, len(x)); se > 0 || len(groups) == len(x) {
		return se, len(groups)
	}
	alone := make([][]float64, len(x))
	for i := range x {
		alone[i] = x[i : i+1]
	}
	return clusteredError(alone, len(x)), len(x)
}

// groupByName collects the values of each cluster, clusters in order of their
// first item. An item without a name stands alone.
func groupByName(x []float64, clusters []string) [][]float64 {
	var groups [][]float64
	index := map[string]int{}
	for i, name := range clusters {
		g, known := index[name]
		if !known || name == "" {
			g = len(groups)
			groups = append(groups, nil)
			index[name] = g
		}
		groups[g] = append(groups[g], x[i])
	}
	return groups
}

// clusteredError is the formula of stdErr; NaN with fewer than two clusters.
func clusteredError(groups [][]float64, n int) float64 {
	if len(groups) < 2 {
		return math.NaN()
	}
	mean := 0.0
	for _, group := range groups {
		for _, x := range group {
			mean += x
		}
	}
	mean /= float64(n)
	squares := 0.0
	for _, group := range groups {
		deviation := 0.0
		for _, x := range group {
			deviation += x - mean
		}
		squares += deviation * deviation
	}
	g := float64(len(groups))
	return math.Sqrt(g/(g-1)*squares) / float64(n)
}
