// Package eval scores tasks and text with a language model, without training
// on them: accuracies, nats per token and bits per byte, each with its standard
// error. It knows a model only as something that gives log-probabilities.
package eval

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"math"
	"time"

	"plumb/tasks"
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

// A Counter is a model that counts its work.
type Counter interface {
	// Computed is how many tokens have gone through the model so far. Where rows
	// share a beginning these are fewer than the tokens of the rows.
	Computed() int64
}

// How a start token is used: exactly one, and an explicit setting that every
// result carries.
const (
	BOSAlways = "always" // every context begins with it, as documents in training do
	BOSNever  = "never"  // only an empty context is replaced by it
	BOSAuto   = "auto"   // whichever the tokenizer's own files say
)

// A beginner is a tokenizer whose files name a start token: its id, and whether
// they ask for it before every text.
type beginner interface {
	BOS() (id int32, add, ok bool)
}

// startToken is the id that stands for an empty context: the start token where
// a tokenizer has one, else the end of text.
func startToken(tok Tokenizer) int32 {
	if t, ok := tok.(beginner); ok {
		if id, _, has := t.BOS(); has {
			return id
		}
	}
	return tok.EndOfText()
}

// asksForStart says whether a tokenizer's files ask for a start token.
func asksForStart(tok Tokenizer) bool {
	t, ok := tok.(beginner)
	if !ok {
		return false
	}
	_, add, has := t.BOS()
	return has && add
}

// Options of an evaluation.
type Options struct {
	Batch    int                   // items, or windows of text, for each call of the model; 0 means 16
	BOS      string                // BOSAlways, BOSNever or BOSAuto; there is no default
	Rule     tasks.Rule            // which tokens of a choice are scored
	Shots    string                // what stands before the items, in words; part of the protocol's name
	Windows  int                   // at most so many windows of a text that is cut side by side; 0 means all
	Progress func(done, total int) // called between batches; may be nil
}

const defaultBatch = 16

func (o Options) check(tok Tokenizer) (Options, error) {
	if o.Batch == 0 {
		o.Batch = defaultBatch
	}
	if o.Batch < 0 {
		return o, fmt.Errorf("batch %d is not positive", o.Batch)
	}
	switch o.BOS {
	case BOSAlways, BOSNever:
	case BOSAuto:
		o.BOS = BOSNever
		if asksForStart(tok) {
			o.BOS = BOSAlways
		}
	default:
		return o, fmt.Errorf("bos %q is none of %q, %q and %q", o.BOS, BOSAlways, BOSNever, BOSAuto)
	}
	if o.Progress == nil {
		o.Progress = func(int, int) {}
	}
	return o, nil
}

// ErrInvalid is what errors.Is finds in the error of a model whose scores are
// no numbers. Nothing is averaged over them: the measurement is invalid.
var ErrInvalid = errors.New("invalid score")

// A caller calls a model and keeps account of it.
type caller struct {
	model Model
	work  *Work
	hash  hash.Hash // of the token stream that was scored
}

// Work is what scoring took.
type Work struct {
	Requests int           // texts that the model was asked to score or to continue
	Tokens   int64         // that it would have read for each text alone
	Computed int64         // that went through it, fewer where texts share a beginning; 0 where the model does not count
	Time     time.Duration // it took for them
}

// Saved is about how long the tokens that were not computed would have taken:
// as long, each, as those that were.
func (w Work) Saved() time.Duration {
	if w.Computed == 0 {
		return 0
	}
	return time.Duration(float64(w.Time) * (float64(w.Tokens)/float64(w.Computed) - 1))
}

func newCaller(m Model, w *Work) *caller { return &caller{m, w, sha256.New()} }

// account starts to measure a call, and returns what ends it.
func (c *caller) account() (done func()) {
	counter, counts := c.model.(Counter)
	before, began := int64(0), time.Now()
	if counts {
		before = counter.Computed()
	}
	return func() {
		c.work.Time += time.Since(began)
		if counts {
			c.work.Computed += counter.Computed() - before
		}
	}
}

// score calls the model once, adds what it is given to the hash of the token
// stream, and checks that the model kept its promise.
func (c *caller) score(ctx context.Context, requests []request) ([]float64, []bool, error) {
	if err := ctx.Err(); err != nil {
		return nil, nil, err
	}
	rows, from := make([][]int32, len(requests)), make([]int, len(requests))
	for i, r := range requests {
		rows[i], from[i] = r.row, r.from
		hashRow(c.hash, r.row, r.from)
		c.work.Requests++
		c.work.Tokens += int64(len(r.row) - 1)
	}
	if len(rows) == 0 {
		return nil, nil, nil
	}
	done := c.account()
	sums, greedy, err := c.model.LogProbs(rows, from)
	done()
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

// sum is the hash of the token stream in hexadecimal.
func (c *caller) sum() string { return hex.EncodeToString(c.hash.Sum(nil)) }

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
