package tokenizer

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// frontSpaces says what decoding takes off the front of a text, where encoding
// has put a space.
type frontSpaces uint8

const (
	keepSpaces frontSpaces = iota
	dropOneSpace
	dropAllSpaces // where encoding leaves no space at the front of a text
)

// Decode returns the text of ids. Special tokens appear by name; an id outside
// the vocabulary appears as U+FFFD. The space that a tokenizer puts in front of
// a text is taken off again, also after special tokens. Bytes that are not UTF-8 are passed on.
func (t *Tokenizer) Decode(ids []int32) string {
	var text strings.Builder
	s := Stream{t: t}
	for _, id := range ids {
		text.WriteString(s.bytes(id))
	}
	return text.String()
}

// A Stream decodes ids as they come, in whole characters.
type Stream struct {
	t     *Tokenizer
	begun bool   // text has been written, so that spaces are part of it
	held  string // the beginning of a character
}

// Stream returns a Stream of what follows the ids of context: after a text, the
// space in front of a word is written, at the start of one it is not.
func (t *Tokenizer) Stream(context []int32) *Stream {
	s := &Stream{t: t}
	for _, id := range context {
		s.bytes(id)
	}
	return s
}

// Add returns the text that id completes, which is "" inside a character.
func (s *Stream) Add(id int32) string {
	text := s.held + s.bytes(id)
	whole := wholeCharacters(text)
	s.held = text[whole:]
	return text[:whole]
}

// Rest returns the bytes of a character that no id has completed.
func (s *Stream) Rest() string {
	rest := s.held
	s.held = ""
	return rest
}

// wholeCharacters returns the length of text without the beginning of a
// character at its end.
func wholeCharacters(text string) int {
	for back := 1; back <= min(utf8.UTFMax-1, len(text)); back++ {
		start := len(text) - back
		if !utf8.RuneStart(text[start]) {
			continue
		}
		if !utf8.FullRuneInString(text[start:]) {
			return start
		}
		break
	}
	return len(text)
}

// bytes returns what id adds to the text.
func (s *Stream) bytes(id int32) string {
	t := s.t
	if id < 0 || int(id) >= len(t.tokens) {
		return string(unicode.ReplacementChar)
	}
	token := t.tokens[id]
	if t.special[id] && id != t.symbols.unknown {
		return token
	}
	if s.begun || t.front == keepSpaces {
		return token
	}
	if t.front == dropAllSpaces {
		token = strings.TrimLeft(token, " ")
		s.begun = token != ""
		return token
	}
	s.begun = true
	return strings.TrimPrefix(token, " ")
}
