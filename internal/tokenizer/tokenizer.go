// Package tokenizer turns text into ids and back: byte-pair encoding of bytes
// or of characters, unigram models and plain bytes; trained here, or loaded
// from the files of Hugging Face, SentencePiece, llama2.c and llama.cpp.
//
// Byte-level tokenizers take any bytes as text: what is not UTF-8 is encoded
// byte by byte, so Decode gives back what Encode got. The others work on
// characters; a byte that is not UTF-8 counts as U+FFFD. Encoding takes time
// linear in the text (n log n inside a single word of more than 256 symbols).
package tokenizer

import (
	"crypto/sha256"
	"fmt"
	"sync"
	"unicode"
)

// endOfText is the special token that stands before and after texts.
const endOfText = "<|endoftext|>"

// none stands for an id that a vocabulary does not have. A byte or character
// without one is left out of the ids where the vocabulary has no unknown token
// either, which is what the Hugging Face library does.
const none = -1

// A Tokenizer is immutable and serves any number of goroutines.
type Tokenizer struct {
	tokens  []string       // bytes that each id decodes to; "" where the vocabulary has a gap
	names   []string       // spelling of each id in the file; nil where it is that of byte-level files
	special map[int32]bool // ids that no text encodes to

	raw, normalized *matcher // tokens found in the text before and after it is normalized
	normalize       []normalizer
	steps           []step // cut words

	symbols symbols
	merges  map[pair]merge   // by rank
	order   []pair           // merges by rank; nil where ranks are scores
	whole   map[string]int32 // words taken without merging; nil for none
	unused  map[int32]bool   // ids that merges pass through and that are taken apart again
	unigram *unigram         // in place of merges

	byteID [256]int32 // id of every single byte, or none
	direct bool       // ids are those of the bytes

	front  frontSpaces
	ends   ends
	source func() []byte // content of a tokenizer.json; nil for the canonical one
	parts  func() (Parts, error)
	cache  *cache
	hash   func() string
}

// Bytes returns the tokenizer whose 256 ids are the bytes. A text ends with id 0, NUL.
func Bytes() *Tokenizer {
	t := newTokenizer()
	t.tokens, t.steps, t.ends.eos = make([]string, 256), gpt2Steps, 0
	for b := range t.tokens {
		t.tokens[b] = string([]byte{byte(b)})
		t.byteID[b] = int32(b)
	}
	return t.ready()
}

// ready finishes a tokenizer whose tokens and merges stand.
func (t *Tokenizer) ready() *Tokenizer {
	t.cache = newCache()
	t.direct = t.isPlain() && len(t.merges) == 0 && t.whole == nil && t.symbols.unknown == none
	t.hash = sync.OnceValue(func() string {
		sum := sha256.New()
		fmt.Fprintf(sum, "unicode %s\n", unicode.Version)
		sum.Write(t.JSON())
		return fmt.Sprintf("%x", sum.Sum(nil))
	})
	return t
}

// isPlain says whether text goes into GPT-2's words as it is.
func (t *Tokenizer) isPlain() bool {
	return t.symbols.runeID == nil && t.unigram == nil && t.raw.idle(false) && t.normalized.idle(false) &&
		len(t.normalize) == 0 && t.isPlainWords()
}

// isPlainWords says whether words are cut as GPT-2 cuts them.
func (t *Tokenizer) isPlainWords() bool {
	return len(t.steps) == 1 && t.steps[0].name == gpt2Pattern && t.steps[0].rewrite == nil
}

// Vocab returns the number of ids; all ids are below it.
func (t *Tokenizer) Vocab() int { return len(t.tokens) }

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

// Special says whether id is one that Encode gives for no text: the beginning
// or end of one, or what a model calls a control symbol.
func (t *Tokenizer) Special(id int32) bool { return t.special[id] }

// Encode returns the ids of text. It adds no special tokens, and the name of
// one in text is text like any other.
func (t *Tokenizer) Encode(text string) []int32 {
	return t.Append(make([]int32, 0, len(text)/3+1), text)
}

// EncodeSpecial is Encode, except that the names of special tokens in text stand
// for those tokens, as they do by default in the Hugging Face library.
func (t *Tokenizer) EncodeSpecial(text string) []int32 {
	return t.append(make([]int32, 0, len(text)/3+1), text, true)
}

// Append appends the ids of text to dst.
func (t *Tokenizer) Append(dst []int32, text string) []int32 {
	return t.append(dst, text, false)
}

func (t *Tokenizer) append(dst []int32, text string, specials bool) []int32 {
	if t.direct && !specials {
		return t.symbols.appendBytes(dst, text, &t.byteID)
	}
	e := encoder{t: t, dst: dst, merger: merger{merges: t.merges}, specials: specials}
	e.text(text)
	return e.dst
}
