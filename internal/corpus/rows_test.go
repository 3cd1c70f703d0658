package corpus

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// numbered returns a stream whose documents have these lengths, end of text
// included. Its tokens are all different, except the end of text, 0.
func numbered(lengths ...int) *Stream {
	s := &Stream{}
	next := int32(1)
	for _, n := range lengths {
		s.Starts = append(s.Starts, len(s.Tokens))
		s.Tokens = append(s.Tokens, 0)
		for range n - 1 {
			s.Tokens = append(s.Tokens, next)
			next++
		}
	}
	return s
}

// epoch returns the rows of an epoch, sorted by what they show first.
func epoch(r *Rows) [][]int32 {
	var rows [][]int32
	for i := range r.Count() {
		row := make([]int32, r.Length())
		r.Row(int64(i), row)
		rows = append(rows, row)
	}
	slices.SortFunc(rows, func(a, b []int32) int { return slices.Compare(a[1:], b[1:]) })
	return rows
}

func TestPacking(t *testing.T) {
	tests := []struct {
		name, packing string
		lengths       []int
		want          string // rows of 4
	}{
		{"documents that fit", "document", []int{4, 2, 2}, "0 1 2 3|0 4 0 5"},
		{"the cut document is dropped", "document", []int{3, 3, 4}, "0 1 2 0|0 5 6 7"},
		{"a long document goes on", "document", []int{9, 3}, "0 1 2 3|0 4 5 6|0 7 8 0"},
		{"a long document that was cut goes on", "document", []int{2, 6, 4}, "0 1 0 2|0 3 4 5|0 6 0 7"},
		{"a document as long as a row is not long", "document", []int{2, 4, 4}, "0 1 0 2|0 5 6 7"},
		{"the end of the text is dropped", "document", []int{4, 3}, "0 1 2 3"},
		{"stream", "stream", []int{4, 3, 4}, "0 1 2 3|3 0 4 5|5 0 6 7"},
		{"stream with a rest", "stream", []int{4, 3, 2}, "0 1 2 3|3 0 4 5"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			r, err := NewRows(numbered(test.lengths...), 4, test.packing, 1)
			if err != nil {
				t.Fatal(err)
			}
			var rows []string
			for _, row := range epoch(r) {
				rows = append(rows, strings.Trim(fmt.Sprint(row), "[]"))
			}
			slices.Sort(rows)
			want := strings.Split(test.want, "|")
			slices.Sort(want)
			if !slices.Equal(rows, want) {
				t.Errorf("got %v, want %v", rows, want)
			}
		})
	}
}

func TestRowsRefuse(t *testing.T) {
	tests := []struct {
		name    string
		length  int
		packing string
		want    string
	}{
		{"too short", 1, "document", "at least 2"},
		{"unknown packing", 4, "best", `no packing named "best" (have document, stream)`},
		{"less text than a row", 100, "document", "10 tokens fills no row of 100"},
		{"less text than a row in a stream", 100, "stream", "10 tokens fills no row of 100"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			_, err := NewRows(numbered(10), test.length, test.packing, 1)
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want %q", err, test.want)
			}
		})
	}
	if _, err := NewRows(&Stream{}, 4, "stream", 1); err == nil {
		t.Error("an empty stream has rows")
	}
}

func TestRowPanics(t *testing.T) {
	r, err := NewRows(numbered(10), 4, "stream", 1)
	if err != nil {
		t.Fatal(err)
	}
	for name, call := range map[string]func(){
		"length":   func() { r.Row(0, make([]int32, 3)) },
		"negative": func() { r.Row(-1, make([]int32, 4)) },
	} {
		t.Run(name, func(t *testing.T) {
			defer func() {
				if got := fmt.Sprint(recover()); !strings.HasPrefix(got, "corpus: Rows.Row: ") {
					t.Errorf("panic %q", got)
				}
			}()
			call()
		})
	}
}

// What holds of every packing, for any documents.
func TestRowProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := numbered(rapid.SliceOfN(rapid.IntRange(1, 30), 1, 40).Draw(t, "lengths")...)
		length := rapid.IntRange(2, 12).Draw(t, "length")
		packing := rapid.SampledFrom(Packings()).Draw(t, "packing")
		seed := rapid.Uint64().Draw(t, "seed")
		r, err := NewRows(s, length, packing, seed)
		if err != nil {
			if len(s.Tokens) >= length {
				t.Fatalf("%d tokens, rows of %d: %v", len(s.Tokens), length, err)
			}
			return
		}
		checkRows(t, s, r, packing)
		checkOrder(t, s, r, packing)
	})
}

// checkRows wants each row to begin as its packing says, all to be parts of the
// stream, no token to be predicted twice, and the dropped share to be counted.
func checkRows(t *rapid.T, s *Stream, r *Rows, packing string) {
	seen := map[int32]int{}
	shown := 0
	for _, row := range epoch(r) {
		if packing == "document" && row[0] != 0 {
			t.Fatalf("row %v begins inside a document", row)
		}
		for i, id := range row {
			if i == 0 && packing == "stream" {
				continue
			}
			if id != 0 {
				seen[id]++
			}
		}
		body := row[1:]
		if at := slices.Index(s.Tokens, body[0]); body[0] != 0 && !slices.Equal(s.Tokens[at:at+len(body)], body) {
			t.Fatalf("row %v is no part of the stream", row)
		}
	}
	for id, n := range seen {
		if n != 1 {
			t.Fatalf("token %d is predicted %d times in an epoch", id, n)
		}
		shown++
	}
	words := len(s.Tokens) - len(s.Starts)
	least := float64(words-shown-1) / float64(len(s.Tokens)) // ends of text may be dropped too
	most := float64(words-shown+len(s.Starts)) / float64(len(s.Tokens))
	if d := r.Dropped(); d < least || d > most || d < 0 || d >= 1 {
		t.Fatalf("dropped %v, want from %v to %v", d, least, most)
	}
}

// checkOrder wants each epoch to be a permutation that seed and epoch settle.
func checkOrder(t *rapid.T, s *Stream, r *Rows, packing string) {
	again, err := NewRows(s, r.Length(), packing, r.seed)
	if err != nil {
		t.Fatal(err)
	}
	a, b := make([]int32, r.Length()), make([]int32, r.Length())
	first := map[string]int{}
	for e := range 3 {
		rows := map[string]int{}
		for i := range r.Count() {
			at := int64(e*r.Count() + i)
			r.Row(at, a)
			again.Row(at, b)
			if !slices.Equal(a, b) {
				t.Fatalf("row %d differs when made again", at)
			}
			rows[fmt.Sprint(a)]++
		}
		if e == 0 {
			first = rows
		} else if fmt.Sprint(rows) != fmt.Sprint(first) {
			t.Fatalf("epoch %d shows other rows than epoch 0", e)
		}
	}
}

func TestPermutation(t *testing.T) {
	for _, n := range []uint64{1, 2, 3, 4, 5, 16, 17, 1000} {
		for epoch := range uint64(4) {
			seen := make([]bool, n)
			for i := range n {
				p := permute(i, n, 7, epoch)
				if p >= n || seen[p] {
					t.Fatalf("n %d, epoch %d: %d comes twice or is too large", n, epoch, p)
				}
				seen[p] = true
			}
		}
	}
}

// Every number comes about equally often first, and neighbours do not stay together.
func TestPermutationIsShuffled(t *testing.T) {
	const n, trials = 10, 20_000
	var first [n]int
	together := 0
	for seed := range uint64(trials) {
		a, b := permute(0, n, seed, 0), permute(1, n, seed, 0)
		first[a]++
		if b == a+1 {
			together++
		}
	}
	for i, count := range append(first[:], together) {
		if count < trials/n-250 || count > trials/n+250 { // 6 standard errors of a binomial count
			t.Errorf("%d: %d of %d", i, count, trials)
		}
	}
	orders := map[string]bool{}
	for epoch := range uint64(50) {
		var order []uint64
		for i := range uint64(n) {
			order = append(order, permute(i, n, 1, epoch))
		}
		orders[fmt.Sprint(order)] = true
	}
	if len(orders) < 50 {
		t.Errorf("%d different orders in 50 epochs", len(orders))
	}
}

// The order is a promise: results of earlier versions rest on it.
func TestOrderIsFixed(t *testing.T) {
	var got []uint64
	for i := range uint64(12) {
		got = append(got, permute(i, 12, 1, 0))
	}
	if want := []uint64{2, 0, 5, 4, 7, 11, 1, 6, 9, 3, 10, 8}; !slices.Equal(got, want) {
		t.Errorf("order %v, want %v", got, want)
	}
}
