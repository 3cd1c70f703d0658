// Package eval scores tasks and text with a language model, without training
// on them: accuracies, nats per token and bits per byte, each with its standard
// error. It knows a model only as something that gives log-probabilities.
package eval

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"math"
)

// A Model is a language model as an evaluation sees it.
type Model interface {
	// Context is the most tokens a prediction can look back on.
	Context() int
	// LogProbs returns for each row the sum over positions p >= from[i] of
	// ln P(row[p] | row[:p]) in nats, added up in float64, and whether each of
	// these tokens was the most likely one. A row has at most Context()+1
	// tokens, the last of which is only predicted; from[i] is at least 1. The
	// order and grouping of rows change no bit. Rows that begin alike stand next
	// to each other, so that a model can compute a common beginning once.
	LogProbs(rows [][]int32, from []int) (sums []float64, greedy []bool, err error)
}

// A Tokenizer turns text into the ids a model was trained on.
type Tokenizer interface {
	Encode(text string) []int32 // never adds special tokens
	Decode(ids []int32) string  // the exact bytes of ids
	EndOfText() int32           // stands before every document
}

// How a start token is used. It is always EndOfText, exactly one, and an
// explicit setting that every result carries.
const (
	BOSAlways = "always" // every context begins with it, as documents in training do
	BOSNever  = "never"  // only an empty context is replaced by it
)

// Options of an evaluation.
type Options struct {
	Batch    int                   // items, or windows of text, for each call of the model; 0 means 16
	BOS      string                // BOSAlways or BOSNever; there is no default
	Progress func(done, total int) // called between batches; may be nil
}

const defaultBatch = 16

func (o Options) check() (Options, error) {
	if o.Batch == 0 {
		o.Batch = defaultBatch
	}
	if o.Batch < 0 {
		return o, fmt.Errorf("batch %d is not positive", o.Batch)
	}
	if o.BOS != BOSAlways && o.BOS != BOSNever {
		return o, fmt.Errorf("bos %q is neither %q nor %q", o.BOS, BOSAlways, BOSNever)
	}
	if o.Progress == nil {
		o.Progress = func(int, int) {}
	}
	return o, nil
}

// ErrInvalid is what errors.Is finds in the error of a model whose scores are
// no numbers. Nothing is averaged over them: the measurement is invalid.
var ErrInvalid = errors.New("invalid score")

// score calls the model once, adds what it is given to the hash of the token
// stream, and checks that the model kept its promise.
func score(ctx context.Context, m Model, requests []request, stream hash.Hash) ([]float64, []bool, error) {
	if err := ctx.Err(); err != nil {
		return nil, nil, err
	}
	rows, from := make([][]int32, len(requests)), make([]int, len(requests))
	for i, r := range requests {
		rows[i], from[i] = r.row, r.from
		hashRow(stream, r.row, r.from)
	}
	if len(rows) == 0 {
		return nil, nil, nil
	}
	sums, greedy, err := m.LogProbs(rows, from)
	if err != nil {
		return nil, nil, fmt.Errorf("scoring %s to %s: %w", requests[0].name, requests[len(requests)-1].name, err)
	}
	if len(sums) != len(rows) || len(greedy) != len(rows) {
		panic(fmt.Sprintf("eval: model returned %d sums and %d greedy flags for %d rows", len(sums), len(greedy), len(rows)))
	}
	for i, sum := range sums {
		if math.IsNaN(sum) || math.IsInf(sum, 0) {
			return nil, nil, fmt.Errorf("%s: log-probability is %v: %w", requests[i].name, sum, ErrInvalid)
		}
	}
	return sums, greedy, nil
}

// hashRow adds a row to the hash of a token stream: its length, the index of
// its first scored token and its ids, each as a little-endian uint32.
func hashRow(stream hash.Hash, row []int32, from int) {
	buf := make([]byte, 0, 4*(len(row)+2))
	buf = binary.LittleEndian.AppendUint32(buf, uint32(len(row)))
	buf = binary.LittleEndian.AppendUint32(buf, uint32(from))
	for _, id := range row {
		buf = binary.LittleEndian.AppendUint32(buf, uint32(id))
	}
	stream.Write(buf)
}
