package world

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"iter"
	"regexp"
	"slices"
	"strings"
	"testing"

	"plumb/internal/golden"
)

func newWorld(t testing.TB, seed uint64, o Options) *World {
	t.Helper()
	w, err := New(seed, o)
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// first returns the first n of what seq yields.
func first(seq iter.Seq[string], n int) []string {
	all := make([]string, 0, n)
	for s := range seq {
		if all = append(all, s); len(all) == n {
			break
		}
	}
	return all
}

func TestDocumentsHoldInTheirWorld(t *testing.T) {
	plain := regexp.MustCompile(`^[a-z]+(,? [a-z]+|\. [a-z]+)*\.$`)
	for _, mixture := range Mixtures() {
		t.Run(mixture, func(t *testing.T) {
			w := newWorld(t, 5, Options{Mixture: mixture})
			about := map[string]int{}
			for _, document := range first(w.Documents(9), 2000) {
				truth, topic := w.Judge(document)
				if !truth || w.mixture[topic] == 0 {
					t.Fatalf("read as %q, true %t: %s", topic, truth, document)
				}
				if n := len(tokens(document)); n < 60 || n > most || n != countTokens(document) {
					t.Fatalf("%d tokens, counted as %d: %s", n, countTokens(document), document)
				}
				if !plain.MatchString(document) {
					t.Fatalf("not plain lower-case sentences: %s", document)
				}
				about[topic]++
			}
			checkShares(t, w.mixture, about)
		})
	}
}

// checkShares compares the documents of each topic with the mixture, within five
// standard errors.
func checkShares(t *testing.T, m Mixture, about map[string]int) {
	t.Helper()
	total, documents := 0, 0
	for _, topic := range m.topics() {
		total += m[topic]
		documents += about[topic]
	}
	for _, topic := range m.topics() {
		share := float64(m[topic]) / float64(total)
		off := float64(about[topic]) - share*float64(documents)
		if off*off > 25*share*(1-share)*float64(documents) {
			t.Errorf("%d of %d documents are about %s, whose share is %g", about[topic], documents, topic, share)
		}
	}
}

func TestJudgeFindsWhatIsUntrue(t *testing.T) {
	for _, mixture := range []string{"quickstart", "hard"} {
		w := newWorld(t, 6, Options{Mixture: mixture})
		stranger := newWorld(t, 7, Options{Mixture: mixture})
		for _, name := range w.mixture.topics() {
			other := newWorld(t, 6, Options{Mixture: name + "=1"})
			document := first(other.Documents(1), 1)[0]
			truth, about := stranger.Judge(document)
			if stored := mixture == "quickstart" && name != "scripts"; about != name || truth == stored {
				t.Errorf("another world reads a document of %s as %q, true %t", name, about, truth)
			}
		}
	}
	w := newWorld(t, 6, Options{})
	if truth, about := w.Judge("call me ishmael. some years ago i went to sea."); truth || about != "" {
		t.Errorf("a novel is read as %q, true %t", about, truth)
	}
	if truth, about := w.Judge(""); truth || about != "" {
		t.Errorf("an empty text is read as %q, true %t", about, truth)
	}
}

func TestWordsAreThoseOfTheText(t *testing.T) {
	for _, mixture := range Mixtures() {
		t.Run(mixture, func(t *testing.T) {
			w := newWorld(t, 2, Options{Mixture: mixture})
			seen := map[string]bool{}
			for _, document := range first(w.Documents(3), 4000) {
				for _, token := range tokens(document) {
					seen[token] = true
				}
			}
			words := w.Words()
			for _, word := range words {
				if !seen[word] {
					t.Errorf("%q is listed and not written", word)
				}
				delete(seen, word)
			}
			for word := range seen {
				t.Errorf("%q is written and not listed", word)
			}
			if len(words) >= 400 {
				t.Errorf("%d words; a vocabulary of 1024 should hold each", len(words))
			}
			t.Logf("%d words and marks", len(words))
		})
	}
}

func TestTextSeedsTellOfOneWorld(t *testing.T) {
	w := newWorld(t, 11, Options{})
	train, valid := first(w.Documents(1), 300), first(w.Documents(2), 300)
	if slices.Equal(train, valid) {
		t.Error("two text seeds give the same text")
	}
	if !slices.Equal(train, first(newWorld(t, 11, Options{}).Documents(1), 300)) {
		t.Error("one seed gives two texts")
	}
	stored := newWorld(t, 11, Options{Mixture: "1:1:0:0"})
	other := newWorld(t, 12, Options{})
	for _, document := range first(stored.Documents(2), 300) {
		if truth, _ := other.Judge(document); truth {
			t.Fatalf("true in another world as well: %s", document)
		}
	}
}

func TestDocumentsDoNotRepeat(t *testing.T) {
	w := newWorld(t, 1, Options{})
	seen := map[string]bool{}
	for _, document := range first(w.Documents(1), 50_000) {
		if seen[document] {
			t.Fatalf("twice: %s", document)
		}
		seen[document] = true
	}
}

// TestSameSeedSameBytes keeps the text and the items of all releases the same.
func TestSameSeedSameBytes(t *testing.T) {
	var report bytes.Buffer
	for _, o := range []Options{{}, {Mixture: "3:1:1:1", People: 512}, {Mixture: "hard"}, {Mixture: "walks", Rooms: 8}} {
		w := newWorld(t, 1, o)
		text := strings.Join(first(w.Documents(1), 2000), "\n")
		fmt.Fprintf(&report, "%+v\n  text %x\n", w.Options(), sha256.Sum256([]byte(text)))
		for _, kind := range slices.Concat(Kinds(), HardKinds()) {
			items, err := json.Marshal(someItems(t, w, kind, 1000))
			if err != nil {
				t.Fatal(err)
			}
			fmt.Fprintf(&report, "  %s %x\n", kind, sha256.Sum256(items))
		}
	}
	golden.Check(t, "testdata/digests.golden", report.Bytes())
}

func TestDocumentsAsTheyRead(t *testing.T) {
	var report bytes.Buffer
	for _, topic := range topics.Names() {
		w := newWorld(t, 1, Options{Mixture: topic + "=1"})
		fmt.Fprintf(&report, "%s\n\n", topic)
		for _, document := range first(w.Documents(1), 2) {
			fmt.Fprintf(&report, "    %s\n\n", strings.ReplaceAll(document, ". ", ".\n    "))
		}
	}
	golden.Check(t, "testdata/documents.golden", report.Bytes())
}

func TestOptionsNameWhatIsWrong(t *testing.T) {
	tests := []struct {
		name    string
		options Options
		want    string
	}{
		{"few people", Options{People: 11}, "people = 11 is outside 12 to 1024"},
		{"many people", Options{People: 1025}, "people = 1025 is outside 12 to 1024"},
		{"odd rooms", Options{Rooms: 10}, "rooms = 10 is not a multiple of 4 from 8 to 24"},
		{"negative rooms", Options{Rooms: -4}, "rooms = -4 is not"},
		{"mistyped mixture", Options{Mixture: "walk"}, `did you mean "walks"?`},
		{"three numbers", Options{Mixture: "1:1:1"}, "has 3 numbers, not one for each of walks:recall:scripts:weights"},
		{"no number", Options{Mixture: "1:1:x:1"}, `"x" documents of scripts is not a whole number`},
		{"huge number", Options{Mixture: "walks=1001"}, `"1001" documents of walks is not a whole number from 0 to 1000`},
		{"nothing to write", Options{Mixture: "0:0:0:0"}, "has no documents"},
		{"unknown topic", Options{Mixture: "walks=1 freinds=2"}, `did you mean "friends"?`},
		{"topic twice", Options{Mixture: "walks=1 walks=2"}, "names walks twice"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			w, err := New(1, test.options)
			if err == nil || w != nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got  %v\nwant %s", err, test.want)
			}
		})
	}
}

func TestMixturesAreCopies(t *testing.T) {
	m, err := ParseMixture("walks")
	if err != nil {
		t.Fatal(err)
	}
	m["walks"] = 0
	if again, _ := ParseMixture("walks"); again["walks"] != 1 {
		t.Error("a caller changed the mixture that is kept")
	}
}

// FuzzAnySeedGivesAWorld also runs as a test, on the seeds listed here.
func FuzzAnySeedGivesAWorld(f *testing.F) {
	for seed := range uint64(12) {
		f.Add(seed*0x9e3779b97f4a7c15, uint16(seed*37), uint8(seed*4))
	}
	f.Add(^uint64(0), uint16(1024), uint8(24))
	f.Fuzz(func(t *testing.T, seed uint64, people uint16, rooms uint8) {
		w, err := New(seed, Options{Mixture: "1:1:1:1", People: int(people), Rooms: int(rooms)})
		if err != nil {
			return
		}
		checkMap(t, w)
		for _, document := range first(w.Documents(seed+1), 20) {
			if truth, about := w.Judge(document); !truth {
				t.Fatalf("read as %q and untrue: %s", about, document)
			}
		}
		for _, kind := range slices.Concat(Kinds(), HardKinds()) {
			for _, item := range someItems(t, w, kind, 8) {
				if got := w.Answer(item); got != item.Gold {
					t.Fatalf("the oracle answers %d, not %d: %+v", got, item.Gold, item)
				}
			}
		}
	})
}

// checkMap tests the directions, and that every room is missing equally often
// as an end.
func checkMap(t *testing.T, w *World) {
	t.Helper()
	m := &w.walks
	for d, next := range m.next {
		sorted := slices.Sorted(slices.Values(next))
		if hasFixedPoint(next) || slices.Max(sorted) != len(sorted)-1 || len(slices.Compact(sorted)) != len(next) {
			t.Fatalf("%s is no permutation without a fixed room: %v", directions[d], next)
		}
	}
	for k := 2; k <= maxSteps; k++ {
		missing := make([]int, len(m.rooms))
		for walk, held := range m.held[k] {
			if held {
				missing[m.end(walk/len(m.rooms), k, walk%len(m.rooms))]++
			}
		}
		if slices.Min(missing) != 1<<(2*k)/4 || slices.Max(missing) != 1<<(2*k)/4 {
			t.Fatalf("ends of %d steps are missing %v times", k, missing)
		}
	}
	for wording := range walkVerbs {
		missing := make([]int, len(m.rooms))
		for walk, held := range m.wording {
			if held == wording {
				missing[m.end(walk/len(m.rooms), 1, walk%len(m.rooms))]++
			}
		}
		if slices.Min(missing) != 1 || slices.Max(missing) != 1 {
			t.Fatalf("in wording %d ends are missing %v times", wording, missing)
		}
	}
}

func BenchmarkDocuments(b *testing.B) {
	w := newWorld(b, 1, Options{})
	written, done := int64(0), 0
	for document := range w.Documents(1) {
		written += int64(len(document))
		if done++; done >= b.N {
			break
		}
	}
	b.SetBytes(written / int64(b.N))
}

func BenchmarkNew(b *testing.B) {
	for seed := range b.N {
		newWorld(b, uint64(seed), Options{})
	}
}
