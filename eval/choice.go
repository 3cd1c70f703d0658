package eval

import (
	"context"
	"fmt"
	"strings"
	"unicode/utf8"

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
	Protocol  string         // how the items were scored, in a few words
	Remark    string         // what else a footnote says
	Work      Work           // what it took
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
	if r.Remark != "" {
		notes = append(notes, r.Remark)
	}
	return strings.Join(notes, ", ")
}

// Stored returns the scores as they are kept beside the records. Its protocol
// names how they were scored, so that only equals are compared.
func (r Result) Stored(task, version string) results.Items {
	return results.Items{Task: task, Version: version, Protocol: r.Protocol, Items: r.Items}
}

// MultipleChoice scores every choice of every item: the log-probability of its
// continuation after its context. An item that cannot be scored, because a
// merge swallowed a continuation or a continuation is longer than the context,
// is listed as unscored. A score that is no number ends with an error of
// ErrInvalid that names the item. The scores do not depend on Options.Batch.
func MultipleChoice(ctx context.Context, m Model, tok Tokenizer, items []tasks.Item, o Options) (Result, error) {
	o, err := o.check(tok)
	if err != nil {
		return Result{}, err
	}
	s := &choiceScorer{
		rule:    o.Rule,
		encoder: newEncoder(tok, o.BOS),
		result:  Result{BOS: o.BOS, Context: m.Context(), Protocol: o.protocol(ruleNames[o.Rule] + ", bos " + o.BOS)},
	}
	s.caller = newCaller(m, &s.result.Work)
	if err := s.all(ctx, items, o); err != nil {
		return Result{}, err
	}
	s.result.TokenHash = s.caller.sum()
	return s.result, nil
}

// ruleNames name the rules in protocols.
var ruleNames = map[tasks.Rule]string{
	tasks.AfterContext: "loglikelihood 1",
	tasks.AfterCommon:  "llama.cpp after common tokens 1",
	tasks.AfterBlank:   "llama.cpp after the blank 1",
}

// protocol adds to a name what stood before the items.
func (o Options) protocol(name string) string {
	if o.Shots != "" {
		name += ", " + o.Shots
	}
	return name
}

// A choiceScorer scores batches of items.
type choiceScorer struct {
	caller  *caller
	encoder encoder
	rule    tasks.Rule
	result  Result
}

// A request is one choice as the model gets it.
type request struct {
	row  []int32
	from int
	name string // of its item
}

// all scores the items batch by batch. While the model scores one, the next is
// made into tokens.
func (s *choiceScorer) all(ctx context.Context, items []tasks.Item, o Options) error {
	next := s.prepare(items[:min(o.Batch, len(items))])
	for start := 0; start < len(items); start += o.Batch {
		o.Progress(start, len(items))
		batch, ready := next, make(chan choiceBatch, 1)
		after := items[min(start+o.Batch, len(items)):]
		go func() { ready <- s.prepare(after[:min(o.Batch, len(after))]) }()
		err := s.score(ctx, batch)
		next = <-ready
		if err != nil {
			return err
		}
	}
	o.Progress(len(items), len(items))
	return nil
}

// A choiceBatch is items as the model gets them, and their part of the result,
// still without sums.
type choiceBatch struct {
	requests []request
	Result
}

// prepare makes items into tokens.
func (s *choiceScorer) prepare(items []tasks.Item) choiceBatch {
	var b choiceBatch
	for _, item := range items {
		s.add(&b, item)
	}
	return b
}

// score fills in the sums of a batch and adds it to the result.
func (s *choiceScorer) score(ctx context.Context, b choiceBatch) error {
	sums, greedy, err := s.caller.score(ctx, b.requests)
	if err != nil {
		return err
	}
	row := 0
	for _, item := range b.Items {
		for c := range item.Choices {
			item.Choices[c].Sum, item.Choices[c].Greedy = sums[row], greedy[row]
			row++
		}
	}
	r := &s.result
	r.Items, r.Shifted, r.Unscored = append(r.Items, b.Items...), append(r.Shifted, b.Shifted...), append(r.Unscored, b.Unscored...)
	r.Tokens += b.Tokens
	r.Truncated += b.Truncated
	return nil
}

// add appends item to b; without requests if one of its choices cannot be scored.
func (s *choiceScorer) add(b *choiceBatch, item tasks.Item) {
	scored := results.Item{ID: item.ID, Cluster: item.Cluster, Gold: item.Gold}
	var requests []request
	var shifted []Remark
	truncated := 0
	for i, span := range s.encoder.item(item, s.rule) {
		choice := item.Choices[i]
		row, from, dropped, reason := span.cut(s.result.Context)
		if reason != "" {
			b.Unscored = append(b.Unscored, Remark{item.ID, i, reason})
			return
		}
		if span.shift != "" {
			shifted = append(shifted, Remark{item.ID, i, span.shift})
		}
		truncated = max(truncated, dropped)
		requests = append(requests, request{row, from, "item " + item.ID})
		scored.Choices = append(scored.Choices, results.Choice{
			Tokens: span.scored(), Length: choice.Length, Bytes: otherBytes(choice), Truncated: dropped,
		})
	}
	for _, c := range scored.Choices {
		b.Tokens += c.Tokens
	}
	b.Items = append(b.Items, scored)
	b.Shifted = append(b.Shifted, shifted...)
	if truncated > 0 {
		b.Truncated++
	}
	b.requests = append(b.requests, requests...)
}

// otherBytes is the number of bytes of a choice without its delimiter, which is
// ASCII, where it is not the number of code points; else 0.
func otherBytes(c tasks.Choice) int {
	delimiter := utf8.RuneCountInString(c.Continuation) - c.Length
	if n := len(c.Continuation) - delimiter; n != c.Length {
		return n
	}
	return 0
}
