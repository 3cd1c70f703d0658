package bench

import (
	"context"
	"fmt"
	"slices"

	"plumb/arch"
	"plumb/eval"
	"plumb/model"
	"plumb/tasks"
)

var scoringSection = section{
	name:   "scoring",
	about:  "log-probabilities of prompts of 512 tokens and of HellaSwag's items, by the operations that they need: shared beginnings once, the output matrix where a token is scored",
	shapes: []string{"gpt2", "stories260k"},
	groups: func(r *runner, s Shape) []group { return []group{r.scoring(s)} },
}

// scoring times a model of random weights; their values change no operation.
func (r *runner) scoring(s Shape) group {
	g := group{section: "scoring", shape: s.Name, model: true}
	jobs := r.scoringJobs(s.Config)
	for _, j := range jobs {
		for range r.counts() {
			g.costs = append(g.costs, j.needs)
		}
	}
	g.open = func() (probes []probe, drop func(), err error) {
		m, err := model.New(s.Config, model.Init{}, 1)
		if err != nil {
			return nil, nil, err
		}
		m.Freeze()
		for _, j := range jobs {
			for _, workers := range r.counts() {
				probes = append(probes, j.probe(s.Name, workers, m))
			}
		}
		return probes, func() {}, nil
	}
	return g
}

// A scoringJob is something that a model scores.
type scoringJob struct {
	name, note string
	unit       string
	work       float64
	needs      float64 // operations
	do         func(m *model.Model) error
}

func (j scoringJob) probe(shape string, workers int, m *model.Model) probe {
	return probe{
		Line: Line{
			Section: "scoring", Shape: shape, Name: j.name, Workers: workers, Unit: j.unit, Work: j.work,
			Limit: PeakLimit, Note: j.note,
		},
		Task:  on(workers, func() error { return j.do(m) }),
		needs: j.needs,
	}
}

// Prompts of so many tokens, so many at a time.
const (
	promptTokens = 512
	promptRows   = 2
)

// scoringJobs lists what a model of shape c is timed with. Items are left out
// where none fits.
func (r *runner) scoringJobs(c arch.Config) []scoringJob {
	length := min(promptTokens, c.Context)
	jobs := []scoringJob{
		promptJob(c, length, length, fmt.Sprintf("prompts of %d, next token", length)),
		promptJob(c, length, 1, fmt.Sprintf("prompts of %d, every token", length)),
	}
	if items := r.itemsFor(c); len(items) > 0 {
		jobs = append(jobs, r.itemJob(c, items))
	}
	return jobs
}

// promptJob scores the tokens of rows of length+1 from position from on.
func promptJob(c arch.Config, length, from int, name string) scoringJob {
	rows, starts := make([][]int32, promptRows), make([]int, promptRows)
	for i := range rows {
		rows[i], starts[i] = make([]int32, length+1), from
		someRows(c.Vocab).Row(int64(i), rows[i])
	}
	return scoringJob{
		name: name, unit: "tokens", work: float64(promptRows * length),
		needs: promptRows * spanFLOPs(c, 0, length, length+1-from),
		do: func(m *model.Model) error {
			_, _, err := m.LogProbs(rows, starts)
			return err
		},
	}
}

// itemBatch is how many items are scored in one repetition, and at a time.
const itemBatch = 16

// itemsFor returns the items whose endings fit the context of c, made ones where
// none were given.
func (r *runner) itemsFor(c arch.Config) (fitting []tasks.Item) {
	items, tok := r.Items, tokenizerFor(c)
	if items == nil {
		items = madeItems(c.Vocab)
	}
	for _, item := range items {
		if !slices.ContainsFunc(item.Choices, func(x tasks.Choice) bool { return len(tok.Encode(x.Continuation)) > c.Context }) {
			fitting = append(fitting, item)
		}
	}
	return fitting
}

// itemJob scores items as an evaluation does, tokenising included.
func (r *runner) itemJob(c arch.Config, items []tasks.Item) scoringJob {
	items, tok := spaced(items, itemBatch), tokenizerFor(c)
	j := scoringJob{name: "hellaswag", unit: "items", work: float64(len(items))}
	tokens := 0
	for _, item := range items {
		n, needs := itemCost(c, tok, item)
		tokens, j.needs = tokens+n, j.needs+needs
	}
	origin := "items of the file"
	if r.Items == nil {
		origin = "made items"
	}
	j.note = fmt.Sprintf("%d %s, %.0f tokens each with the context once", len(items), origin, float64(tokens)/j.work)
	j.do = func(m *model.Model) error {
		result, err := eval.MultipleChoice(context.Background(), m, tok, items, eval.Options{Batch: itemBatch, BOS: eval.BOSNever})
		if err == nil && result.Invalid() != "" {
			err = fmt.Errorf("the items of the benchmark: %s", result.Invalid())
		}
		return err
	}
	return j
}

// itemCost returns how many tokens an item has when the beginning that its
// choices share is run once, and the operations that scoring it needs.
func itemCost(c arch.Config, tok tokenizer, item tasks.Item) (tokens int, operations float64) {
	context := len(tok.Encode(item.Choices[0].Context))
	shared := max(0, min(context, c.Context)-1) // the last token of the context predicts
	tokens, operations = shared, spanFLOPs(c, 0, shared, 0)
	for _, choice := range item.Choices {
		ending := len(tok.Encode(choice.Continuation))
		tokens += ending
		operations += spanFLOPs(c, shared, shared+ending, ending)
	}
	return tokens + 1, operations
}

// spaced returns n of items, evenly spaced.
func spaced(items []tasks.Item, n int) []tasks.Item {
	if len(items) <= n {
		return items
	}
	some := make([]tasks.Item, n)
	for i := range some {
		some[i] = items[i*len(items)/n]
	}
	return some
}
