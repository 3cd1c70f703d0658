package eval

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash"
	"strings"

	"plumb/results"
	"plumb/tasks"
)

// A Remark says what an honest table must know of one item.
type Remark struct {
	Item   string // its ID
	Choice int
	Reason string
}

// A Result holds all scores of a task, in the order of its items, and what they
// depend on besides the weights.
type Result struct {
	Items     []results.Item // those that were scored
	BOS       string         // the setting used
	Context   int            // the model's context in tokens
	Tokens    int            // scored tokens
	TokenHash string         // SHA-256 of the token stream that was scored
	Truncated int            // items with a choice whose context was cut from the left
	Shifted   []Remark       // choices with a token across the border of context and continuation
	Unscored  []Remark       // items that could not be scored; no metric counts them
}

// maxUnscored is the share of unscored items above which a result is invalid.
const maxUnscored = 0.01

// Invalid says why the scores stand for too few of the items to be reported,
// and is empty when they can be.
func (r Result) Invalid() string {
	total := len(r.Items) + len(r.Unscored)
	if total == 0 {
		return "no items"
	}
	if len(r.Items) > 0 && float64(len(r.Unscored)) <= maxUnscored*float64(total) {
		return ""
	}
	first := r.Unscored[0]
	return fmt.Sprintf("%d of %d items could not be scored; item %s, choice %d: %s",
		len(r.Unscored), total, first.Item, first.Choice, first.Reason)
}

// Note is the footnote that a table with these scores needs, or empty.
func (r Result) Note() string {
	var notes []string
	add := func(n int, what string) {
		if n > 0 {
			notes = append(notes, fmt.Sprintf("%d %s", n, what))
		}
	}
	add(r.Truncated, "items with truncated context")
	add(len(r.Shifted), "choices with a token across the border of context and continuation")
	add(len(r.Unscored), "items not scored")
	return strings.Join(notes, ", ")
}

// Stored returns the scores as they are kept beside the records. Its protocol
// names how they were scored, so that only equals are compared.
func (r Result) Stored(task, version string) results.Items {
	return results.Items{Task: task, Version: version, Protocol: "loglikelihood 1, bos " + r.BOS, Items: r.Items}
}

// MultipleChoice scores every choice of every item: the log-probability of its
// continuation after its context. An item that cannot be scored, because a
// merge swallowed a continuation or a continuation is longer than the context,
// is listed as unscored. A score that is no number ends with an error of
// ErrInvalid that names the item. The scores do not depend on Options.Batch.
func MultipleChoice(ctx context.Context, m Model, tok Tokenizer, items []tasks.Item, o Options) (Result, error) {
	o, err := o.check()
	if err != nil {
		return Result{}, err
	}
	s := &choiceScorer{
		model:   m,
		encoder: encoder{tok: tok, bos: o.BOS == BOSAlways},
		stream:  sha256.New(),
		result:  Result{BOS: o.BOS, Context: m.Context()},
	}
	for start := 0; start < len(items); start += o.Batch {
		o.Progress(start, len(items))
		if err := s.batch(ctx, items[start:min(start+o.Batch, len(items))]); err != nil {
			return Result{}, err
		}
	}
	o.Progress(len(items), len(items))
	s.result.TokenHash = hex.EncodeToString(s.stream.Sum(nil))
	return s.result, nil
}

// A choiceScorer scores batches of items.
type choiceScorer struct {
	model   Model
	encoder encoder
	stream  hash.Hash // of what was scored
	result  Result
}

// A request is one choice as the model gets it.
type request struct {
	row  []int32
	from int
	name string // of its item
}

func (s *choiceScorer) batch(ctx context.Context, items []tasks.Item) error {
	var requests []request
	first := len(s.result.Items)
	for _, item := range items {
		requests = append(requests, s.add(item)...)
	}
	sums, greedy, err := score(ctx, s.model, requests, s.stream)
	if err != nil {
		return err
	}
	row := 0
	for _, item := range s.result.Items[first:] {
		for c := range item.Choices {
			item.Choices[c].Sum, item.Choices[c].Greedy = sums[row], greedy[row]
			row++
		}
	}
	return nil
}

// add appends item, still without sums, to the result and returns its requests;
// or none, if one of its choices cannot be scored.
func (s *choiceScorer) add(item tasks.Item) []request {
	scored := results.Item{ID: item.ID, Cluster: item.Cluster, Gold: item.Gold}
	var requests []request
	var shifted []Remark
	truncated := 0
	for i, choice := range item.Choices {
		span := s.encoder.encode(choice.Context, choice.Continuation)
		row, from, dropped, reason := span.cut(s.model.Context())
		if reason != "" {
			s.result.Unscored = append(s.result.Unscored, Remark{item.ID, i, reason})
			return nil
		}
		if span.shift != "" {
			shifted = append(shifted, Remark{item.ID, i, span.shift})
		}
		truncated = max(truncated, dropped)
		requests = append(requests, request{row, from, "item " + item.ID})
		scored.Choices = append(scored.Choices, results.Choice{Tokens: span.scored(), Length: choice.Length, Truncated: dropped})
	}
	for _, c := range scored.Choices {
		s.result.Tokens += c.Tokens
	}
	s.result.Items = append(s.result.Items, scored)
	s.result.Shifted = append(s.result.Shifted, shifted...)
	if truncated > 0 {
		s.result.Truncated++
	}
	return requests
}
