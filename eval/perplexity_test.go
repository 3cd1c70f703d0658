package eval

import (
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// counted gives n tokens 1, 2, 3, ...
func counted(n int) Document {
	d := Document{Bytes: max(1, n)}
	for i := range n {
		d.Tokens = append(d.Tokens, int32(1+i))
	}
	return d
}

func TestWindows(t *testing.T) {
	type row struct {
		ids  []int32
		from int
	}
	tests := []struct {
		name   string
		tokens int
		want   []row
	}{
		{"empty", 0, nil},
		{"one token", 1, []row{{[]int32{0, 1}, 1}}},
		{"shorter", 3, []row{{[]int32{0, 1, 2, 3}, 1}}},
		{"full", 4, []row{{[]int32{0, 1, 2, 3, 4}, 1}}},
		{"one more reads all that fits", 5, []row{{[]int32{0, 1, 2, 3, 4}, 1}, {[]int32{1, 2, 3, 4, 5}, 4}}},
		{"two full", 8, []row{{[]int32{0, 1, 2, 3, 4}, 1}, {[]int32{4, 5, 6, 7, 8}, 1}}},
		{"two full and three", 11, []row{{[]int32{0, 1, 2, 3, 4}, 1}, {[]int32{4, 5, 6, 7, 8}, 1}, {[]int32{7, 8, 9, 10, 11}, 2}}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			windows := cutWindows([]Document{counted(test.tokens)}, 4, 0)
			if len(windows) != len(test.want) {
				t.Fatalf("%+v", windows)
			}
			for i, w := range windows {
				if !slices.Equal(w.row, test.want[i].ids) || w.from != test.want[i].from {
					t.Errorf("window %d: %v from %d, want %+v", i, w.row, w.from, test.want[i])
				}
			}
		})
	}
}

// TestEveryTokenOnce: at any context length each token of each document is
// predicted exactly once, in order, after the token that stands before it.
func TestEveryTokenOnce(t *testing.T) {
	docs := []Document{counted(17), counted(0), counted(1), counted(40)}
	for length := 1; length <= 45; length++ {
		var predicted, want []int32
		for _, w := range cutWindows(docs, length, 0) {
			predicted = append(predicted, w.row[w.from:]...)
			if len(w.row) > length+1 || w.row[w.from-1] != w.row[w.from]-1 {
				t.Fatalf("context %d: window %+v", length, w)
			}
		}
		for _, d := range docs {
			want = append(want, d.Tokens...)
		}
		if !slices.Equal(predicted, want) {
			t.Fatalf("context %d: predicts %v", length, predicted)
		}
	}
}

func randomDocuments(n int) []Document {
	r := rand.New(rand.NewPCG(7, 0))
	docs := make([]Document, n)
	for i := range docs {
		for range 1 + r.IntN(50) {
			docs[i].Tokens = append(docs[i].Tokens, int32(1+r.IntN(255)))
		}
		docs[i].Bytes = len(docs[i].Tokens)
	}
	return docs
}

func rolling(t *testing.T, m Model, docs []Document, batch int) Rolling {
	t.Helper()
	r, err := Perplexity(context.Background(), m, table{}, docs, Options{Batch: batch})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// TestBigramText: what depends on one token only has the same value for every
// context length, known in closed form.
func TestBigramText(t *testing.T) {
	docs := randomDocuments(30)
	nats, tokens := 0.0, 0
	for _, d := range docs {
		last := int32(0)
		for _, id := range d.Tokens {
			nats -= bigram([]int32{last}, id)
			last = id
		}
		tokens += len(d.Tokens)
	}
	for _, length := range []int{1, 2, 7, 16, 64} {
		r := rolling(t, &fake{context: length, logProb: bigram}, docs, 3)
		if r.NatsPerToken != nats/float64(tokens) { // multiples of 1/4: exact
			t.Errorf("context %d: %v nats a token, want %v", length, r.NatsPerToken, nats/float64(tokens))
		}
		near(t, "bits a byte", r.BitsPerByte, nats/float64(tokens)/math.Ln2, 1e-15)
		if r.Tokens != tokens || r.Bytes != tokens || r.Documents != 30 || r.Clusters != ByDocument {
			t.Errorf("%+v", r)
		}
		near(t, "error in bits", r.BitsStdErr, r.NatsStdErr/math.Ln2, 1e-15)
	}
}

func TestTextInBatches(t *testing.T) {
	docs := randomDocuments(9)
	want := rolling(t, &fake{context: 8, logProb: everything}, docs, 1)
	for _, batch := range []int{0, 2, 5, 100} {
		got := rolling(t, &fake{context: 8, logProb: everything}, docs, batch)
		if got.NatsPerToken != want.NatsPerToken || got.BitsStdErr != want.BitsStdErr || got.TokenHash != want.TokenHash || !slices.EqualFunc(got.Items, want.Items, sameScores) {
			t.Errorf("batch %d changes the result", batch)
		}
	}
}

// TestClustersOfText: windows stand alone where documents are few, and either
// way the stored items give the reported values.
func TestClustersOfText(t *testing.T) {
	tests := []struct {
		name, clusters string
		documents      int
	}{{"few", ByWindow, minDocuments - 1}, {"many", ByDocument, minDocuments}}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			r := rolling(t, &fake{context: 8, logProb: everything}, randomDocuments(test.documents), 4)
			want := r.Documents
			if test.clusters == ByWindow {
				want = r.Windows
			}
			if r.Clusters != test.clusters || len(r.Items) != want {
				t.Fatalf("%d items by %s", len(r.Items), r.Clusters)
			}
			stored := r.Stored("toy", "1")
			if err := stored.Check(); err != nil {
				t.Fatal(err)
			}
			for metric, value := range map[string]float64{"bits_per_byte": r.BitsPerByte, "nats_per_token": r.NatsPerToken} {
				scores, ok := stored.Scores(metric)
				sum := 0.0
				for _, s := range scores {
					sum += s
				}
				if !ok {
					t.Fatalf("no %s", metric)
				}
				near(t, metric, sum/float64(len(scores)), value, 1e-12)
			}
		})
	}
}

func TestRatioError(t *testing.T) {
	// Σa/Σb = 6/6; deviations 1, -1, 0: 3/2 · 2 / 36
	near(t, "error", ratioError([]float64{2, 1, 3}, []float64{1, 2, 3}), math.Sqrt(3./36), 1e-16)
	// Equal weights: the error of a mean.
	near(t, "error of a mean", ratioError([]float64{1, 2, 6}, []float64{1, 1, 1}), math.Sqrt((4.+1+9)/2/3), 1e-15)
	if !math.IsNaN(ratioError([]float64{1}, []float64{1})) {
		t.Error("one cluster has an error")
	}
}

func TestDocuments(t *testing.T) {
	docs := Documents([]int32{0, 5, 6, 0, 0, 7}, []int{0, 3, 4}, []int{2, 0, 1}, 0)
	want := []Document{{[]int32{5, 6}, 2}, {[]int32{}, 0}, {[]int32{7}, 1}}
	for i, d := range docs {
		if !slices.Equal(d.Tokens, want[i].Tokens) || d.Bytes != want[i].Bytes {
			t.Errorf("document %d: %+v", i, d)
		}
	}
}

func TestTextThatCannotBeScored(t *testing.T) {
	sick := func(before []int32, next int32) float64 {
		if next == 3 {
			return math.NaN()
		}
		return -1
	}
	tests := []struct {
		name, want string
		context    int
		docs       []Document
	}{
		{"no documents", "no text to predict", 4, nil},
		{"empty documents", "no text to predict", 4, []Document{{}, {}}},
		{"no context", "a model with a context of 0 tokens cannot predict text", 0, []Document{counted(2)}},
		{"not a number", "document 1: log-probability is NaN: invalid score", 4, []Document{counted(2), counted(3)}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			_, err := Perplexity(context.Background(), &fake{context: test.context, logProb: sick}, table{}, test.docs, Options{})
			if err == nil || err.Error() != test.want {
				t.Errorf("got %v", err)
			}
			if test.name == "not a number" && !errors.Is(err, ErrInvalid) {
				t.Error("not marked as invalid")
			}
		})
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := Perplexity(ctx, &fake{context: 4, logProb: bigram}, table{}, []Document{counted(9)}, Options{}); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}
