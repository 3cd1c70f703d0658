package eval

import (
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"

	"plumb/internal/golden"
	"plumb/internal/tokenizer"
	"plumb/results"
	"plumb/tasks"
)

func item(id string, gold int, pairs ...string) tasks.Item {
	it := tasks.Item{ID: id, Gold: gold}
	for i := 0; i < len(pairs); i += 2 {
		it.Choices = append(it.Choices, tasks.Choice{Context: pairs[i], Continuation: pairs[i+1], Length: len([]rune(pairs[i+1])) - 1})
	}
	return it
}

// randomItems have two to four choices of random words; half of the items
// share a context.
func randomItems(seed uint64, n int) []tasks.Item {
	r := rand.New(rand.NewPCG(seed, 0))
	words := func() string {
		var b strings.Builder
		for range 1 + r.IntN(6) {
			b.WriteString([]string{" the", " cat", " élan", " sat", "ting", " on", ",", " a"}[r.IntN(8)])
		}
		return b.String()
	}
	items := make([]tasks.Item, n)
	for i := range items {
		var pairs []string
		shared := "So" + words()
		for range 2 + r.IntN(3) {
			before := shared
			if i%2 == 0 {
				before = "So" + words()
			}
			pairs = append(pairs, before, " "+strings.TrimSpace(words()))
		}
		items[i] = item(string(rune('A'+i)), 0, pairs...)
	}
	return items
}

var words = table{[]string{" the", " cat", "ting", " sat", " s", " on"}}

func TestClosedForm(t *testing.T) {
	m := &fake{context: 64, logProb: bigram}
	got, err := MultipleChoice(context.Background(), m, words, []tasks.Item{item("x", 1, "a the", " cat on", "", " on")}, Options{BOS: BOSNever})
	if err != nil {
		t.Fatal(err)
	}
	// ids: " the" 256, " cat" 257, " on" 261; the empty context is 0.
	want := []results.Choice{
		{Sum: bigram([]int32{256}, 257) + bigram([]int32{257}, 261), Tokens: 2, Length: 6},
		{Sum: bigram([]int32{0}, 261), Tokens: 1, Length: 2},
	}
	for i, c := range got.Items[0].Choices {
		c.Greedy = false
		if c != want[i] {
			t.Errorf("choice %d: %+v, want %+v", i, c, want[i])
		}
	}
	if got.Tokens != 3 || got.Context != 64 || got.BOS != BOSNever || len(got.TokenHash) != 64 {
		t.Errorf("%+v", got)
	}
}

// TestBatchesAndOrder: one by one, batched and shuffled give the same bits.
func TestBatchesAndOrder(t *testing.T) {
	items := randomItems(1, 20)
	run := func(items []tasks.Item, batch int) Result {
		t.Helper()
		r, err := MultipleChoice(context.Background(), &fake{context: 12, logProb: everything}, words, items, Options{Batch: batch, BOS: BOSAlways})
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	want := run(items, 1)
	for _, batch := range []int{0, 2, 3, 7, 16, 64} {
		got := run(items, batch)
		if got.TokenHash != want.TokenHash || !slices.EqualFunc(got.Items, want.Items, sameScores) {
			t.Errorf("batch %d changes the scores", batch)
		}
	}
	shuffled := slices.Clone(items)
	rand.New(rand.NewPCG(2, 0)).Shuffle(len(items), func(i, j int) { shuffled[i], shuffled[j] = shuffled[j], shuffled[i] })
	got := run(shuffled, 5)
	if got.TokenHash == want.TokenHash {
		t.Error("another order has the same token stream")
	}
	for _, g := range got.Items {
		i := slices.IndexFunc(want.Items, func(w results.Item) bool { return w.ID == g.ID })
		if !sameScores(g, want.Items[i]) {
			t.Errorf("item %s depends on its place", g.ID)
		}
	}
}

func sameScores(a, b results.Item) bool {
	return a.ID == b.ID && a.Gold == b.Gold && slices.Equal(a.Choices, b.Choices)
}

// TestScoredSpanIsTheEnding: whatever the context length, what is scored is
// the ending and what is read are the tokens just before it.
func TestScoredSpanIsTheEnding(t *testing.T) {
	items := randomItems(3, 26)
	for _, bos := range []string{BOSAlways, BOSNever} {
		for length := 1; length <= 40; length++ {
			m := &fake{context: length, logProb: everything}
			r, err := MultipleChoice(context.Background(), m, words, items, Options{BOS: bos})
			if err != nil {
				t.Fatal(err)
			}
			if len(r.Items)+len(r.Unscored) != len(items) {
				t.Fatalf("context %d: %d items scored, %d not, of %d", length, len(r.Items), len(r.Unscored), len(items))
			}
			checkSpans(t, m, r, items)
		}
	}
}

func checkSpans(t *testing.T, m *fake, r Result, items []tasks.Item) {
	t.Helper()
	row := 0
	for _, scored := range r.Items {
		i := slices.IndexFunc(items, func(it tasks.Item) bool { return it.ID == scored.ID })
		for j, c := range items[i].Choices {
			ids, from := m.rows[row], m.from[row]
			whole := "\x00" + c.Context + c.Continuation
			if got := words.Decode(ids[from:]); got != c.Continuation {
				t.Errorf("context %d: scored %q, want %q", m.context, got, c.Continuation)
			}
			if got := words.Decode(ids); !strings.HasSuffix(whole, got) {
				t.Errorf("context %d: row %q is not the end of %q", m.context, got, whole)
			}
			if cut := scored.Choices[j].Truncated; cut > 0 && len(ids) != m.context+1 {
				t.Errorf("context %d: %d tokens cut and %d left", m.context, cut, len(ids))
			}
			row++
		}
	}
}

func testEncoder(tok Tokenizer, bos bool) encoder {
	if bos {
		return newEncoder(tok, BOSAlways)
	}
	return newEncoder(tok, BOSNever)
}

func TestTokenising(t *testing.T) {
	merging := table{[]string{"ab", "abc", "c d", " d"}}
	tests := []struct {
		name                  string
		tok                   Tokenizer
		bos                   bool
		context, continuation string
		read, scored          string // texts, \x00 is the start token
		shift                 string
	}{
		{"plain", words, false, "a the", " cat", "a the", " cat", ""},
		{"start token", words, true, "a the", " cat", "\x00a the", " cat", ""},
		{"space moves to the continuation", words, false, "a the ", "cat", "a the", " cat", ""},
		{"every kind of space moves", words, true, "a\u3000\t\x1f", "x", "\x00a", "\u3000\t\x1fx", ""},
		{"empty context", words, false, "", " cat", "\x00", " cat", ""},
		{"empty context, start token once", words, true, "", " cat", "\x00", " cat", ""},
		{"context of spaces is empty", words, true, " \n", " cat", "\x00", " \n cat", ""},
		{"continuation begins with the start token", words, true, "", "\x00cat", "\x00", "cat", ""},
		{"context begins with the start token", words, true, "\x00a", " cat", "\x00a", " cat", ""},
		{"merge across the border", merging, false, "xc", " d", "xc d", "", "the first 2 bytes of the continuation are not scored"},
		{"lost first token", merging, false, "ac", " d d", "ac d", " d", "the first 2 bytes of the continuation are not scored"},
		{"context has fewer tokens", spelling{"ab": {2}, "abcd": {1, 3}}, false, "ab", "cd", "x", "xxx", "the last 1 bytes of the context are scored too"},
		{"context has more tokens", spelling{"ab": {1, 1}, "abcd": {3, 1}}, false, "ab", "cd", "xxxx", "", "the first 2 bytes of the continuation are not scored"},
		{"start token as text", words, true, "<|endoftext|>", " cat", "\x00<|endoftext|>", " cat", ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			e := testEncoder(test.tok, test.bos)
			for range 2 { // the second time from the remembered context
				s := e.encode(test.context, test.continuation)
				if read, scored := test.tok.Decode(s.ids[:s.from]), test.tok.Decode(s.ids[s.from:]); read != test.read || scored != test.scored {
					t.Errorf("reads %q and scores %q, want %q and %q", read, scored, test.read, test.scored)
				}
				if s.shift != test.shift {
					t.Errorf("shift %q, want %q", s.shift, test.shift)
				}
			}
		})
	}
}

func TestTruncation(t *testing.T) {
	tests := []struct {
		name       string
		context    int
		row        string
		dropped    int
		reasonPart string
	}{
		{"fits exactly", 9, "\x00abcdefghi", 0, ""},
		{"one too many", 8, "abcdefghi", 1, ""},
		{"one token of context is left", 4, "efghi", 5, ""},
		{"continuation alone is too long", 3, "", 0, "continuation of 4 tokens is longer than the model's context of 3"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			e := testEncoder(table{}, true)
			row, from, dropped, reason := e.encode("abcde", "fghi").cut(test.context)
			if got := (table{}).Decode(row); got != test.row || dropped != test.dropped || reason != test.reasonPart {
				t.Errorf("%q, %d dropped, %q", got, dropped, reason)
			}
			if reason == "" && (table{}).Decode(row[from:]) != "fghi" {
				t.Errorf("scores %q", table{}.Decode(row[from:]))
			}
		})
	}
}

func TestReports(t *testing.T) {
	items := []tasks.Item{
		item("good", 0, "a", " b", "a", " c"),
		item("cut", 0, "abcdefgh", " b", "a", " c"),
		item("long", 1, "a", " b", "a", " much too long"),
		item("swallowed", 0, "xc", " d", "x", " y"),
		item("lost", 0, "ac", " d d", "x", " y"),
	}
	m := &fake{context: 6, logProb: everything}
	r, err := MultipleChoice(context.Background(), m, table{[]string{"c d", " d"}}, items, Options{Batch: 2, BOS: BOSNever})
	if err != nil {
		t.Fatal(err)
	}
	if len(r.Items) != 3 || r.Truncated != 1 || len(r.Unscored) != 2 || len(r.Shifted) != 1 || len(m.rows) != 6 {
		t.Fatalf("%+v", r)
	}
	if got := r.Items[1].Choices[0].Truncated; got != 3 {
		t.Errorf("%d tokens cut", got)
	}
	want := []Remark{{"long", 1, "continuation of 14 tokens is longer than the model's context of 6"}, {"swallowed", 0, "a merge of tokens swallowed the continuation"}}
	if !slices.Equal(r.Unscored, want) {
		t.Errorf("unscored %+v", r.Unscored)
	}
	if r.Shifted[0] != (Remark{"lost", 0, "the first 2 bytes of the continuation are not scored"}) {
		t.Errorf("shifted %+v", r.Shifted)
	}
	note := "1 items with truncated context, 1 choices with a token across the border of context and continuation, 2 items not scored"
	if got := r.Note(); got != note {
		t.Errorf("note %q", got)
	}
	wantInvalid := "2 of 5 items could not be scored; item long, choice 1: " + want[0].Reason
	if got := r.Invalid(); got != wantInvalid {
		t.Errorf("invalid %q", got)
	}
	if _, err := r.Metrics("acc"); !errors.Is(err, ErrInvalid) {
		t.Errorf("metrics of an invalid result: %v", err)
	}
}

func TestInvalidAboveOnePercent(t *testing.T) {
	r := Result{Items: make([]results.Item, 99), Unscored: []Remark{{"x", 0, "y"}}}
	if why := r.Invalid(); why != "" {
		t.Errorf("1 of 100: %s", why)
	}
	r.Items = r.Items[:98]
	if r.Invalid() == "" {
		t.Error("1 of 99 is valid")
	}
	if (Result{}).Invalid() != "no items" || (Result{Unscored: r.Unscored}).Invalid() == "" {
		t.Error("nothing scored is valid")
	}
}

func TestScoresThatAreNoNumbers(t *testing.T) {
	for _, bad := range []float64{math.NaN(), math.Inf(1), math.Inf(-1)} {
		m := &fake{context: 64, logProb: func(before []int32, next int32) float64 {
			if next == 'B' {
				return bad
			}
			return -1
		}}
		items := []tasks.Item{item("fine", 0, "a", " x", "b", " y"), item("sick", 0, "a", " x", "b", " B")}
		r, err := MultipleChoice(context.Background(), m, words, items, Options{BOS: BOSNever})
		if !errors.Is(err, ErrInvalid) || !strings.Contains(err.Error(), "item sick") || r.Items != nil {
			t.Errorf("%v: %v", bad, err)
		}
	}
}

type broken struct{ *fake }

func (broken) LogProbs([][]int32, []int) ([]float64, []bool, error) {
	return nil, nil, errors.New("out of memory")
}

func TestErrorsOfTheModel(t *testing.T) {
	_, err := MultipleChoice(context.Background(), broken{&fake{context: 64}}, words, randomItems(1, 2), Options{BOS: BOSNever})
	if err == nil || err.Error() != "scoring item A to item B: out of memory" {
		t.Error(err)
	}
}

func TestProgressAndCancel(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	m := &fake{context: 64, logProb: bigram}
	var seen []int
	o := Options{Batch: 2, BOS: BOSNever, Progress: func(done, total int) {
		seen = append(seen, done)
		if done == 4 {
			cancel()
		}
	}}
	_, err := MultipleChoice(ctx, m, words, randomItems(1, 9), o)
	if !errors.Is(err, context.Canceled) || m.calls != 2 {
		t.Errorf("%d calls, %v", m.calls, err)
	}
	if !slices.Equal(seen, []int{0, 2, 4}) {
		t.Errorf("progress %v", seen)
	}
}

func TestOptions(t *testing.T) {
	tests := []struct {
		name, want string
		o          Options
	}{
		{"no start setting", `bos "" is none of "always", "never" and "auto"`, Options{}},
		{"unknown start setting", `bos "maybe" is none of`, Options{BOS: "maybe"}},
		{"negative batch", "batch -1 is not positive", Options{Batch: -1, BOS: BOSNever}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			_, err := MultipleChoice(context.Background(), &fake{}, words, nil, test.o)
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v", err)
			}
		})
	}
}

// TestRealText tokenises real items with byte pairs trained on their like: the
// scored tokens must be the bytes of the continuation.
func TestRealText(t *testing.T) {
	text, err := os.ReadFile(golden.Shared(t, "data", "corpora", "tinystories_sample", "tinystories.txt"))
	if err != nil {
		t.Fatal(err)
	}
	tok, err := tokenizer.Train(slices.Values(strings.Split(string(text), "\n\n")), 600)
	if err != nil {
		t.Fatal(err)
	}
	for _, task := range []string{"hellaswag", "winogrande"} {
		items, _, err := tasks.Load(task, tasks.Source{Dir: golden.Shared(t, "data"), Limit: 300})
		if err != nil {
			t.Fatal(err)
		}
		e := testEncoder(tok, true)
		for _, request := range tasks.Requests(items) {
			s := e.encode(request.Context, request.Continuation)
			if s.ids[0] != tok.EndOfText() || slices.Contains(s.ids[1:], tok.EndOfText()) {
				t.Errorf("%s %s: not exactly one start token", task, request.Item)
			}
			moved := request.Context[len(strings.TrimRightFunc(request.Context, tasks.IsSpace)):]
			if got := tok.Decode(s.ids[s.from:]); s.shift == "" && got != moved+request.Continuation {
				t.Errorf("%s %s: scores %q of %q", task, request.Item, got, request.Continuation)
			}
		}
	}
}
