package bench

import (
	"fmt"
	"strings"

	"plumb/arch"
	"plumb/tasks"
)

// itemLengths are those of 16 items of HellaSwag's validation set in tokens: of
// GPT-2's tokenizer, and of the one with 512 tokens that stories260k has. Of each
// item the context stands first, then the endings. They were taken evenly from
// the items in order of their length, 5 of ActivityNet and 11 of WikiHow, which is
// the mixture of the whole set: 168 and 434 tokens on average, with the context once.
var itemLengths = [][5][2]int{
	{{36, 89}, {11, 24}, {14, 31}, {9, 21}, {11, 26}},
	{{31, 71}, {17, 36}, {23, 56}, {25, 55}, {20, 52}},
	{{41, 113}, {15, 37}, {10, 25}, {13, 40}, {15, 36}},
	{{23, 50}, {14, 35}, {10, 22}, {7, 15}, {15, 34}},
	{{23, 46}, {9, 21}, {7, 11}, {8, 17}, {10, 18}},
	{{53, 148}, {19, 43}, {63, 147}, {46, 114}, {23, 56}},
	{{50, 145}, {57, 183}, {38, 112}, {56, 180}, {50, 149}},
	{{42, 112}, {37, 86}, {36, 93}, {34, 93}, {32, 80}},
	{{58, 157}, {37, 100}, {50, 138}, {59, 140}, {32, 84}},
	{{61, 172}, {39, 111}, {33, 106}, {38, 105}, {38, 98}},
	{{58, 154}, {28, 74}, {35, 99}, {56, 137}, {38, 117}},
	{{56, 144}, {31, 72}, {43, 125}, {24, 72}, {43, 116}},
	{{49, 119}, {35, 79}, {36, 83}, {38, 94}, {32, 74}},
	{{51, 169}, {34, 107}, {50, 139}, {58, 170}, {35, 82}},
	{{90, 260}, {36, 89}, {31, 85}, {29, 83}, {35, 102}},
	{{63, 130}, {26, 57}, {27, 63}, {31, 86}, {19, 47}},
}

// smallVocab is the largest vocabulary that counts as small: its tokens are
// about two letters long, not a word.
const smallVocab = 2048

// madeItems makes items of these lengths out of words that tokenizer takes for
// one token each.
func madeItems(vocab int) (items []tasks.Item) {
	column := 0
	if vocab <= smallVocab {
		column = 1
	}
	words := wordMaker{longest: pieceLength(vocab)}
	for i, lengths := range itemLengths {
		item := tasks.Item{ID: fmt.Sprint(i)}
		context := words.make(lengths[0][column])
		for _, ending := range lengths[1:] {
			item.Choices = append(item.Choices, tasks.Choice{Context: context, Continuation: words.make(ending[column]), Length: 1})
		}
		items = append(items, item)
	}
	return items
}

// A wordMaker makes text without sense.
type wordMaker struct {
	longest int
	state   uint32
}

// make returns n words, each behind a space and one token long.
func (w *wordMaker) make(n int) string {
	var text strings.Builder
	for range n {
		text.WriteByte(' ')
		for range w.longest - 1 {
			w.state = w.state*1664525 + 1013904223
			text.WriteByte('a' + byte((w.state>>24)%26))
		}
	}
	return text.String()
}

// A tokenizer cuts text into words with the space before them, and words into
// pieces of a longest length. Its ids say nothing: it stands in for one of its
// vocabulary where only the number of tokens matters.
type tokenizer struct{ vocab, longest int }

// tokenizerFor stands in for the tokenizer of a model of shape c.
func tokenizerFor(c arch.Config) tokenizer { return tokenizer{c.Vocab, pieceLength(c.Vocab)} }

// pieceLength is the longest piece, in bytes, for a vocabulary. With it the texts
// of HellaSwag have about as many tokens as with the tokenizers of itemLengths.
func pieceLength(vocab int) int {
	if vocab <= smallVocab {
		return 2
	}
	return 7
}

// Encode implements eval.Tokenizer.
func (t tokenizer) Encode(text string) []int32 {
	var ids []int32
	for len(text) > 0 {
		n := t.piece(text)
		id := uint32(2166136261)
		for _, b := range []byte(text[:n]) {
			id = (id ^ uint32(b)) * 16777619
		}
		ids = append(ids, int32(id%uint32(t.vocab)))
		text = text[n:]
	}
	return ids
}

// piece returns the length of the first piece of text.
func (t tokenizer) piece(text string) int {
	n := 1
	for n < len(text) && n < t.longest && text[n] != ' ' {
		n++
	}
	return n
}

// Decode implements eval.Tokenizer. It returns nothing: scoring only notes by it
// where tokens stand across the border of context and ending, which these never do.
func (t tokenizer) Decode([]int32) string { return "" }

// EndOfText implements eval.Tokenizer.
func (t tokenizer) EndOfText() int32 { return 0 }
