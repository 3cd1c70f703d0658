package compress

import (
	"fmt"
	"slices"
	"sort"

	"plumb/model"
)

// plan chooses the ranks of all matrices together, where the rule is to.
func (r *ranks) plan(s splitter, m *model.Model, cal *Calibration, places []model.Slot) (*Plan, error) {
	choose := map[string]func(*candidates) (map[string]int, error){"global": (*candidates).bySpectra, "search": (*candidates).byLoss}[r.Rank]
	if choose == nil {
		return nil, nil
	}
	c := &candidates{splitter: s, model: m, cal: cal, places: places}
	for _, p := range places {
		c.budget += r.Keep * float64(entries(p.Matrix))
	}
	if needs := s.Needs(); needs != Nothing {
		var err error
		names := map[string]bool{}
		for _, p := range places {
			names[p.Name] = true
		}
		if c.inputs, err = cal.gather(m, needs, func(place string) bool { return names[place] }); err != nil {
			return nil, err
		}
	}
	ranks, err := choose(c)
	if err != nil {
		return nil, err
	}
	return &Plan{Model: m, At: func(place string) MatrixMethod { return &fixedRank{s, ranks[place]} }}, nil
}

// fixedRank splits a matrix and keeps so many terms.
type fixedRank struct {
	splitter
	rank int
}

func (f *fixedRank) Matrix(w *model.Dense, in *Inputs) (model.Linear, Notes, error) {
	if breaksEven(w.Out, w.In, f.rank) {
		return dense(w, f.rank)
	}
	t, err := f.split(w, in)
	if err != nil {
		return nil, nil, err
	}
	return t.at(w, f.rank)
}

// candidates are matrices that share a budget of weights.
type candidates struct {
	splitter
	model  *model.Model
	cal    *Calibration
	places []model.Slot
	inputs map[string]*Inputs
	budget float64
}

// terms splits the matrix at a place.
func (c *candidates) terms(p model.Slot) (*model.Dense, *terms, error) {
	w := model.Expand(p.Matrix)
	t, err := c.split(w, c.inputs[p.Name])
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w", p.Name, err)
	}
	return w, t, nil
}

// bySpectra gives every matrix one term, and then the budget to the terms that
// hold the greatest share of their matrix' energy for each weight they cost. One
// that reaches break-even is kept as it is.
func (c *candidates) bySpectra() (map[string]int, error) {
	type term struct {
		place int
		worth float64 // of a weight
	}
	var all []term
	for i, p := range c.places {
		w, t, err := c.terms(p)
		if err != nil {
			return nil, err
		}
		energy := t.energy(t.values)
		for _, v := range t.values[1:] {
			if energy > 0 {
				all = append(all, term{i, v * v / energy / float64(w.Out+w.In)})
			}
		}
	}
	slices.SortStableFunc(all, func(a, b term) int {
		switch {
		case a.worth > b.worth:
			return -1
		case a.worth < b.worth:
			return 1
		}
		return 0
	})
	ranks, left := map[string]int{}, c.budget
	for _, p := range c.places {
		ranks[p.Name] = 1
		left -= c.cost(p, 1)
	}
	if left < 0 {
		return nil, fmt.Errorf("the budget of %.0f weights has no room for rank 1 everywhere", c.budget)
	}
	for _, t := range all {
		p := c.places[t.place]
		more := c.cost(p, ranks[p.Name]+1) - c.cost(p, ranks[p.Name])
		if more <= left {
			left -= more
			ranks[p.Name]++
		}
	}
	return ranks, nil
}

// cost is how many weights a matrix of a rank stores.
func (c *candidates) cost(p model.Slot, rank int) float64 {
	out, in := p.Matrix.Shape()
	return float64(min(rank*(out+in), out*in))
}

// searchShares of the weights are tried by byLoss; 1 is the matrix itself.
var searchShares = []float64{0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9}

// byLoss measures what each matrix alone, reduced to each of searchShares, does
// to the loss on the calibration text, and gives each the least share that stays
// below one loss for all, the lowest that the budget allows (ASVD's search, Yuan
// et al. 2023, section 3.4).
func (c *candidates) byLoss() (map[string]int, error) {
	choices, losses, err := c.choices()
	if err != nil {
		return nil, err
	}
	slices.Sort(losses)
	at := sort.Search(len(losses), func(i int) bool {
		_, weights := c.under(choices, losses[i])
		return weights <= c.budget
	})
	if at == len(losses) {
		return nil, fmt.Errorf("the budget of %.0f weights is below what the least share tried, %v, leaves", c.budget, searchShares[0])
	}
	ranks, _ := c.under(choices, losses[at])
	return ranks, nil
}

// A rankChoice is a rank that a matrix may get, and the loss with it.
type rankChoice struct {
	rank int
	loss float64
}

// choices tries each share for each matrix, and returns all losses too.
func (c *candidates) choices() (all [][]rankChoice, losses []float64, err error) {
	all = make([][]rankChoice, len(c.places))
	for i, p := range c.places {
		w, t, err := c.terms(p)
		if err != nil {
			return nil, nil, err
		}
		for _, share := range searchShares {
			rank, err := rankFor(w.Out, w.In, share)
			if err != nil {
				rank = 1
			}
			l, _, err := t.at(w, rank)
			if err != nil {
				return nil, nil, err
			}
			loss, err := c.loss(p.Name, l)
			if err != nil {
				return nil, nil, err
			}
			all[i], losses = append(all[i], rankChoice{rank, loss}), append(losses, loss)
		}
	}
	return all, losses, nil
}

// under gives each matrix its first choice that stays below the limit, or its full
// rank, and returns what weights they have.
func (c *candidates) under(choices [][]rankChoice, limit float64) (ranks map[string]int, weights float64) {
	ranks = map[string]int{}
	for i, p := range c.places {
		out, in := p.Matrix.Shape()
		rank := min(out, in)
		if first := slices.IndexFunc(choices[i], func(one rankChoice) bool { return one.loss <= limit }); first >= 0 {
			rank = choices[i][first].rank
		}
		ranks[p.Name] = rank
		weights += c.cost(p, rank)
	}
	return ranks, weights
}

// loss is that of the calibration text with another matrix at a place, in nats
// a token.
func (c *candidates) loss(place string, l model.Linear) (float64, error) {
	m, err := c.model.With(map[string]model.Linear{place: l})
	if err != nil {
		return 0, err
	}
	var texts [][]int32
	var from []int
	tokens := 0
	for _, text := range c.cal.Texts {
		if len(text) > 1 {
			texts, from, tokens = append(texts, text), append(from, 1), tokens+len(text)-1
		}
	}
	sums, _, err := m.LogProbs(texts, from)
	if err != nil {
		return 0, err
	}
	loss := 0.0
	for _, s := range sums {
		loss -= s
	}
	if loss != loss {
		return 0, fmt.Errorf("%s: the loss on the calibration text is NaN", place)
	}
	return loss / float64(max(1, tokens)), nil
}
