package corpus

import (
	"fmt"
	"hash/fnv"
	"io"
	"iter"
)

// WorldDocuments makes documents of generated texts, as many as it takes to
// reach size bytes. Whoever goes through them again gets the same ones, if texts
// can be gone through again.
func WorldDocuments(texts iter.Seq[string], size int) iter.Seq2[Document, error] {
	return func(yield func(Document, error) bool) {
		n, left := 0, size
		for text := range texts {
			if left <= 0 {
				return
			}
			n++
			left -= len(text)
			if text != "" && !yield(Document{fmt.Sprintf("world:%d", n), text}, nil) {
				return
			}
		}
	}
}

// TrainPart leaves out of docs the share that ValidPart keeps.
func TrainPart(docs iter.Seq2[Document, error], share float64) iter.Seq2[Document, error] {
	return part(docs, share, false)
}

// ValidPart keeps about that share of docs. Which document it keeps depends on
// its text alone, so equal documents are never on both sides, and adding a file
// moves none of the others.
func ValidPart(docs iter.Seq2[Document, error], share float64) iter.Seq2[Document, error] {
	return part(docs, share, true)
}

func part(docs iter.Seq2[Document, error], share float64, valid bool) iter.Seq2[Document, error] {
	return func(yield func(Document, error) bool) {
		for d, err := range docs {
			if err == nil && (position(d.Text) < share) != valid {
				continue
			}
			if !yield(d, err) {
				return
			}
		}
	}
}

// position is where in [0, 1) a text falls by its hash.
func position(text string) float64 {
	h := fnv.New64a()
	io.WriteString(h, text)
	return float64(mix(h.Sum64())>>11) / (1 << 53)
}

// Texts returns the text of each document, as tokenizer.Train wants them. What
// goes wrong on the way ends the sequence and is left in *failure.
func Texts(docs iter.Seq2[Document, error], failure *error) iter.Seq[string] {
	return func(yield func(string) bool) {
		for d, err := range docs {
			if err != nil {
				*failure = err
				return
			}
			if !yield(d.Text) {
				return
			}
		}
	}
}
