package eval

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"hash"

	"plumb/tasks"
)

// A Scored is what one choice got, with what an honest table must know.
type Scored struct {
	Sum       float64 // ln P(continuation | context) in nats, over Tokens tokens
	Length    int     // code points of the choice without its delimiter
	Tokens    int     // tokens that were scored
	Greedy    bool    // each of them was the most likely one
	Truncated int     // tokens of context that did not fit and were cut from the left
	Lost      int     // bytes of the continuation that a merge took to the context's side: not scored
	Extra     int     // bytes of the context that a merge took to the continuation's side: scored
}

// An ItemScore is what the choices of one item got. Where Problem is not empty
// the item could not be scored, Choices is nil, and no metric counts it.
type ItemScore struct {
	ID      string
	Cluster string
	Gold    int
	Choices []Scored
	Problem string
}

// A Result holds all scores of a task, in the order of its items, and what they
// depend on besides the weights.
type Result struct {
	Items     []ItemScore
	BOS       string  // the setting used
	Context   int     // the model's context in tokens
	Tokens    int     // scored tokens
	TokenHash string  // SHA-256 of the token stream that was scored
	Chance    float64 // share of right answers by guessing: mean of 1/choices over scored items
	Truncated int     // items with a choice whose context was cut
	Shifted   int     // items with a choice that lost or gained bytes at the border
	Unscored  int     // items with a Problem
}

// maxUnscored is the share of unscored items above which a result is invalid.
const maxUnscored = 0.01

// Invalid says why the scores stand for too few of the items to be reported,
// and is empty when they can be.
func (r Result) Invalid() string {
	if r.Unscored == len(r.Items) || float64(r.Unscored) > maxUnscored*float64(len(r.Items)) {
		for _, item := range r.Items {
			if item.Problem != "" {
				return fmt.Sprintf("%d of %d items could not be scored; item %s: %s", r.Unscored, len(r.Items), item.ID, item.Problem)
			}
		}
		return "no items"
	}
	return ""
}

// Note lists what a table should say in a footnote, and is empty when there is nothing.
func (r Result) Note() string {
	note := ""
	add := func(n int, what string) {
		if n == 0 {
			return
		}
		if note != "" {
			note += ", "
		}
		note += fmt.Sprintf("%d of %d items %s", n, len(r.Items), what)
	}
	add(r.Truncated, "with truncated context")
	add(r.Shifted, "with a token across the border of context and continuation")
	add(r.Unscored, "not scored")
	return note
}

// MultipleChoice scores every choice of every item: the log-probability of its
// continuation after its context. Items that cannot be scored are kept with
// their Problem. A score that is no number ends with an error of ErrInvalid
// that names the item. The scores do not depend on Options.Batch.
func MultipleChoice(ctx context.Context, m Model, tok Tokenizer, items []tasks.Item, o Options) (Result, error) {
	o, err := o.check()
	if err != nil {
		return Result{}, err
	}
	r := Result{BOS: o.BOS, Context: m.Context()}
	scorer := &choiceScorer{
		model:   m,
		encoder: encoder{tok: tok, bos: o.BOS == BOSAlways},
		stream:  sha256.New(),
	}
	for start := 0; start < len(items); start += o.Batch {
		o.Progress(start, len(items))
		end := min(start+o.Batch, len(items))
		scores, err := scorer.batch(ctx, items[start:end])
		if err != nil {
			return Result{}, err
		}
		r.Items = append(r.Items, scores...)
	}
	o.Progress(len(items), len(items))
	r.TokenHash = hex.EncodeToString(scorer.stream.Sum(nil))
	r.count()
	return r, nil
}

// count fills in the totals from the items.
func (r *Result) count() {
	for _, item := range r.Items {
		truncated, shifted := false, false
		for _, c := range item.Choices {
			r.Tokens += c.Tokens
			truncated = truncated || c.Truncated > 0
			shifted = shifted || c.Lost > 0 || c.Extra > 0
		}
		r.Truncated += one(truncated)
		r.Shifted += one(shifted)
		r.Unscored += one(item.Problem != "")
		if item.Problem == "" {
			r.Chance += 1 / float64(len(item.Choices))
		}
	}
	if scored := len(r.Items) - r.Unscored; scored > 0 {
		r.Chance /= float64(scored)
	}
}

func one(b bool) int {
	if b {
		return 1
	}
	return 0
}

// A choiceScorer scores batches of items, adding what it scores to stream.
type choiceScorer struct {
	model   Model
	encoder encoder
	stream  hash.Hash
	rows    [][]int32
	from    []int
	owner   []*ItemScore // of each row
}

func (s *choiceScorer) batch(ctx context.Context, items []tasks.Item) ([]ItemScore, error) {
	s.rows, s.from, s.owner = s.rows[:0], s.from[:0], s.owner[:0]
	scores := make([]ItemScore, len(items))
	for i, item := range items {
		scores[i] = ItemScore{ID: item.ID, Cluster: item.Cluster, Gold: item.Gold}
		s.add(&scores[i], item)
	}
	name := func(i int) string { return "item " + s.owner[i].ID }
	sums, greedy, err := score(ctx, s.model, s.rows, s.from, name)
	if err != nil {
		return nil, err
	}
	row := 0
	for i := range scores {
		for c := range scores[i].Choices {
			scores[i].Choices[c].Sum, scores[i].Choices[c].Greedy = sums[row], greedy[row]
			row++
		}
	}
	return scores, nil
}

// add appends the rows of all choices of item, or none and a Problem.
func (s *choiceScorer) add(score *ItemScore, item tasks.Item) {
	limit := s.model.Context()
	first := len(s.rows)
	for i, choice := range item.Choices {
		span := s.encoder.encode(choice.Context, choice.Continuation)
		row, from, dropped, fits := span.cut(limit)
		switch {
		case span.scored() == 0:
			score.Problem = fmt.Sprintf("choice %d: a merge of tokens swallowed the continuation %q", i, choice.Continuation)
		case !fits:
			score.Problem = fmt.Sprintf("choice %d: continuation of %d tokens is longer than the model's context of %d", i, span.scored(), limit)
		}
		if score.Problem != "" {
			s.rows, s.from, s.owner = s.rows[:first], s.from[:first], s.owner[:first]
			score.Choices = nil
			return
		}
		s.rows, s.from, s.owner = append(s.rows, row), append(s.from, from), append(s.owner, score)
		score.Choices = append(score.Choices, Scored{Length: choice.Length, Tokens: span.scored(), Truncated: dropped, Lost: span.lost, Extra: span.kept})
	}
	for i := first; i < len(s.rows); i++ {
		hashRow(s.stream, s.rows[i], s.from[i])
	}
}

// hashRow adds a row to the hash of a token stream: its length, the index of
// its first scored token and its ids, each as a little-endian uint32.
func hashRow(stream hash.Hash, row []int32, from int) {
	buf := make([]byte, 0, 4*(len(row)+2))
	buf = binary.LittleEndian.AppendUint32(buf, uint32(len(row)))
	buf = binary.LittleEndian.AppendUint32(buf, uint32(from))
	for _, id := range row {
		buf = binary.LittleEndian.AppendUint32(buf, uint32(id))
	}
	stream.Write(buf)
}
