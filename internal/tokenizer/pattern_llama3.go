package tokenizer

import "strings"

// The patterns of Llama 3 and of Qwen 2, which differ in how many digits a word
// has. Llama 3's is also that of OpenAI's cl100k_base, which spells it otherwise.
const (
	llama3Pattern = `(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+`
	cl100kPattern = `'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]++[\r\n]*|\s*[\r\n]|\s+(?!\S)|\s+`
	qwen2Pattern  = `(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+`
)

func llama3Word(w *words) int { return linedWord(w, 3) }

func qwen2Word(w *words) int { return linedWord(w, 1) }

// linedWord scans for the patterns above: words of up to digits numbers, and
// spaces that end with a line.
func linedWord(w *words, digits int) int {
	start := w.at
	if n := anyCaseContraction(w.text[start:]); n > 0 {
		return start + n
	}
	kind, width := w.look(start)
	after := other // what follows the first character
	if start+width < len(w.text) {
		after, _ = w.look(start + width)
	}
	switch b := w.text[start]; {
	case kind == letter, kind != number && b != '\r' && b != '\n' && after == letter:
		return w.skip(letter, start+width)
	case kind == number:
		return w.numbers(start, digits)
	case kind == other, b == ' ' && after == other && start+1 < len(w.text):
		return skipLines(w.text, w.skip(other, start+width))
	}
	return w.linedSpaces(start)
}

// numbers returns where a word of at most most numbers ends.
func (w *words) numbers(at, most int) int {
	for range most {
		if at == len(w.text) {
			break
		}
		kind, width := w.look(at)
		if kind != number {
			break
		}
		at += width
	}
	return at
}

// linedSpaces returns where \s*[\r\n]+|\s+(?!\S)|\s+ ends: after the last line
// end among the spaces at at, if there is one.
func (w *words) linedSpaces(at int) int {
	end := w.skip(space, at)
	if line := strings.LastIndexAny(w.text[at:end], "\r\n"); line >= 0 {
		return at + line + 1
	}
	return w.spaces(at)
}

func skipLines(text string, at int) int {
	for at < len(text) && (text[at] == '\r' || text[at] == '\n') {
		at++
	}
	return at
}

// longS is a lower-case letter that folds to s, so (?i:'s) matches it as well.
const longS = "ſ"

// anyCaseContraction is contraction without regard to case.
func anyCaseContraction(s string) int {
	if s[0] != '\'' || len(s) < 2 {
		return 0
	}
	if strings.HasPrefix(s[1:], longS) {
		return 1 + len(longS)
	}
	return contraction(strings.ToLower(s[:min(len(s), 3)]))
}
