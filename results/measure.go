package results

import (
	"math"

	"plumb/internal/registry"
)

// A Measure is a metric of a task's items.
type Measure struct {
	Unit string // "share", "perplexity", "bits/byte", "nats/token"
	// Of returns the value, and one number an item whose mean is the value and
	// whose spread over items, or clusters of them, is the spread of the value.
	// Where the value is no mean over items these numbers are those of its linear
	// approximation: of a ratio Σa/Σb its residuals, of exp(x) exp(x) times the
	// deviations of x. ok is false when the items do not determine the metric.
	Of func(items []Item) (value float64, scores []float64, ok bool)
}

// Measures holds every metric of items by name, those in Accuracies too.
var Measures = registry.New[Measure]("metric")

func init() {
	for _, name := range []string{"acc", "acc_norm", "acc_bytes", "acc_tokens", "acc_tokens_late"} {
		Measures.Add(name, Measure{"share", func(items []Item) (float64, []float64, bool) { return accuracy(name, items) }})
	}
	for _, name := range []string{"exact_match", "f1"} {
		Measures.Add(name, Measure{"share", func(items []Item) (float64, []float64, bool) { return marks(name, items) }})
	}
	tokens := func(c Choice) int { return c.Tokens }
	bytes := func(c Choice) int { return c.Length }
	words := func(c Choice) int { return c.Words }
	one := func(Choice) int { return 1 }
	Measures.Add("nats_per_token", Measure{"nats/token", perUnit(1, tokens)})
	Measures.Add("bits_per_byte", Measure{"bits/byte", perUnit(1/math.Ln2, bytes)})
	Measures.Add("perplexity", Measure{"perplexity", exponential(perUnit(1, one))})
	Measures.Add("token_perplexity", Measure{"perplexity", exponential(perUnit(1, tokens))})
	Measures.Add("byte_perplexity", Measure{"perplexity", exponential(perUnit(1, bytes))})
	Measures.Add("word_perplexity", Measure{"perplexity", exponential(perUnit(1, words))})
	Measures.Add("window_perplexity", Measure{"perplexity", exponential(meanLoss)})
}

// accuracy is the share of items whose picked choice is right. Of an item with
// but one choice, acc says whether that was the most likely text.
func accuracy(name string, items []Item) (float64, []float64, bool) {
	pick, err := Accuracies.Get(name)
	if err != nil {
		panic("results: " + err.Error())
	}
	scores := make([]float64, len(items))
	for i, item := range items {
		switch {
		case len(item.Choices) > 1:
			scores[i] = oneIf(pick(item.Choices) == item.Gold)
		case len(item.Choices) == 1 && name == "acc" && item.Choices[0].Words == 0 && item.Marks == nil:
			scores[i] = oneIf(item.Choices[0].Greedy)
		default:
			return 0, nil, false
		}
	}
	return meanOf(scores)
}

// marks is the mean of what the answers are worth.
func marks(name string, items []Item) (float64, []float64, bool) {
	scores := make([]float64, len(items))
	for i, item := range items {
		mark, ok := item.Marks[name]
		if !ok {
			return 0, nil, false
		}
		scores[i] = mark
	}
	return meanOf(scores)
}

func meanOf(scores []float64) (float64, []float64, bool) {
	if len(scores) == 0 {
		return 0, nil, false
	}
	return mean(scores), scores, true
}

// perUnit is the ratio R = -scale·ΣSum/Σcount over items of one choice, with
// scores R + (-scale·Sum - R·count)/mean(count), so that long and short documents
// do not look like spread.
func perUnit(scale float64, count func(Choice) int) func([]Item) (float64, []float64, bool) {
	return func(items []Item) (float64, []float64, bool) {
		total, nats := 0, 0.0
		for _, item := range items {
			if len(item.Choices) != 1 {
				return 0, nil, false
			}
			total += count(item.Choices[0])
			nats -= item.Choices[0].Sum
		}
		if total == 0 {
			return 0, nil, false
		}
		ratio := scale * nats / float64(total)
		mean := float64(total) / float64(len(items))
		scores := make([]float64, len(items))
		for i, item := range items {
			c := item.Choices[0]
			scores[i] = ratio + (-scale*c.Sum-ratio*float64(count(c)))/mean
		}
		return ratio, scores, true
	}
}

// meanLoss is the plain mean over windows of each one's mean loss, however many
// tokens it has.
func meanLoss(items []Item) (float64, []float64, bool) {
	scores := make([]float64, len(items))
	for i, item := range items {
		if len(item.Choices) != 1 || item.Choices[0].Tokens == 0 {
			return 0, nil, false
		}
		scores[i] = -perToken(item.Choices[0])
	}
	return meanOf(scores)
}

// exponential is e to the power of a measure.
func exponential(of func([]Item) (float64, []float64, bool)) func([]Item) (float64, []float64, bool) {
	return func(items []Item) (float64, []float64, bool) {
		x, scores, ok := of(items)
		if !ok {
			return 0, nil, false
		}
		value := exp(x)
		if !finite(value) {
			return 0, nil, false
		}
		for i, s := range scores {
			scores[i] = value + value*(s-x)
		}
		return value, scores, true
	}
}

// exp returns e to the power x by Taylor's series, the same on every processor,
// which math.Exp is not.
func exp(x float64) float64 {
	if x > 709 || x != x {
		return math.Inf(1)
	}
	n := math.Floor(float64(x*math.Log2E) + 0.5)
	r := math.FMA(-n, 0x1.62e42fefa39efp-1, x) // ln 2 in two parts
	r = math.FMA(-n, 0x1.abc9e3b39803fp-56, r)
	p := 1.0
	for k := 18; k > 0; k-- {
		p = math.FMA(p, r/float64(k), 1)
	}
	return math.Ldexp(p, int(n))
}
