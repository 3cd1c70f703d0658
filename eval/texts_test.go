package eval

import (
	"context"
	"math"
	"slices"
	"strings"
	"testing"

	"plumb/internal/golden"
	"plumb/internal/tokenizer"
	"plumb/tasks"
)

func textItem(id, text string) tasks.Item {
	return tasks.Item{ID: id, Choices: []tasks.Choice{{Continuation: text}}, Words: len(strings.Fields(text)), Bytes: len(text)}
}

// TestWindowsOfTexts: which tokens are read and which predicted by each way to
// cut, for a context of 4 tokens. The start token is \x00.
func TestWindowsOfTexts(t *testing.T) {
	tests := []struct {
		name    string
		cut     tasks.Cut
		window  int
		bos     string
		windows int      // of Options
		want    []string // read|predicted
		remark  string
	}{
		{"rolling", tasks.Rolling, 0, BOSNever, 0, []string{"\x00|abcd", "d|efgh", "fgh|ij"}, "3 windows of at most 4 tokens"},
		{"rolling, shorter windows", tasks.Rolling, 3, BOSAlways, 0, []string{"\x00|abc", "c|def", "f|ghi", "ghi|j"}, "4 windows of at most 3 tokens"},
		{"apart", tasks.Apart, 0, BOSAlways, 0, []string{"a|bcd", "e|fgh"}, "2 windows of 4 tokens, 2 tokens at the end left out"},
		{"apart, longer than the context", tasks.Apart, 9, BOSNever, 0, []string{"a|bcd", "e|fgh"}, "2 windows of 4 tokens, 2 tokens at the end left out"},
		{"apart, whole", tasks.ApartWhole, 0, BOSNever, 0, []string{"a|bcd", "e|fgh", "i|j"}, "3 windows of 4 tokens"},
		{"apart, one token left", tasks.ApartWhole, 3, BOSNever, 0, []string{"a|bc", "d|ef", "g|hi"}, "3 windows of 3 tokens, 1 tokens at the end left out"},
		{"second half", tasks.SecondHalf, 0, BOSAlways, 0, []string{"\x00ab|c", "\x00ef|g"}, "2 windows of 4 tokens, 3 tokens at the end left out"},
		{"second half without start", tasks.SecondHalf, 0, BOSNever, 0, []string{"abc|d", "efg|h"}, "2 windows of 4 tokens, 2 tokens at the end left out"},
		{"first window", tasks.SecondHalf, 0, BOSNever, 1, []string{"abc|d"}, "1 windows of 4 tokens"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			m := &fake{context: 4, logProb: everything}
			task := tasks.Task{Kind: tasks.Text, Cut: test.cut, Window: test.window}
			r, err := Score(context.Background(), m, table{}, task, []tasks.Item{textItem("x", "abcdefghij")}, Options{BOS: test.bos, Windows: test.windows})
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for i, row := range m.rows {
				got = append(got, table{}.Decode(row[:m.from[i]])+"|"+table{}.Decode(row[m.from[i]:]))
			}
			if !slices.Equal(got, test.want) || r.Remark != test.remark {
				t.Errorf("%q, %q; want %q, %q", got, r.Remark, test.want, test.remark)
			}
			if r.Work.Requests != len(test.want) || r.Work.Tokens == 0 || r.Work.Computed != 0 {
				t.Errorf("work %+v", r.Work)
			}
		})
	}
}

// TestPerplexitiesOfTexts are of closed form: every token has the same
// probability.
func TestPerplexitiesOfTexts(t *testing.T) {
	half := &fake{context: 8, logProb: func([]int32, int32) float64 { return -math.Ln2 }}
	items := []tasks.Item{textItem("x", "ab cd ef"), textItem("y", "gh ijk")}
	items[1].Bytes, items[1].Words = 12, 4 // of an original that is longer
	r, err := Score(context.Background(), half, table{}, tasks.Task{Kind: tasks.Text}, items, Options{BOS: BOSNever})
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]float64{
		"bits_per_byte": 14.0 / 20, "byte_perplexity": math.Pow(2, 14.0/20), "word_perplexity": math.Pow(2, 14.0/7), "token_perplexity": 2, "nats_per_token": math.Ln2,
	} {
		m, err := r.Metrics(name)
		if err != nil {
			t.Fatal(err)
		}
		near(t, name, m[0].Value, want, 1e-12)
		if !math.IsNaN(m[0].Chance) || m[0].N != 2 {
			t.Errorf("%s: %+v", name, m[0])
		}
	}
	if _, err := r.Metrics("acc"); err == nil {
		t.Error("a text has an accuracy")
	}
}

// TestMeanOfWindows: the last, shorter window counts as much as the others.
func TestMeanOfWindows(t *testing.T) {
	m := &fake{context: 4, logProb: func(before []int32, next int32) float64 { return -float64(next-'a') / 10 }}
	task := tasks.Task{Kind: tasks.Text, Cut: tasks.ApartWhole}
	r, err := Score(context.Background(), m, table{}, task, []tasks.Item{textItem("x", "abcdef")}, Options{BOS: BOSNever})
	if err != nil {
		t.Fatal(err)
	}
	got, err := r.Metrics("window_perplexity", "token_perplexity")
	if err != nil {
		t.Fatal(err)
	}
	near(t, "by window", got[0].Value, math.Exp((0.2+0.5)/2), 1e-12) // b c d, and f
	near(t, "by token", got[1].Value, math.Exp((0.1+0.2+0.3+0.5)/4), 1e-12)
}

// TestPerplexityOfWords: its error is that of its linear approximation,
// perplexity · sd / √n.
func TestPerplexityOfWords(t *testing.T) {
	m := &fake{context: 64, logProb: func(before []int32, next int32) float64 { return -float64(next - 'a') }}
	items := []tasks.Item{item("x", 0, "a", "b"), item("y", 0, "a", "c"), item("z", 0, "a", "a")}
	r, err := Score(context.Background(), m, table{}, tasks.Task{Kind: tasks.LastWord}, items, Options{BOS: BOSNever})
	if err != nil {
		t.Fatal(err)
	}
	got, err := r.Metrics("perplexity", "acc")
	if err != nil {
		t.Fatal(err)
	}
	near(t, "perplexity", got[0].Value, math.E, 1e-12)
	near(t, "its error", got[0].StdErr, math.E/math.Sqrt(3), 1e-12)
	near(t, "acc", got[1].Value, 1.0/3, 1e-12)
	if !math.IsNaN(got[1].Chance) {
		t.Errorf("chance %v", got[1].Chance)
	}
}

// TestShortTexts: nothing to predict is an error.
func TestShortTexts(t *testing.T) {
	for _, cut := range []tasks.Cut{tasks.Apart, tasks.ApartWhole, tasks.SecondHalf} {
		task := tasks.Task{Kind: tasks.Text, Cut: cut}
		for _, length := range []int{1, 8} {
			if _, err := Score(context.Background(), &fake{context: length, logProb: everything}, table{}, task, []tasks.Item{textItem("x", "a")}, Options{BOS: BOSNever}); err == nil {
				t.Errorf("cut %d of a text of one token by a context of %d", cut, length)
			}
		}
	}
}

// TestJoinedLines: the tokens of GPT-2 in the lines joined as users of Hugging
// Face's data sets join them number 287,644, a count that many programs print.
func TestJoinedLines(t *testing.T) {
	tok, err := tokenizer.Load(golden.Shared(t, "tokenizers", "gpt2"))
	if err != nil {
		t.Fatal(err)
	}
	items, _, err := tasks.Load("wikitext@gptq", tasks.Source{Dir: golden.Shared(t, "data")})
	if err != nil {
		t.Fatal(err)
	}
	if got := len(tok.Encode(items[0].Choices[0].Continuation)); got != 287_644 {
		t.Errorf("%d tokens", got)
	}
}
