package tokenizer

import (
	"unicode"
	"unicode/utf8"
)

// gpt2Pattern is what the scanner below implements. The look-ahead leaves the
// last space of a run to the word after it.
const gpt2Pattern = `'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+`

// A words cuts a text into the words that gpt2Pattern matches one after the
// other; put together again they are the text, byte by byte. Merges never cross
// their borders. Letters, numbers and spaces are those of Go's Unicode tables; a
// byte that is not UTF-8 is neither.
type words struct {
	text  string
	at    int // start of the next word
	looks int // characters looked at so far, which tests hold to be linear
}

// next returns the next word, "" at the end.
func (w *words) next() string {
	start := w.at
	if start == len(w.text) {
		return ""
	}
	if n := contraction(w.text[start:]); n > 0 {
		w.at += n
		return w.text[start:w.at]
	}
	kind, width := w.look(start)
	if w.text[start] == ' ' && start+1 < len(w.text) {
		if after, afterWidth := w.look(start + 1); after != space {
			kind, width = after, 1+afterWidth
		}
	}
	w.at = w.run(kind, start+width, width)
	return w.text[start:w.at]
}

// run returns where the run of kind ends whose first character, width bytes
// wide, ends at at. Of several spaces the last is left to a word that follows.
func (w *words) run(kind class, at, width int) int {
	first := at - width
	for at < len(w.text) {
		next, n := w.look(at)
		if next != kind {
			if last := at - width; kind == space && last > first {
				return last
			}
			return at
		}
		at += n
		width = n
	}
	return at
}

// look returns the class and the width in bytes of the character at i.
func (w *words) look(i int) (class, int) {
	w.looks++
	if b := w.text[i]; b < utf8.RuneSelf {
		return asciiClass[b], 1
	}
	r, width := utf8.DecodeRuneInString(w.text[i:])
	return classOf(r), width
}

// contraction returns the length of 's, 't, 're, 've, 'm, 'll or 'd at the start of s, or 0.
func contraction(s string) int {
	if s[0] != '\'' || len(s) < 2 {
		return 0
	}
	switch s[1] {
	case 's', 't', 'm', 'd':
		return 2
	}
	if len(s) > 2 {
		switch s[1:3] {
		case "re", "ve", "ll":
			return 3
		}
	}
	return 0
}

// A class is what the pattern tells apart.
type class uint8

const (
	other class = iota
	letter
	number
	space
)

var asciiClass = func() (table [utf8.RuneSelf]class) {
	for b := range table {
		table[b] = classOf(rune(b))
	}
	return table
}()

func classOf(r rune) class {
	switch {
	case unicode.IsLetter(r):
		return letter
	case unicode.IsNumber(r):
		return number
	case unicode.IsSpace(r):
		return space
	}
	return other
}
