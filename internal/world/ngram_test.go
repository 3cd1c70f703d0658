package world

import (
	"math"
	"slices"
	"testing"
)

const maxOrder = 5

// A history is the words before the next one, newest first, as ids above zero.
type history [maxOrder - 1]uint16

type continuation struct {
	history history
	next    uint16
}

type tally struct{ total, kinds int }

// An ngram is an interpolated n-gram model with Witten-Bell weights:
//
//	p_n(w|h) = (c(h w) + T(h)·p_{n-1}(w|h')) / (c(h) + T(h))
//
// where T(h) counts the different words seen after h and h' is h without its
// oldest word; p_0 is uniform.
type ngram struct {
	ids    map[string]uint16
	counts [maxOrder]map[continuation]int // by length of the history
	after  [maxOrder]map[history]tally
	marks  bool // whether punctuation counts as words
}

func trainNgram(documents []string, words int, marks bool) *ngram {
	m := &ngram{ids: map[string]uint16{}, marks: marks}
	for n := range maxOrder {
		m.counts[n], m.after[n] = map[continuation]int{}, map[history]tally{}
	}
	for _, document := range documents {
		var h history
		for _, id := range m.encode(document) {
			m.observe(h, id)
			h = h.with(id)
			words--
		}
		if words <= 0 {
			return m
		}
	}
	return m
}

func (m *ngram) encode(text string) []uint16 {
	var ids []uint16
	for _, token := range tokens(text) {
		if isMark(token[0]) && !m.marks {
			continue
		}
		id, ok := m.ids[token]
		if !ok {
			id = uint16(len(m.ids) + 1)
			m.ids[token] = id
		}
		ids = append(ids, id)
	}
	return ids
}

func (h history) with(id uint16) history { return history{id, h[0], h[1], h[2]} }

// last returns the newest n words of h.
func (h history) last(n int) history {
	var short history
	copy(short[:n], h[:n])
	return short
}

func (m *ngram) observe(h history, id uint16) {
	for n := range maxOrder {
		short := h.last(n)
		key := continuation{short, id}
		t := m.after[n][short]
		t.total++
		if m.counts[n][key] == 0 {
			t.kinds++
		}
		m.counts[n][key]++
		m.after[n][short] = t
	}
}

// logProb scores the continuation of a choice with histories below order words.
func (m *ngram) logProb(c Choice, order int) float64 {
	var h history
	for _, id := range m.encode(c.Context) {
		h = h.with(id)
	}
	sum := 0.0
	for _, id := range m.encode(c.Continuation) {
		sum += math.Log(m.prob(h, id, order))
		h = h.with(id)
	}
	return sum
}

func (m *ngram) prob(h history, id uint16, order int) float64 {
	p := 1 / float64(len(m.ids)+1)
	for n := range order {
		short := h.last(n)
		t := m.after[n][short]
		if t.total == 0 {
			break
		}
		p = (float64(m.counts[n][continuation{short, id}]) + float64(t.kinds)*p) / float64(t.total+t.kinds)
	}
	return p
}

// credit is 1 if the gold choice scores best, a share if it ties, or 0.
func credit(scores []float64, gold int) float64 {
	best, ties := slices.Max(scores), 0
	for _, score := range scores {
		if score == best {
			ties++
		}
	}
	if scores[gold] != best {
		return 0
	}
	return 1 / float64(ties)
}

// accuracy returns the mean credit and its standard error, clustered.
func accuracy(items []Item, score func(Choice) float64) (mean, stderr float64) {
	var means []float64
	for cluster := range slices.Chunk(items, clusterSize) {
		sum := 0.0
		for _, item := range cluster {
			var scores []float64
			for _, c := range item.Choices {
				scores = append(scores, score(c))
			}
			sum += credit(scores, item.Gold)
		}
		means = append(means, sum/float64(len(cluster)))
		mean += sum / float64(len(items))
	}
	for _, m := range means {
		stderr += (m - mean) * (m - mean)
	}
	n := float64(len(means))
	return mean, math.Sqrt(stderr / (n - 1) / n)
}

// TestNgramsStayAtChance scores all kinds with n-gram models of 1 to 5 words, with
// and without punctuation, as sums and per byte as acc_norm does.
func TestNgramsStayAtChance(t *testing.T) {
	const words = 300_000
	models := map[*World][]*ngram{}
	eachKind(t, func(t *testing.T, w *World, kind string) {
		if models[w] == nil {
			text := first(w.Documents(1), words/60)
			models[w] = []*ngram{trainNgram(text, words, true), trainNgram(text, words, false)}
		}
		k, err := Describe(kind)
		if err != nil {
			t.Fatal(err)
		}
		items := someItems(t, w, kind, 1000)
		for _, m := range models[w] {
			for order := 1; order <= maxOrder; order++ {
				sum := func(c Choice) float64 { return m.logProb(c, order) }
				checkChance(t, items, k.Chance, order, sum)
				checkChance(t, items, k.Chance, order, func(c Choice) float64 { return sum(c) / float64(len(c.Continuation)-1) })
			}
		}
	})
}

func checkChance(t *testing.T, items []Item, chance float64, order int, score func(Choice) float64) {
	t.Helper()
	const rounding = 1e-9
	if mean, stderr := accuracy(items, score); math.Abs(mean-chance) > 2.5*stderr+rounding {
		t.Errorf("a %d-gram scores %.4f ± %.4f, and chance is %g", order, mean, stderr, chance)
	}
}

// TestNgramLearnsTheText guards the test above: a model that learnt nothing
// would pass it.
func TestNgramLearnsTheText(t *testing.T) {
	w := newWorld(t, 3, Options{})
	m := trainNgram(first(w.Documents(1), 2000), 100_000, true)
	for order, most := range map[int]float64{1: 6.5, 2: 3, 5: 1.3} {
		sum, count := 0.0, 0
		for _, document := range first(w.Documents(2), 100) {
			sum -= m.logProb(Choice{Continuation: document}, order)
			count += len(tokens(document))
		}
		if loss := sum / float64(count); loss > most {
			t.Errorf("a %d-gram has %.2f nats a word, above %.2f", order, loss, most)
		}
	}
	written := Item{Gold: 0, Choices: []Choice{{"the bell rings", " twice and the day begins."}, {"the bell rings", " twice and the year begins."}}}
	if mean, _ := accuracy([]Item{written, written}, func(c Choice) float64 { return m.logProb(c, 5) }); mean != 1 {
		t.Errorf("the text's own words score %g", mean)
	}
}
