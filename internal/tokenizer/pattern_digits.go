package tokenizer

import (
	"unicode"
	"unicode/utf8"
)

// falconDigits is the last of Falcon's cuts: digits in threes from the left.
const falconDigits = `[0-9][0-9][0-9]`

// eachNumber makes every number a word and leaves what is between them whole
// (Digits with individual_digits).
func eachNumber(w *words) int {
	kind, width := w.look(w.at)
	at := w.at + width
	if kind == number {
		return at
	}
	for at < len(w.text) {
		if kind, width = w.look(at); kind == number {
			break
		}
		at += width
	}
	return at
}

// numberRuns parts numbers from what is between them (Digits).
func numberRuns(w *words) int {
	kind, width := w.look(w.at)
	at := w.at + width
	for at < len(w.text) {
		next, width := w.look(at)
		if (next == number) != (kind == number) {
			break
		}
		at += width
	}
	return at
}

// threeDigits scans for falconDigits and what is between them.
func threeDigits(w *words) int {
	at, digits := w.at, 0
	for at < len(w.text) {
		w.looks++
		if b := w.text[at]; b < '0' || b > '9' {
			digits = 0
		} else if digits++; digits == 3 {
			if before := at - 2; before > w.at {
				return before
			}
			return at + 1
		}
		at++
	}
	return at
}

// punctuationRuns parts punctuation from what is between it (Punctuation,
// contiguous); eachPunctuation makes every character of it a word (isolated).
func punctuationRuns(w *words) int { return punctuationWord(w, true) }

func eachPunctuation(w *words) int { return punctuationWord(w, false) }

func punctuationWord(w *words, runs bool) int {
	first, width := w.lookPunctuation(w.at)
	at := w.at + width
	if first && !runs {
		return at
	}
	for at < len(w.text) {
		next, width := w.lookPunctuation(at)
		if next != first {
			break
		}
		at += width
	}
	return at
}

// lookPunctuation says whether the character at i is punctuation: ASCII's, signs
// included, or Unicode's category P.
func (w *words) lookPunctuation(i int) (is bool, width int) {
	w.looks++
	r, width := utf8.DecodeRuneInString(w.text[i:])
	if r < utf8.RuneSelf {
		return unicode.IsPunct(r) || unicode.IsSymbol(r), width
	}
	return unicode.IsPunct(r), width
}

// spelledNumberRuns is numberRuns for words as tokenizer files spell them: the
// bytes of ² ³ ¹ ¼ ½ ¾ in Latin-1 are numbers there, also inside other characters.
func spelledNumberRuns(w *words) int {
	at := w.at + 1
	first := spelledNumber[w.text[w.at]]
	for at < len(w.text) && spelledNumber[w.text[at]] == first {
		at++
	}
	w.looks += at - w.at
	return at
}

var spelledNumber = func() (table [256]bool) {
	for b, r := range byteToRune {
		table[b] = classOf(r) == number
	}
	return table
}()
