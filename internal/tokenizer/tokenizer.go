// Package tokenizer turns text into ids and back: byte-level byte-pair encoding
// with GPT-2's words, trained here or loaded from Hugging Face files, or plain bytes.
//
// Any bytes are text: what is not UTF-8 is encoded byte by byte, so Decode gives
// back what Encode got. Encoding takes time linear in the text (n
// log n inside a single word of more than 256 bytes).
package tokenizer

import (
	"crypto/sha256"
	"fmt"
	"strings"
	"sync"
	"unicode"
)

// endOfText is the special token that stands before and after texts.
const endOfText = "<|endoftext|>"

// none stands for a byte that a loaded vocabulary has no token for. Such a byte is
// left out of the ids, which is what the Hugging Face library does.
const none = -1

// A Tokenizer is immutable and serves any number of goroutines.
type Tokenizer struct {
	tokens      []string         // bytes of each id; "" where the vocabulary has a gap
	special     map[int32]bool   // ids that no text encodes to
	byteID      [256]int32       // id of every single byte, or none
	merges      map[pair]merge   // by rank
	order       []pair           // merges by rank
	whole       map[string]int32 // words taken without merging; nil for none
	endOfTextID int32
	cache       *cache
	hash        func() string
}

// Bytes returns the tokenizer whose 256 ids are the bytes. A text ends with id 0, NUL.
func Bytes() *Tokenizer {
	t := &Tokenizer{tokens: make([]string, 256), special: map[int32]bool{}}
	for b := range t.tokens {
		t.tokens[b] = string([]byte{byte(b)})
		t.byteID[b] = int32(b)
	}
	return t.ready()
}

// ready finishes a tokenizer whose tokens and merges stand.
func (t *Tokenizer) ready() *Tokenizer {
	t.cache = newCache()
	t.hash = sync.OnceValue(func() string {
		sum := sha256.New()
		fmt.Fprintf(sum, "unicode %s\n", unicode.Version)
		sum.Write(t.JSON())
		return fmt.Sprintf("%x", sum.Sum(nil))
	})
	return t
}

// Vocab returns the number of ids; all ids are below it.
func (t *Tokenizer) Vocab() int { return len(t.tokens) }

// EndOfText returns the id that separates texts.
func (t *Tokenizer) EndOfText() int32 { return t.endOfTextID }

// Hash names everything that ids depend on: SHA-256, in hex, of the file that
// Save writes and of the Unicode version that tells letters from spaces.
func (t *Tokenizer) Hash() string { return t.hash() }

// Token returns the bytes that id stands for, "" if it stands for none. Those of
// a special token are its name.
func (t *Tokenizer) Token(id int32) string {
	if id < 0 || int(id) >= len(t.tokens) {
		return ""
	}
	return t.tokens[id]
}

// Encode returns the ids of text. It adds no special tokens, and the name of
// one in text is text like any other.
func (t *Tokenizer) Encode(text string) []int32 {
	return t.Append(make([]int32, 0, len(text)/3+1), text)
}

// Append appends the ids of text to dst.
func (t *Tokenizer) Append(dst []int32, text string) []int32 {
	if len(t.merges) == 0 && t.whole == nil {
		return t.appendBytes(dst, text)
	}
	m := merger{merges: t.merges}
	w := words{text: text}
	for word := w.next(); word != ""; word = w.next() {
		dst = t.appendWord(dst, word, &m)
	}
	return dst
}

// appendWord appends the ids of one word.
func (t *Tokenizer) appendWord(dst []int32, word string, m *merger) []int32 {
	if len(word) == 1 {
		return t.appendBytes(dst, word)
	}
	if id, ok := t.whole[word]; ok {
		return append(dst, id)
	}
	if ids, ok := t.cache.get(word); ok {
		return append(dst, ids...)
	}
	start := len(dst)
	dst = t.appendBytes(dst, word)
	ids := m.apply(dst[start:])
	t.cache.put(word, ids)
	return dst[:start+len(ids)]
}

// appendBytes appends the ids of single bytes.
func (t *Tokenizer) appendBytes(dst []int32, text string) []int32 {
	for i := range len(text) {
		if id := t.byteID[text[i]]; id != none {
			dst = append(dst, id)
		}
	}
	return dst
}

// Decode returns the text of ids. Special tokens appear by name; an id outside
// the vocabulary appears as U+FFFD.
func (t *Tokenizer) Decode(ids []int32) string {
	var text strings.Builder
	for _, id := range ids {
		if id < 0 || int(id) >= len(t.tokens) {
			text.WriteRune(unicode.ReplacementChar)
			continue
		}
		text.WriteString(t.tokens[id])
	}
	return text.String()
}
