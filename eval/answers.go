package eval

import (
	"context"
	"fmt"
	"strings"

	"plumb/results"
	"plumb/tasks"
)

// A Generator is a model that continues texts.
type Generator interface {
	Model
	// Greedy continues each prompt by its most likely next token, the first of
	// equal ones, again and again: until stop says so of the tokens generated
	// for it so far, limit tokens are there, or the context is full. A prompt has
	// 1 to Context() tokens. The order and grouping of prompts change no token.
	Greedy(ctx context.Context, prompts [][]int32, limit int, stop func(prompt int, generated []int32) bool) ([][]int32, error)
}

// Answers lets the model continue the prompt of each item and marks what it
// writes. A prompt that leaves no room for t.Tokens tokens is cut from the left;
// of a context shorter than twice as many, half is for the answer. An answer
// ends before the first of t.Stop, or at the end of text, and white space at
// its ends does not count.
func Answers(ctx context.Context, m Generator, tok Tokenizer, t tasks.Task, items []tasks.Item, o Options) (Result, error) {
	o, err := o.check(tok)
	if err != nil {
		return Result{}, err
	}
	limit := min(t.Tokens, m.Context()/2)
	if limit < 1 {
		return Result{}, fmt.Errorf("a context of %d tokens leaves no room for an answer", m.Context())
	}
	r := Result{BOS: o.BOS, Context: m.Context(), Protocol: o.protocol("greedy answer 1, bos " + o.BOS)}
	if limit < t.Tokens {
		r.Remark = fmt.Sprintf("answers of at most %d tokens, for want of context", limit)
	}
	a := &answerer{caller: newCaller(m, &r.Work), model: m, encoder: newEncoder(tok, o.BOS), task: t, limit: limit}
	for start := 0; start < len(items); start += o.Batch {
		o.Progress(start, len(items))
		if err := a.batch(ctx, &r, items[start:min(start+o.Batch, len(items))]); err != nil {
			return Result{}, err
		}
	}
	o.Progress(len(items), len(items))
	r.TokenHash = a.caller.sum()
	return r, nil
}

// An answerer asks for the answers of batches of items.
type answerer struct {
	caller  *caller
	model   Generator
	encoder encoder
	task    tasks.Task
	limit   int // tokens of an answer
}

func (a *answerer) batch(ctx context.Context, r *Result, items []tasks.Item) error {
	prompts, dropped := make([][]int32, len(items)), make([]int, len(items))
	for i, item := range items {
		prompt := a.encoder.whole(item.Before + item.Choices[0].Context)
		if len(prompt) == 0 {
			prompt = []int32{a.encoder.start}
		}
		dropped[i] = max(0, len(prompt)-(a.model.Context()-a.limit))
		prompts[i] = prompt[dropped[i]:]
		hashRow(a.caller.hash, prompts[i], len(prompts[i]))
	}
	done := a.caller.account()
	answers, err := a.model.Greedy(ctx, prompts, a.limit, func(_ int, ids []int32) bool { return a.ended(ids) })
	done()
	if err != nil {
		return fmt.Errorf("answering item %s to item %s: %w", items[0].ID, items[len(items)-1].ID, err)
	}
	for i, ids := range answers {
		a.caller.work.Requests++
		a.caller.work.Tokens += int64(len(prompts[i]) + max(0, len(ids)-1))
		r.Tokens += len(ids)
		if dropped[i] > 0 {
			r.Truncated++
		}
		r.Items = append(r.Items, a.marked(items[i], ids, dropped[i]))
	}
	return nil
}

// marked is an item with its answer.
func (a *answerer) marked(item tasks.Item, ids []int32, dropped int) results.Item {
	text := a.text(ids)
	return results.Item{
		ID: item.ID, Cluster: item.Cluster, Answer: text, Marks: a.task.Mark(text, item.Answers),
		Choices: []results.Choice{{Tokens: len(ids), Length: len(text), Truncated: dropped}},
	}
}

// ended says whether an answer is complete.
func (a *answerer) ended(ids []int32) bool {
	if ids[len(ids)-1] == a.encoder.tok.EndOfText() {
		return true
	}
	text := a.encoder.tok.Decode(ids)
	for _, stop := range a.task.Stop {
		if strings.Contains(text, stop) {
			return true
		}
	}
	return false
}

// text is the answer without what ended it.
func (a *answerer) text(ids []int32) string {
	if n := len(ids); n > 0 && ids[n-1] == a.encoder.tok.EndOfText() {
		ids = ids[:n-1]
	}
	text := a.encoder.tok.Decode(ids)
	for _, stop := range a.task.Stop {
		text, _, _ = strings.Cut(text, stop)
	}
	return strings.TrimFunc(strings.ToValidUTF8(text, "\ufffd"), tasks.IsSpace)
}
