package tokenizer

import (
	"fmt"
	"strings"
)

// ends are the special tokens around a text.
type ends struct {
	bos, eos       int32 // or none
	addBOS, addEOS bool  // by the tokenizer's own rule, which Encode leaves to its caller
}

var noEnds = ends{bos: none, eos: none}

// EndOfText returns the id that separates texts.
func (t *Tokenizer) EndOfText() int32 { return t.ends.eos }

// BOS returns the id that begins a text, and whether the tokenizer's files ask
// for it before every text. Encode never adds it. ok is false where there is none.
func (t *Tokenizer) BOS() (id int32, add, ok bool) {
	return t.ends.bos, t.ends.addBOS, t.ends.bos != none
}

// EOS returns the id that ends a text, which is that of EndOfText, and whether
// the tokenizer's files ask for it after every text. Encode never adds it.
func (t *Tokenizer) EOS() (id int32, add bool) { return t.ends.eos, t.ends.addEOS }

// What published vocabularies call the end and the beginning of a text, in the
// order in which they are looked for. Where one token is both, as GPT-2's is, it
// is in the list of ends.
var (
	endNames   = []string{endOfText, "<|end_of_text|>", "</s>", "<eos>"}
	beginNames = []string{"<|begin_of_text|>", "<s>", "<bos>"}
)

// named returns the special token that comes first in names, or none.
func (t *Tokenizer) named(names []string) int32 {
	for _, name := range names {
		for id := range t.special {
			if t.tokens[id] == name {
				return id
			}
		}
	}
	return none
}

// setEnds finds what is not yet known of the ends among the special tokens. A
// vocabulary that is just the bytes in order ends texts with byte 0, as Bytes does.
func (t *Tokenizer) setEnds() error {
	if t.ends.bos == none {
		t.ends.bos = t.named(beginNames)
	}
	if t.ends.eos == none {
		t.ends.eos = t.named(endNames)
	}
	switch {
	case t.ends.eos != none:
		return nil
	case t.isBytes():
		t.ends.eos = 0
		return nil
	}
	return fmt.Errorf("no special token ends a text (looked for %s)", strings.Join(endNames, ", "))
}

func (t *Tokenizer) isBytes() bool {
	if t.symbols.runeID != nil || t.unigram != nil || len(t.tokens) != 256 || len(t.order) > 0 {
		return false
	}
	for b, id := range t.byteID {
		if int(id) != b {
			return false
		}
	}
	return true
}
