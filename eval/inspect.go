package eval

import "plumb/tasks"

// Tokens is a request as a model gets it.
type Tokens struct {
	IDs   []int32 // all that the model reads, and behind it what is only predicted
	From  int     // index of the first scored token; len(IDs) where none is, as in a prompt
	Shift string  // what a token across the border of context and continuation does to the score, or empty
}

// Tokenise returns the requests of an item before anything is cut off, one for
// each choice. A whole text begins with its first token, before it is cut into
// windows.
func Tokenise(tok Tokenizer, t tasks.Task, item tasks.Item, bos string) ([]Tokens, error) {
	o, err := Options{BOS: bos}.check(tok)
	if err != nil {
		return nil, err
	}
	e := newEncoder(tok, o.BOS)
	switch t.Kind {
	case tasks.Text:
		return []Tokens{{IDs: tok.Encode(item.Choices[0].Continuation)}}, nil
	case tasks.Generated:
		ids := e.whole(item.Before + item.Choices[0].Context)
		return []Tokens{{IDs: ids, From: len(ids)}}, nil
	}
	var all []Tokens
	for _, s := range e.item(item, t.Rule) {
		all = append(all, Tokens{s.ids, s.from, s.shift})
	}
	return all, nil
}
