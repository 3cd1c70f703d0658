package eval

import (
	"context"
	"errors"
	"fmt"
	"math"

	"plumb/results"
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

// minDocuments is the number of documents from which on they, and not the
// windows they are cut into, are counted as independent.
const minDocuments = 20

// What the standard error of a Rolling counts as independent.
const (
	ByDocument = "document"
	ByWindow   = "window"
)

// A Rolling is how well a model predicts a text.
type Rolling struct {
	NatsPerToken float64
	NatsStdErr   float64 // see Perplexity
	BitsPerByte  float64
	BitsStdErr   float64
	Tokens       int // all of them, each predicted once
	Bytes        int
	Documents    int
	Windows      int
	Clusters     string         // ByDocument or ByWindow: what Items are
	Items        []results.Item // of one choice each: Sum is ln P, Length bytes
	Context      int            // the model's context in tokens
	TokenHash    string         // SHA-256 of the token stream that was scored
}

// Stored returns the scores as they are kept beside the records.
func (r Rolling) Stored(task, version string) results.Items {
	protocol := fmt.Sprintf("rolling 1, context %d, by %s", r.Context, r.Clusters)
	return results.Items{Task: task, Version: version, Protocol: protocol, Items: r.Items}
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
// with documents as clusters, or windows where there are fewer than 20
// documents. It is NaN where there is but one cluster. Options.BOS does not
// matter: every document begins after exactly one start token.
func Perplexity(ctx context.Context, m Model, tok Tokenizer, docs []Document, o Options) (Rolling, error) {
	o.BOS = BOSAlways // a document has nothing else to begin with
	o, err := o.check(tok)
	if err != nil {
		return Rolling{}, err
	}
	r := Rolling{Documents: len(docs), Context: m.Context()}
	if err := r.count(docs); err != nil {
		return Rolling{}, err
	}
	windows := cutWindows(docs, r.Context, startToken(tok))
	calls := newCaller(m, &Work{})
	scores, err := calls.windows(ctx, windows, o)
	if err != nil {
		return Rolling{}, err
	}
	r.TokenHash = calls.sum()
	r.Windows = len(windows)
	if len(docs) >= minDocuments {
		r.Clusters, r.Items = ByDocument, sumDocuments(docs, windows, scores)
	} else {
		r.Clusters, r.Items = ByWindow, describeWindows(tok, windows, scores)
	}
	r.average()
	return r, nil
}

func (r *Rolling) count(docs []Document) error {
	for _, doc := range docs {
		r.Tokens += len(doc.Tokens)
		r.Bytes += doc.Bytes
	}
	if r.Context < 1 {
		return fmt.Errorf("a model with a context of %d tokens cannot predict text", r.Context)
	}
	if r.Tokens == 0 || r.Bytes <= 0 {
		return errors.New("no text to predict")
	}
	return nil
}

// A window is one row of a document.
type window struct {
	request
	document int
}

// cutWindows cuts documents for a context of length tokens. Only the first
// window of a document is a copy.
func cutWindows(docs []Document, length int, start int32) []window {
	var windows []window
	for d, doc := range docs {
		t := doc.Tokens
		if len(t) == 0 {
			continue
		}
		add := func(row []int32, from int) {
			windows = append(windows, window{request{row, from, fmt.Sprintf("document %d", d)}, d})
		}
		add(append([]int32{start}, t[:min(length, len(t))]...), 1)
		for begin := length; begin < len(t); begin += length {
			end := min(begin+length, len(t))
			add(t[end-length-1:end], length+1-(end-begin))
		}
	}
	return windows
}

// windows returns what each window scored.
func (c *caller) windows(ctx context.Context, windows []window, o Options) ([]results.Choice, error) {
	scores := make([]results.Choice, 0, len(windows))
	for start := 0; start < len(windows); start += o.Batch {
		o.Progress(start, len(windows))
		var requests []request
		for _, w := range windows[start:min(start+o.Batch, len(windows))] {
			requests = append(requests, w.request)
		}
		sums, greedy, err := c.score(ctx, requests)
		if err != nil {
			return nil, err
		}
		for i, sum := range sums {
			scores = append(scores, results.Choice{Sum: sum, Greedy: greedy[i], Tokens: len(requests[i].row) - requests[i].from})
		}
	}
	o.Progress(len(windows), len(windows))
	return scores, nil
}

// sumDocuments adds the windows of each document in order.
func sumDocuments(docs []Document, windows []window, scores []results.Choice) []results.Item {
	items := make([]results.Item, len(docs))
	for i, doc := range docs {
		items[i] = results.Item{ID: fmt.Sprint(i), Choices: []results.Choice{{Length: doc.Bytes, Greedy: true}}}
	}
	for i, w := range windows {
		c := &items[w.document].Choices[0]
		c.Sum += scores[i].Sum
		c.Tokens += scores[i].Tokens
		c.Greedy = c.Greedy && scores[i].Greedy
	}
	return items
}

// describeWindows gives each window an identity, DOCUMENT/NUMBER, and its bytes.
func describeWindows(tok Tokenizer, windows []window, scores []results.Choice) []results.Item {
	items := make([]results.Item, len(windows))
	number := 0
	for i, w := range windows {
		if number++; i == 0 || windows[i-1].document != w.document {
			number = 0
		}
		c := scores[i]
		c.Length = len(tok.Decode(w.row[w.from:]))
		items[i] = results.Item{ID: fmt.Sprintf("%d/%d", w.document, number), Choices: []results.Choice{c}}
	}
	return items
}

// average computes the values and errors from the items.
func (r *Rolling) average() {
	var nats, tokens, bytes []float64
	total := 0.0
	for _, item := range r.Items {
		c := item.Choices[0]
		total -= c.Sum
		nats, tokens, bytes = append(nats, -c.Sum), append(tokens, float64(c.Tokens)), append(bytes, float64(c.Length))
	}
	r.NatsPerToken = total / float64(r.Tokens)
	r.BitsPerByte = total / float64(r.Bytes) / math.Ln2
	r.NatsStdErr = ratioError(nats, tokens)
	r.BitsStdErr = ratioError(nats, bytes) / math.Ln2
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
