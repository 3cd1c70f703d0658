package eval

import (
	"context"
	"errors"
	"fmt"

	"plumb/tasks"
)

// Texts predicts whole texts, cut into windows of t.Window tokens, or of the
// model's context where that is shorter:
//
//   - tasks.Rolling predicts every token once, each text from a start token, as
//     Perplexity does; the items are the texts.
//   - tasks.Apart lays windows side by side, predicts all tokens of each but its
//     first, and drops the last partial one; the items are the windows.
//   - tasks.ApartWhole keeps that one too, where it has two tokens.
//   - tasks.SecondHalf begins the text with a start token, where that is the
//     setting, lays windows side by side, puts a start token in place of the
//     first token of each, and of L tokens predicts those from L/2+1 on.
func Texts(ctx context.Context, m Model, tok Tokenizer, t tasks.Task, items []tasks.Item, o Options) (Result, error) {
	o, err := o.check(tok)
	if err != nil {
		return Result{}, err
	}
	length := m.Context()
	if t.Window > 0 {
		length = min(length, t.Window)
	}
	r := Result{BOS: o.BOS, Context: m.Context()}
	c := newCaller(m, &r.Work)
	if t.Cut == tasks.Rolling {
		err = r.rolling(ctx, c, tok, items, length, o)
	} else {
		err = r.sideBySide(ctx, c, tok, t.Cut, items, length, o)
	}
	if err != nil {
		return Result{}, err
	}
	r.TokenHash = c.sum()
	for _, item := range r.Items {
		r.Tokens += item.Choices[0].Tokens
	}
	return r, nil
}

// rolling scores each text as one item.
func (r *Result) rolling(ctx context.Context, c *caller, tok Tokenizer, items []tasks.Item, length int, o Options) error {
	docs := make([]Document, len(items))
	for i, item := range items {
		docs[i] = Document{Tokens: tok.Encode(item.Choices[0].Continuation), Bytes: item.Bytes}
	}
	windows := cutWindows(docs, length, startToken(tok))
	scores, err := c.windows(ctx, windows, o)
	if err != nil {
		return err
	}
	r.Items = sumDocuments(docs, windows, scores)
	for i, item := range items {
		r.Items[i].ID, r.Items[i].Cluster = item.ID, item.Cluster
		r.Items[i].Choices[0].Words = item.Words
	}
	r.Protocol = o.protocol(fmt.Sprintf("rolling 1, context %d, by document", length))
	r.Remark = fmt.Sprintf("%d windows of at most %d tokens", len(windows), length)
	return nil
}

// cutNames name the ways to cut in protocols.
var cutNames = map[tasks.Cut]string{
	tasks.Apart:      "windows apart 1",
	tasks.ApartWhole: "windows apart with the last 1",
	tasks.SecondHalf: "second halves of windows 1",
}

// sideBySide scores each window as one item.
func (r *Result) sideBySide(ctx context.Context, c *caller, tok Tokenizer, cut tasks.Cut, items []tasks.Item, length int, o Options) error {
	if length < 2 {
		return fmt.Errorf("windows of %d tokens hold nothing to predict", length)
	}
	var windows []window
	left := 0
	e := newEncoder(tok, o.BOS)
	for d, item := range items {
		text := item.Choices[0].Continuation
		ids := tok.Encode(text)
		if cut == tasks.SecondHalf {
			ids = e.whole(text)
		}
		for number := 0; len(ids) > 0 && (o.Windows == 0 || number < o.Windows); number++ {
			row, from := e.apart(ids[:min(length, len(ids))], cut, length)
			if row == nil {
				left += len(ids)
				break
			}
			windows = append(windows, window{request{row, from, fmt.Sprintf("window %d", number)}, d})
			ids = ids[len(row):]
		}
	}
	if len(windows) == 0 {
		return errors.New("the text is shorter than a window")
	}
	scores, err := c.windows(ctx, windows, o)
	if err != nil {
		return err
	}
	r.Items = describeWindows(tok, windows, scores)
	r.Protocol = o.protocol(fmt.Sprintf("%s, length %d, bos %s", cutNames[cut], length, o.BOS))
	r.Remark = fmt.Sprintf("%d windows of %d tokens", len(windows), length)
	if left > 0 {
		r.Remark += fmt.Sprintf(", %d tokens at the end left out", left)
	}
	return nil
}

// apart makes a window of ids, or none where they are too few for one.
func (e *encoder) apart(ids []int32, cut tasks.Cut, length int) (row []int32, from int) {
	switch {
	case cut == tasks.ApartWhole && len(ids) >= 2, cut == tasks.Apart && len(ids) == length:
		return ids, 1
	case cut == tasks.SecondHalf && len(ids) == length:
		row = append([]int32(nil), ids...)
		if e.bos {
			row[0] = e.start
		}
		return row, min(length/2+1, length-1)
	}
	return nil, 0
}
