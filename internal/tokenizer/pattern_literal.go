package tokenizer

import "strings"

// A literal cuts at every occurrence of a fixed text (Split with a String).
type literal struct{ text string }

// literalScanners are the ways to cut, by the name that files have for them.
var literalScanners = map[string]func(text string) scanner{
	"Isolated":           func(text string) scanner { return literal{text}.isolated },
	"MergedWithPrevious": func(text string) scanner { return literal{text}.withPrevious },
	"MergedWithNext":     func(text string) scanner { return literal{text}.withNext },
}

// find returns the first occurrence at or after at, or the end of the text.
func (l literal) find(w *words, at int) int {
	i := strings.Index(w.text[at:], l.text)
	if i < 0 {
		i = len(w.text) - at
	}
	w.looks += i
	return at + i
}

func (l literal) isolated(w *words) int {
	at := l.find(w, w.at)
	if at == w.at {
		at += len(l.text)
	}
	return at
}

func (l literal) withPrevious(w *words) int {
	return min(l.find(w, w.at)+len(l.text), len(w.text))
}

func (l literal) withNext(w *words) int {
	at := w.at
	if strings.HasPrefix(w.text[at:], l.text) {
		at += len(l.text)
	}
	return l.find(w, at)
}
