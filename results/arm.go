package results

import (
	"errors"
	"slices"
)

// arm is the values behind a cell, seed by seed, and the items where every
// record has them.
type arm struct {
	seeds   []uint64
	values  []float64 // [seed]: the mean of the seed's records
	items   []Items   // one a record; nil when some record has none
	itemsOf []int     // index of the seed of each of items
	metric  string
}

func (a arm) hasItems() bool { return len(a.items) > 0 }

// armOf collects records, which are sorted by seed.
func armOf(records []Record, f *finder) arm {
	a := arm{}
	counts := []float64{}
	whole := true
	for _, r := range records {
		if n := len(a.seeds); n == 0 || a.seeds[n-1] != r.Seed {
			a.seeds, a.values, counts = append(a.seeds, r.Seed), append(a.values, 0), append(counts, 0)
		}
		last := len(a.seeds) - 1
		a.values[last] += *r.Value
		counts[last]++
		a.metric = lastPart(r.Metric)
		x, ok := f.find(r)
		whole = whole && ok
		a.items, a.itemsOf = append(a.items, x), append(a.itemsOf, last)
	}
	for i := range a.values {
		a.values[i] /= counts[i]
	}
	if !whole {
		a.items, a.itemsOf = nil, nil
	}
	return a
}

// scores is [seed][item], averaged over a seed's records.
func (a arm) scores() ([][]float64, error) {
	raw, err := scoresBySeed(a.items, a.metric)
	if err != nil {
		return nil, err
	}
	out, counts := make([][]float64, len(a.seeds)), make([]float64, len(a.seeds))
	for i, s := range raw {
		seed := a.itemsOf[i]
		if out[seed] == nil {
			out[seed] = make([]float64, len(s))
		}
		for j, v := range s {
			out[seed][j] += v
		}
		counts[seed]++
	}
	for seed := range out {
		for j := range out[seed] {
			out[seed][j] /= counts[seed]
		}
	}
	return out, nil
}

// compare tests a against b: over items where both have the same ones, else
// over seeds. why says what kept it from using items that are there.
func (a arm) compare(b arm) (c Comparison, why error) {
	if a.hasItems() && b.hasItems() {
		c, why = a.compareItems(b)
		if why == nil {
			return c, nil
		}
		if !errors.Is(why, errUndetermined) {
			return untestable(Comparison{Seeds: min(len(a.seeds), len(b.seeds))}, "not comparable"), why
		}
	}
	return PairedSeeds(a.values, b.values, slices.Equal(a.seeds, b.seeds)), nil
}

// compareItems tests a against b on the same items.
//
// Scores are averaged over seeds item by item, and the test is a t over the
// items' differences, with the standard error robust to clusters (twins,
// quartets, questions on one text): G/(G-1)·Σ(sum of a cluster's residuals)²/n²
// for G clusters and n items. With several seeds that error holds for these
// very models; the error of the difference between seeds, var(D)/k for D the
// arms' difference at each of k seeds, is added to it, so that the result
// speaks of the shapes and not of the seeds drawn. Degrees of freedom are
// Satterthwaite's. The sum counts the noise of a single item at a single seed
// twice, so the test errs on the side of calling a tie. Two seeds show their
// spread so badly that, where it is large, a tie is called different more
// often than in 5 of 100 cases; three do not.
//
// Arms whose items differ are an error that names the first such item.
func (a arm) compareItems(b arm) (Comparison, error) {
	for _, x := range append(a.items[1:len(a.items):len(a.items)], b.items...) {
		if err := sameItems(a.items[0], x); err != nil {
			return Comparison{}, err
		}
	}
	p, err := a.scores()
	if err != nil {
		return Comparison{}, err
	}
	q, err := b.scores()
	if err != nil {
		return Comparison{}, err
	}
	return compareScores(p, q, clusters(a.items[0].Items), slices.Equal(a.seeds, b.seeds)), nil
}

// finder reads items files and remembers which were missing.
type finder struct {
	source   ItemSource
	problems map[string]error // by hash
}

func newFinder(source ItemSource) *finder {
	return &finder{source: source, problems: map[string]error{}}
}

func (f *finder) find(r Record) (Items, bool) {
	if f.source == nil || r.Items == "" {
		return Items{}, false
	}
	x, err := f.source(r.Items)
	if err != nil {
		f.problems[r.Items] = err
		return Items{}, false
	}
	return x, true
}
