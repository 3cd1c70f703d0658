package corpus

import "fmt"

// Rows cuts a stream into rows of equal length and puts them in an endless order:
// epoch after epoch, each a permutation of all rows that depends on the seed, the
// number of rows and the epoch alone. It may be used by several goroutines.
type Rows struct {
	tokens  []int32
	length  int
	starts  []int // where each row begins; ^start for one that continues a document. nil: every length-1 tokens
	count   int
	dropped float64
	seed    uint64
}

// Packings lists how rows can be cut.
func Packings() []string { return []string{"document", "stream"} }

// NewRows cuts s into rows of length tokens; for a model with a context of c
// tokens, length is c+1, since every token but the first is predicted.
//
// With packing "document" a row begins at a document and is filled with the
// documents after it. What the end of the row cuts off is dropped, unless the
// document is longer than a row: then the next row goes on with it, after an
// end-of-text token, so that each row begins with that token. With packing
// "stream" the documents are one text that is cut anywhere, and only the end of
// it is dropped; a row begins with the token that the row before it ends with.
func NewRows(s *Stream, length int, packing string, seed uint64) (*Rows, error) {
	if length < 2 {
		return nil, fmt.Errorf("rows of %d tokens; a row needs at least 2, one to read and one to predict", length)
	}
	r := &Rows{tokens: s.Tokens, length: length, seed: seed}
	shown := 0
	switch packing {
	case "document":
		r.starts, shown = packDocuments(s, length)
		r.count = len(r.starts)
	case "stream":
		r.count = max(len(s.Tokens)-1, 0) / (length - 1)
		shown = r.count*(length-1) + 1
	default:
		return nil, fmt.Errorf("no packing named %q (have document, stream)", packing)
	}
	if r.count == 0 {
		return nil, fmt.Errorf("a text of %d tokens fills no row of %d; give more text or a shorter context", len(s.Tokens), length)
	}
	r.dropped = 1 - float64(shown)/float64(len(s.Tokens))
	return r, nil
}

// packDocuments returns where rows begin and how many tokens of the stream they show.
func packDocuments(s *Stream, length int) (starts []int, shown int) {
	for doc, at, fresh := 0, 0, true; ; {
		size := length
		if !fresh {
			size-- // the first token of the row is the end of text
		}
		end := at + size
		if end > len(s.Tokens) {
			return starts, shown
		}
		if fresh {
			starts = append(starts, at)
		} else {
			starts = append(starts, ^at)
		}
		shown += size
		for doc < len(s.Starts) && s.end(doc) <= end {
			doc++
		}
		if doc == len(s.Starts) {
			return starts, shown
		}
		cut := s.Starts[doc] < end
		long := s.end(doc)-s.Starts[doc] > length
		if fresh = !(cut && long); !fresh {
			at = end
			continue
		}
		if cut {
			doc++
		}
		if doc == len(s.Starts) {
			return starts, shown
		}
		at = s.Starts[doc]
	}
}

// Count returns the number of rows in an epoch.
func (r *Rows) Count() int { return r.count }

// Length returns the number of tokens in a row.
func (r *Rows) Length() int { return r.length }

// Dropped returns the share of the stream's tokens that no row shows.
func (r *Rows) Dropped() float64 { return r.dropped }

// Row copies row i of the endless order to dst. It panics unless dst has the
// length of a row and i is not negative.
func (r *Rows) Row(i int64, dst []int32) {
	if len(dst) != r.length || i < 0 {
		panic(fmt.Sprintf("corpus: Rows.Row: row %d of %d tokens into %d", i, r.length, len(dst)))
	}
	epoch, index := uint64(i)/uint64(r.count), uint64(i)%uint64(r.count)
	row := int(permute(index, uint64(r.count), r.seed, epoch))
	if r.starts == nil {
		copy(dst, r.tokens[row*(r.length-1):])
		return
	}
	start := r.starts[row]
	if start < 0 {
		dst[0] = r.tokens[0] // every stream begins with the end of text
		dst, start = dst[1:], ^start
	}
	copy(dst, r.tokens[start:])
}
