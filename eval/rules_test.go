package eval

import (
	"context"
	"testing"
	"time"

	"plumb/results"
	"plumb/tasks"
)

// TestRulesOfLlamaCpp: which tokens are read and which scored.
func TestRulesOfLlamaCpp(t *testing.T) {
	merging := table{[]string{" sat", " s"}}
	tests := []struct {
		name string
		tok  Tokenizer
		rule tasks.Rule
		bos  string
		item tasks.Item
		want [][2]string
	}{
		{"common tokens of endings are not scored", table{}, tasks.AfterCommon, BOSAlways, item("x", 0, "ab", " cd", "ab", " ce"), [][2]string{{"\x00ab c", "d"}, {"\x00ab c", "e"}}},
		{"a merge is not shared", merging, tasks.AfterCommon, BOSNever, item("x", 0, "ab", " sat", "ab", " so"), [][2]string{{"ab", " sat"}, {"ab", " so"}}},
		{"nothing in common", table{}, tasks.AfterCommon, BOSNever, item("x", 0, "a", " c", "b", " c"), [][2]string{{"a", " c"}, {"b", " c"}}},
		{"an ending that begins the other", table{}, tasks.AfterCommon, BOSNever, item("x", 0, "ab", " c", "ab", " cd"), nil},
		{"what follows the name but the last", table{}, tasks.AfterBlank, BOSAlways, item("x", 0, "so A", " ran.", "so Bo", " ran."), [][2]string{{"\x00so A", " ran"}, {"\x00so Bo", " ran"}}},
		{"little follows", table{}, tasks.AfterBlank, BOSAlways, item("x", 0, "so A", " r", "so Bo", " r"), [][2]string{{"\x00so ", "A "}, {"\x00so ", "Bo "}}},
		{"one token follows", table{}, tasks.AfterBlank, BOSNever, item("x", 0, "ca", "", "cb", ""), [][2]string{{"c", "a"}, {"c", "b"}}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			m := &fake{context: 64, logProb: everything}
			r, err := MultipleChoice(context.Background(), m, test.tok, []tasks.Item{test.item}, Options{BOS: test.bos, Rule: test.rule})
			if err != nil {
				t.Fatal(err)
			}
			if len(m.rows) != len(test.want) || (len(test.want) == 0) != (len(r.Unscored) == 1) {
				t.Fatalf("%d rows, %+v", len(m.rows), r.Unscored)
			}
			for i, row := range m.rows {
				if got := [2]string{test.tok.Decode(row[:m.from[i]]), test.tok.Decode(row[m.from[i]:])}; got != test.want[i] {
					t.Errorf("choice %d reads %q, want %q", i, got, test.want[i])
				}
			}
		})
	}
}

func TestTiesOfLlamaCpp(t *testing.T) {
	tie := []results.Choice{{Sum: -4, Tokens: 2}, {Sum: -2, Tokens: 1}, {Sum: -9, Tokens: 3}}
	if got := results.ByTokens(tie); got != 0 {
		t.Errorf("HellaSwag picks %d", got)
	}
	if got := results.ByTokensLate(tie); got != 1 {
		t.Errorf("WinoGrande picks %d", got)
	}
}

// A starting tokenizer has a start token of its own.
type starting struct {
	table
	add bool
}

func (s starting) BOS() (int32, bool, bool) { return 7, s.add, true }

func TestStartTokenOfATokenizer(t *testing.T) {
	tests := []struct {
		name     string
		tok      Tokenizer
		bos      string
		context  string
		want     string // what is read
		recorded string
	}{
		{"asks for it", starting{add: true}, BOSAuto, "a", "\x07a", BOSAlways},
		{"does not ask", starting{}, BOSAuto, "a", "a", BOSNever},
		{"empty context", starting{}, BOSAuto, "", "\x07", BOSNever},
		{"none of its own", table{}, BOSAuto, "", "\x00", BOSNever},
		{"not asked", starting{add: true}, BOSNever, "a", "a", BOSNever},
		{"never two", starting{add: true}, BOSAlways, "\x07a", "\x07a", BOSAlways},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			m := &fake{context: 8, logProb: everything}
			r, err := MultipleChoice(context.Background(), m, test.tok, []tasks.Item{item("x", 0, test.context, "b", test.context, "c")}, Options{BOS: test.bos})
			if err != nil {
				t.Fatal(err)
			}
			if got := test.tok.Decode(m.rows[0][:m.from[0]]); got != test.want || r.BOS != test.recorded {
				t.Errorf("reads %q, recorded %s", got, r.BOS)
			}
		})
	}
}

// TestShotsAreRead: what stands before an item is part of its context, and of
// the protocol's name.
func TestShotsAreRead(t *testing.T) {
	m := &fake{context: 64, logProb: everything}
	it := item("x", 0, "a", " b", "a", " c")
	it.Before = "q r\n\n"
	r, err := MultipleChoice(context.Background(), m, table{}, []tasks.Item{it}, Options{BOS: BOSNever, Shots: "1 shots, first, of train.jsonl"})
	if err != nil {
		t.Fatal(err)
	}
	if got := (table{}).Decode(m.rows[0]); got != "q r\n\na b" || m.from[0] != 6 {
		t.Errorf("reads %q, scores from %d", got, m.from[0])
	}
	if got := r.Stored("x", "1").Protocol; got != "loglikelihood 1, bos never, 1 shots, first, of train.jsonl" {
		t.Errorf("protocol %q", got)
	}
}

// A counting model computes half of what it is asked.
type counting struct {
	*fake
	n int64
}

func (c *counting) Computed() int64 { return c.n }

func (c *counting) LogProbs(rows [][]int32, from []int) ([]float64, []bool, error) {
	for _, row := range rows {
		c.n += int64(len(row)-1) / 2
	}
	return c.fake.LogProbs(rows, from)
}

func TestWorkIsCounted(t *testing.T) {
	m := &counting{fake: &fake{context: 64, logProb: everything}, n: 1000}
	items := []tasks.Item{item("x", 0, "abc", " d", "abc", " e")}
	r, err := MultipleChoice(context.Background(), m, table{}, items, Options{BOS: BOSNever})
	if err != nil {
		t.Fatal(err)
	}
	if w := r.Work; w.Requests != 2 || w.Tokens != 8 || w.Computed != 4 || w.Time <= 0 {
		t.Errorf("%+v", w)
	}
	if got := (Work{Tokens: 30, Computed: 10, Time: time.Second}).Saved(); got != 2*time.Second {
		t.Errorf("saved %v", got)
	}
	if got := (Work{Tokens: 30, Time: time.Second}).Saved(); got != 0 {
		t.Errorf("a model that does not count saved %v", got)
	}
}
