package world

import "strings"

// A document ends once it has more than enough tokens. The longest sentence of a
// topic has 18 tokens, or divides the page evenly, so that no document has more
// than 85.
const (
	enough = 67
	most   = 85
)

// A page is a document being written. It counts words and punctuation marks.
type page struct {
	text   []byte
	tokens int
}

// say adds a sentence in parts, after a space if the page has text already.
func (p *page) say(parts ...string) {
	if len(p.text) > 0 {
		p.text = append(p.text, ' ')
	}
	p.add(parts...)
}

// add adds parts as they are. Each begins where a word does, or with a mark.
func (p *page) add(parts ...string) {
	for _, part := range parts {
		p.text = append(p.text, part...)
		p.tokens += countTokens(part)
	}
}

func (p *page) full() bool     { return p.tokens > enough }
func (p *page) clear()         { p.text, p.tokens = p.text[:0], 0 }
func (p *page) String() string { return string(p.text) }

func isMark(c byte) bool { return c == ',' || c == '.' }

// countTokens counts the words that begin in s and its punctuation marks. A part
// that continues a text must therefore begin with a space or a mark.
func countTokens(s string) int {
	count, inWord := 0, false
	for i := range len(s) {
		switch c := s[i]; {
		case isMark(c):
			count++
			inWord = false
		case c == ' ':
			inWord = false
		case !inWord:
			count++
			inWord = true
		}
	}
	return count
}

// tokens splits s into words and punctuation marks.
func tokens(s string) []string {
	for _, mark := range []string{",", "."} {
		s = strings.ReplaceAll(s, mark, " "+mark+" ")
	}
	return strings.Fields(s)
}

// sentences splits text into sentences of words, without punctuation.
func sentences(text string) [][]string {
	var all [][]string
	var sentence []string
	for _, token := range tokens(text) {
		switch token {
		case ",":
		case ".":
			all = append(all, sentence)
			sentence = nil
		default:
			sentence = append(sentence, token)
		}
	}
	if len(sentence) > 0 {
		all = append(all, sentence)
	}
	return all
}

// indexes maps each name to its place in names.
func indexes(names []string) map[string]int {
	places := make(map[string]int, len(names))
	for i, name := range names {
		places[name] = i
	}
	return places
}

// find lists, in the order of the words, the places of those that are in names.
func find(words []string, names map[string]int) []int {
	var found []int
	for _, word := range words {
		if i, ok := names[word]; ok {
			found = append(found, i)
		}
	}
	return found
}
