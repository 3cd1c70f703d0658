package eval

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"math"
)

// A Document is a text to be predicted token by token.
type Document struct {
	Tokens []int32 // without a start token
	Bytes  int     // of the UTF-8 text
}

// Documents cuts a stream of tokens into documents. Document i begins at
// starts[i], has bytes[i] bytes of text and ends where the next one begins; the
// start token that stands before it in the stream is left out.
func Documents(tokens []int32, starts, bytes []int, start int32) []Document {
	docs := make([]Document, len(starts))
	for i, from := range starts {
		to := len(tokens)
		if i+1 < len(starts) {
			to = starts[i+1]
		}
		if from < to && tokens[from] == start {
			from++
		}
		docs[i] = Document{Tokens: tokens[from:to], Bytes: bytes[i]}
	}
	return docs
}

// A DocumentScore is what one document got.
type DocumentScore struct {
	Nats   float64 // -ln P(document), summed over all its tokens
	Tokens int
	Bytes  int
}

// minDocuments is the number of documents from which on they, and not the
// windows they are cut into, are counted as independent.
const minDocuments = 20

// A Rolling is how well a model predicts a text.
type Rolling struct {
	NatsPerToken float64
	NatsStdErr   float64 // see Perplexity
	BitsPerByte  float64
	BitsStdErr   float64
	Tokens       int // all of them, each predicted once
	Bytes        int
	Windows      int
	Clusters     string // what the standard error counts as independent: "documents" or "windows"
	Context      int    // the model's context in tokens
	TokenHash    string // SHA-256 of the token stream that was scored
	Documents    []DocumentScore
}

// Perplexity predicts every token of every document exactly once. A document is
// cut into windows as long as the model's context L: the first starts from the
// start token, each following one from the last token of the one before it, and
// the last one, which is seldom full, is given all preceding tokens that fit.
//
// The values are sums over documents divided once. Their standard errors are
// those of a ratio R = Σa/Σb over G clusters,
//
//	stdErr² = G/(G-1) · Σ_clusters (a - R·b)² / (Σb)²
//
// with documents as clusters, or with windows where there are fewer than 20
// documents; windows have no byte counts, so the error in bits per byte then is
// the one in nats per token times tokens per byte, taken as known.
func Perplexity(ctx context.Context, m Model, docs []Document, start int32, o Options) (Rolling, error) {
	o.BOS = BOSAlways // a document has nothing else to begin with
	o, err := o.check()
	if err != nil {
		return Rolling{}, err
	}
	if err := checkDocuments(docs, m.Context()); err != nil {
		return Rolling{}, err
	}
	windows := cutWindows(docs, m.Context(), start)
	nats, hash, err := scoreWindows(ctx, m, windows, o)
	if err != nil {
		return Rolling{}, err
	}
	r := Rolling{Windows: len(windows), Context: m.Context(), TokenHash: hash}
	r.add(docs, windows, nats)
	return r, nil
}

func checkDocuments(docs []Document, context int) error {
	if context < 1 {
		return fmt.Errorf("model with a context of %d tokens cannot predict text", context)
	}
	tokens, bytes := 0, 0
	for _, doc := range docs {
		tokens += len(doc.Tokens)
		bytes += doc.Bytes
	}
	if tokens == 0 || bytes == 0 {
		return errors.New("no text to predict")
	}
	return nil
}

// A window is one row of a document: row[from:] is predicted.
type window struct {
	document int
	row      []int32
	from     int
}

// cutWindows cuts documents for a context of length tokens.
func cutWindows(docs []Document, length int, start int32) []window {
	var windows []window
	for d, doc := range docs {
		t := doc.Tokens
		if len(t) == 0 {
			continue
		}
		first := append([]int32{start}, t[:min(length, len(t))]...)
		windows = append(windows, window{d, first, 1})
		for begin := length; begin < len(t); begin += length {
			end := min(begin+length, len(t))
			windows = append(windows, window{d, t[end-length-1 : end], length + 1 - (end - begin)})
		}
	}
	return windows
}

// scoreWindows returns the nats of each window and the hash of all rows.
func scoreWindows(ctx context.Context, m Model, windows []window, o Options) ([]float64, string, error) {
	stream := sha256.New()
	nats := make([]float64, 0, len(windows))
	for start := 0; start < len(windows); start += o.Batch {
		o.Progress(start, len(windows))
		batch := windows[start:min(start+o.Batch, len(windows))]
		rows, from := split(batch, stream)
		name := func(i int) string { return fmt.Sprintf("document %d", batch[i].document) }
		sums, _, err := score(ctx, m, rows, from, name)
		if err != nil {
			return nil, "", err
		}
		for _, sum := range sums {
			nats = append(nats, -sum)
		}
	}
	o.Progress(len(windows), len(windows))
	return nats, hex.EncodeToString(stream.Sum(nil)), nil
}

func split(batch []window, stream hash.Hash) (rows [][]int32, from []int) {
	for _, w := range batch {
		hashRow(stream, w.row, w.from)
		rows, from = append(rows, w.row), append(from, w.from)
	}
	return rows, from
}

// add sums windows to documents and documents to the result, both in order.
func (r *Rolling) add(docs []Document, windows []window, nats []float64) {
	r.Documents = make([]DocumentScore, len(docs))
	for i, doc := range docs {
		r.Documents[i] = DocumentScore{Tokens: len(doc.Tokens), Bytes: doc.Bytes}
	}
	for i, w := range windows {
		r.Documents[w.document].Nats += nats[i]
	}
	var sums, tokens, bytes []float64
	total := 0.0
	for _, doc := range r.Documents {
		total += doc.Nats
		r.Tokens += doc.Tokens
		r.Bytes += doc.Bytes
		sums, tokens, bytes = append(sums, doc.Nats), append(tokens, float64(doc.Tokens)), append(bytes, float64(doc.Bytes))
	}
	r.NatsPerToken = total / float64(r.Tokens)
	r.BitsPerByte = total / float64(r.Bytes) / math.Ln2
	if len(docs) >= minDocuments {
		r.Clusters = "documents"
		r.NatsStdErr = ratioError(sums, tokens)
		r.BitsStdErr = ratioError(sums, bytes) / math.Ln2
		return
	}
	tokens = tokens[:0]
	for _, w := range windows {
		tokens = append(tokens, float64(len(w.row)-w.from))
	}
	r.Clusters = "windows"
	r.NatsStdErr = ratioError(nats, tokens)
	r.BitsStdErr = r.NatsStdErr * float64(r.Tokens) / float64(r.Bytes) / math.Ln2
}

// ratioError is the standard error of Σa/Σb over clusters, as Perplexity
// states it; NaN with fewer than two clusters.
func ratioError(a, b []float64) float64 {
	if len(a) < 2 {
		return math.NaN()
	}
	sumA, sumB := 0.0, 0.0
	for i := range a {
		sumA += a[i]
		sumB += b[i]
	}
	ratio, squares := sumA/sumB, 0.0
	for i := range a {
		deviation := a[i] - ratio*b[i]
		squares += deviation * deviation
	}
	g := float64(len(a))
	return math.Sqrt(g/(g-1)*squares) / sumB
}
