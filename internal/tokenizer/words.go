package tokenizer

import (
	"unicode"
	"unicode/utf8"
)

// A words cuts a text into words one after the other; put together again they
// are the text, byte by byte. Merges never cross their borders. Letters, numbers
// and spaces are those of Go's Unicode tables; a byte that is not UTF-8 is neither.
type words struct {
	text  string
	at    int // start of the next word
	looks int // characters looked at so far, which tests hold to be linear
	scan  scanner
}

// A scanner returns where the word ends that begins at w.at, which is before
// the end of the text. A word has at least one byte.
type scanner func(w *words) int

// next returns the next word, "" at the end.
func (w *words) next() string {
	start := w.at
	if start == len(w.text) {
		return ""
	}
	w.at = w.scan(w)
	return w.text[start:w.at]
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

// skip returns where the run of kind ends that begins at at.
func (w *words) skip(kind class, at int) int {
	for at < len(w.text) {
		next, width := w.look(at)
		if next != kind {
			break
		}
		at += width
	}
	return at
}

// spaces returns where a word of spaces ends that begins at at: \s+(?!\S)|\s+
// leaves the last of several spaces to a word that follows.
func (w *words) spaces(at int) int {
	first, last := at, at
	for at < len(w.text) {
		kind, width := w.look(at)
		if kind != space {
			if last > first {
				return last
			}
			return at
		}
		last = at
		at += width
	}
	return at
}

// A class is what the patterns tell apart.
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
