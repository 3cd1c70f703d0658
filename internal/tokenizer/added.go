package tokenizer

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// An addedToken is one that stands beside the model: the text is cut at it
// before anything else is done.
type addedToken struct {
	ID         int64  `json:"id"`
	Content    string `json:"content"`
	SingleWord bool   `json:"single_word"` // only where no letter, number or _ is next to it
	Lstrip     bool   `json:"lstrip"`      // takes the spaces before it
	Rstrip     bool   `json:"rstrip"`      // takes the spaces after it
	Normalized bool   `json:"normalized"`  // is looked for in the normalized text
	Special    bool   `json:"special"`     // is no text
}

// maxAdded bounds the length of an added token, bytes, and so what looking for
// one costs at each place.
const maxAdded = 512

// A matcher finds the longest of several tokens at a place.
type matcher struct {
	next   map[matchEdge]int32 // node 0 is the root
	starts [256]bool           // first bytes
	tokens []*addedToken       // by node; nil where none ends
	text   bool                // some of them are not special
}

// idle says whether there is nothing to find in a text.
func (m *matcher) idle(specials bool) bool { return m == nil || !specials && !m.text }

type matchEdge struct {
	node int32
	b    byte
}

// newMatcher returns nil for no tokens. Of equal ones the first counts.
func newMatcher(tokens []addedToken, content func(addedToken) string) (*matcher, error) {
	if len(tokens) == 0 {
		return nil, nil
	}
	m := &matcher{next: map[matchEdge]int32{}, tokens: make([]*addedToken, 1)}
	for i := range tokens {
		text := content(tokens[i])
		if len(text) > maxAdded {
			return nil, fmt.Errorf("added token with id %d has %d bytes; at most %d are allowed", tokens[i].ID, len(text), maxAdded)
		}
		if text != "" {
			m.add(text, &tokens[i])
			m.text = m.text || !tokens[i].Special
		}
	}
	return m, nil
}

func (m *matcher) add(text string, token *addedToken) {
	m.starts[text[0]] = true
	node := int32(0)
	for i := range len(text) {
		edge := matchEdge{node, text[i]}
		after, ok := m.next[edge]
		if !ok {
			after = int32(len(m.tokens))
			m.next[edge] = after
			m.tokens = append(m.tokens, nil)
		}
		node = after
	}
	if m.tokens[node] == nil {
		m.tokens[node] = token
	}
}

// longest returns the longest token at the start of text and its length, or nil.
func (m *matcher) longest(text string) (found *addedToken, length int) {
	if !m.starts[text[0]] {
		return nil, 0
	}
	node := int32(0)
	for i := range len(text) {
		after, ok := m.next[matchEdge{node, text[i]}]
		if !ok {
			break
		}
		node = after
		if m.tokens[node] != nil {
			found, length = m.tokens[node], i+1
		}
	}
	return found, length
}

// split calls part for the texts between tokens and token for the tokens, in
// order. Special tokens are left in the texts unless asked for. A token in the
// spaces that the one before has taken is found all the same, and texts go on
// after it: so does the Hugging Face library.
func (m *matcher) split(text string, specials bool, part func(text string, at int), token func(id int32)) {
	start := 0 // of the text not yet passed on
	for at := 0; at < len(text); {
		found, n := m.longest(text[at:])
		if found == nil {
			at++
			continue
		}
		from, to := at, at+n
		at = to
		if found.Special && !specials || found.SingleWord && !aloneAt(text, from, to) {
			continue
		}
		if found.Lstrip && from > start {
			from = start + len(strings.TrimRightFunc(text[start:from], unicode.IsSpace))
		}
		if found.Rstrip {
			to = len(text) - len(strings.TrimLeftFunc(text[to:], unicode.IsSpace))
		}
		if from > start {
			part(text[start:from], start)
		}
		token(int32(found.ID))
		start = to
	}
	if start < len(text) {
		part(text[start:], start)
	}
}

// aloneAt says whether no character of a word touches text[from:to].
func aloneAt(text string, from, to int) bool {
	before, _ := utf8.DecodeLastRuneInString(text[:from])
	after, _ := utf8.DecodeRuneInString(text[to:])
	return (from == 0 || !inWord(before)) && (to == len(text) || !inWord(after))
}

// inWord is the class \w: letters, marks, decimal digits, connecting punctuation
// and joiners.
func inWord(r rune) bool {
	return unicode.IsLetter(r) || unicode.In(r, unicode.M, unicode.Nd, unicode.Nl, unicode.Pc, unicode.Other_Alphabetic, unicode.Join_Control)
}
