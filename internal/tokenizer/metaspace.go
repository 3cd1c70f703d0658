package tokenizer

import "strings"

// metaspace stands for a space in the vocabularies of SentencePiece (U+2581).
const metaspace = "▁"

// A spacer replaces spaces and puts one in front (Metaspace). Words begin with
// a replaced space.
type spacer struct {
	mark  string
	front string // "always", "first" (of the whole text only) or "never"
}

func (s spacer) rewrite(text string, first bool) string {
	text = strings.ReplaceAll(text, " ", s.mark)
	if s.front == "always" || s.front == "first" && first {
		if !strings.HasPrefix(text, s.mark) {
			text = s.mark + text
		}
	}
	return text
}

// spaceInFront is ByteLevel's add_prefix_space.
func spaceInFront(text string, _ bool) string {
	if strings.HasPrefix(text, " ") {
		return text
	}
	return " " + text
}

// metaspaceWord ends a word before a metaspace that follows something else. It
// may cut wherever no token has such a place inside: then no merge crosses it.
func metaspaceWord(w *words) int {
	at := w.at
	for strings.HasPrefix(w.text[at:], metaspace) {
		at += len(metaspace)
	}
	i := strings.Index(w.text[at:], metaspace)
	if i < 0 {
		i = len(w.text) - at
	}
	w.looks += at - w.at + i
	return at + i
}

// crossesWords says whether metaspaceWord could cut inside token.
func crossesWords(token string) bool {
	return strings.Contains(strings.TrimLeft(token, metaspace), metaspace)
}
