package world

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"

	"plumb/internal/golden"
)

func someItems(t testing.TB, w *World, kind string, n int) []Item {
	t.Helper()
	items, err := w.Items(kind, n)
	if err != nil {
		t.Fatal(err)
	}
	return items
}

// eachKind runs test once for each kind, in a world whose text has all that the
// kind asks about.
func eachKind(t *testing.T, test func(t *testing.T, w *World, kind string)) {
	learnt := newWorld(t, 3, Options{})
	hard := newWorld(t, 3, Options{Mixture: "hard"})
	for _, kind := range Kinds() {
		t.Run(kind, func(t *testing.T) { test(t, learnt, kind) })
	}
	for _, kind := range HardKinds() {
		t.Run(kind, func(t *testing.T) { test(t, hard, kind) })
	}
}

// text is what a choice says.
func (c Choice) text() string { return c.Context + c.Continuation }

func TestKindsAreDescribed(t *testing.T) {
	if want := []string{"recall", "scripts", "walk1", "walk2", "walk3", "walk4", "weights"}; !slices.Equal(Kinds(), want) {
		t.Errorf("kinds are %v, not %v", Kinds(), want)
	}
	if want := []string{"boxes", "friends1", "friends2", "gifts", "reasons"}; !slices.Equal(HardKinds(), want) {
		t.Errorf("hard kinds are %v, not %v", HardKinds(), want)
	}
	eachKind(t, func(t *testing.T, w *World, kind string) {
		k, err := Describe(kind)
		if err != nil {
			t.Fatal(err)
		}
		if k.About == "" || k.Needs == "" || w.mixture[k.Topic] == 0 {
			t.Errorf("incomplete or without text: %+v", k)
		}
		if choices := len(someItems(t, w, kind, 4)[0].Choices); k.Chance != 1/float64(choices) {
			t.Errorf("chance is %g for %d choices", k.Chance, choices)
		}
	})
	if _, err := Describe("wakl1"); err == nil || !strings.Contains(err.Error(), `did you mean "walk1"?`) {
		t.Errorf("got %v", err)
	}
}

func TestOracleAnswersEverything(t *testing.T) {
	eachKind(t, func(t *testing.T, w *World, kind string) {
		for _, item := range someItems(t, w, kind, 2000) {
			if got := w.Answer(Item{Choices: item.Choices}); got != item.Gold {
				t.Fatalf("the oracle answers %d, not %d: %+v", got, item.Gold, item)
			}
		}
	})
}

func TestOracleNeedsOneTrueChoice(t *testing.T) {
	w := newWorld(t, 3, Options{})
	item := someItems(t, w, "walk2", 4)[0]
	right := item.Choices[item.Gold]
	wrong := item.Choices[(item.Gold+1)%4]
	if got := w.Answer(Item{Choices: []Choice{wrong, wrong}}); got != -1 {
		t.Errorf("none is true and the oracle answers %d", got)
	}
	if got := w.Answer(Item{Choices: []Choice{right, right}}); got != -1 {
		t.Errorf("both are true and the oracle answers %d", got)
	}
}

// TestItemsAreBalanced tests each cluster: the choices are shared, every place
// is right equally often, and no length tells them apart.
func TestItemsAreBalanced(t *testing.T) {
	eachKind(t, func(t *testing.T, w *World, kind string) {
		for cluster := range slices.Chunk(someItems(t, w, kind, 2000), clusterSize) {
			golds, right := make([]int, len(cluster[0].Choices)), map[string]int{}
			for _, item := range cluster {
				golds[item.Gold]++
				if len(item.Choices) == 4 {
					right[item.Choices[item.Gold].Continuation]++
				} else {
					right[item.Choices[item.Gold].text()]++
				}
				checkChoices(t, item, cluster[0])
			}
			if slices.Min(golds) != slices.Max(golds) || len(right) != clusterSize {
				t.Fatalf("right places %v, right answers %v", golds, right)
			}
		}
	})
}

func checkChoices(t *testing.T, item, head Item) {
	t.Helper()
	words := len(tokens(head.Choices[0].text()))
	for i, c := range item.Choices {
		if len(tokens(c.text())) != words {
			t.Fatalf("choices of %s differ in words: %+v", item.Cluster, item)
		}
		if !strings.HasPrefix(c.Continuation, " ") || strings.HasPrefix(c.Continuation, "  ") || !strings.HasSuffix(c.Continuation, ".") {
			t.Fatalf("continuation %q", c.Continuation)
		}
		if strings.HasSuffix(c.Context, " ") || c.Context == "" {
			t.Fatalf("context %q", c.Context)
		}
		if len(item.Choices) == 4 && (c.Context != item.Choices[0].Context || c.Continuation != head.Choices[i].Continuation) {
			t.Fatalf("four choices of a cluster are not the same: %+v", item)
		}
		if len(item.Choices) == 2 && c.Continuation != item.Choices[0].Continuation {
			t.Fatalf("twins do not share their continuation: %+v", item)
		}
	}
}

func TestScriptEndingsHaveEqualBytes(t *testing.T) {
	for _, s := range scriptList {
		if len(s.doing) != len(scriptList[0].doing) {
			t.Errorf("%q has %d bytes, not %d", s.doing, len(s.doing), len(scriptList[0].doing))
		}
	}
}

// TestFourWordsBeforeTheAnswerAreTheSame also covers what no n-gram test can:
// any model that sees four words, however it was trained.
func TestFourWordsBeforeTheAnswerAreTheSame(t *testing.T) {
	eachKind(t, func(t *testing.T, w *World, kind string) {
		for cluster := range slices.Chunk(someItems(t, w, kind, 2000), clusterSize) {
			before := map[string]bool{}
			for _, item := range cluster {
				before[beforeAnswer(item, cluster)] = true
			}
			if len(before) != 1 {
				t.Fatalf("the words before the answers differ: %v", before)
			}
		}
	})
}

// beforeAnswer returns the four words before the first that tells choices, or
// twins, apart. It is a part of the continuation alone for twins, since their
// contexts end in different words.
func beforeAnswer(item Item, cluster []Item) string {
	if len(item.Choices) == 4 {
		return lastWords(item.Choices[0].Context)
	}
	shared := tokens(item.Choices[0].Continuation)
	for _, twin := range cluster {
		other := tokens(twin.Choices[0].Continuation)
		for i := range shared {
			if shared[i] != other[i] {
				shared = shared[:i]
				break
			}
		}
	}
	if len(shared) < 4 {
		return item.ID + " has too few"
	}
	return lastWords(strings.Join(shared, " "))
}

func lastWords(s string) string {
	all := tokens(s)
	return strings.Join(all[max(0, len(all)-4):], " ")
}

// TestNothingAskedIsWritten looks for the items' contexts, in their own words, at
// every word of a long text.
func TestNothingAskedIsWritten(t *testing.T) {
	const key = 20 // bytes; no context is shorter
	eachKind(t, func(t *testing.T, w *World, kind string) {
		k, err := Describe(kind)
		if err != nil {
			t.Fatal(err)
		}
		contexts := map[string][]string{}
		for _, item := range someItems(t, w, kind, 4000) {
			for _, c := range item.Choices {
				contexts[c.Context[:key]] = append(contexts[c.Context[:key]], c.Context)
			}
		}
		text := newWorld(t, 3, Options{Mixture: k.Topic + "=1"})
		for _, document := range first(text.Documents(4), 10_000) {
			for at := 0; at+key < len(document); at++ {
				if at > 0 && document[at-1] != ' ' {
					continue
				}
				for _, context := range contexts[document[at:at+key]] {
					if strings.HasPrefix(document[at:], context) {
						t.Fatalf("%q is written in %q", context, document)
					}
				}
			}
		}
	})
}

// TestHeldOutPairsNeverMeet tests the meaning beyond the wording: pairs of things,
// of aims and of people are unordered.
func TestHeldOutPairsNeverMeet(t *testing.T) {
	w := newWorld(t, 3, Options{Mixture: "weights=1 scripts=1 reasons=1"})
	things, aims, names := indexes(thingNames), map[string]int{}, indexes(cast)
	for i, s := range scriptList {
		aims[tokens(s.aim)[0]] = i
	}
	for _, document := range first(w.Documents(1), 10_000) {
		for _, sentence := range sentences(document) {
			if pair := find(sentence, things); len(pair) == 2 && w.weights.held[pair[0]*len(things)+pair[1]] {
				t.Fatalf("%v are on the scales", sentence)
			}
			if pair := find(sentence, aims); len(pair) == 2 && w.scripts.held[pair[0]*len(aims)+pair[1]] {
				t.Fatalf("%v share a story", sentence)
			}
			for d := range deeds {
				if pair := find(sentence, names); slices.Contains(sentence, deeds[d].verb) && w.reasons.held[caseOf(d, pair[0], pair[1])] {
					t.Fatalf("%v share a deed", sentence)
				}
			}
		}
	}
}

func TestTheTextHasEveryWordOfTheItems(t *testing.T) {
	eachKind(t, func(t *testing.T, w *World, kind string) {
		seen := map[string]bool{}
		for _, document := range first(w.Documents(8), 3000) {
			for _, token := range tokens(document) {
				seen[token] = true
			}
		}
		for _, item := range someItems(t, w, kind, 2000) {
			for _, c := range item.Choices {
				for _, token := range tokens(c.text()) {
					if !seen[token] {
						t.Fatalf("%q is asked and never written", token)
					}
				}
			}
		}
	})
}

func TestItemsHaveStableNames(t *testing.T) {
	eachKind(t, func(t *testing.T, w *World, kind string) {
		available, err := w.Available(kind)
		if err != nil {
			t.Fatal(err)
		}
		all := someItems(t, w, kind, 2003)
		if want := min(2000, available); len(all) != want {
			t.Errorf("%d items, not %d", len(all), want)
		}
		ids, texts := map[string]bool{}, map[string]bool{}
		for i, item := range all {
			ids[item.ID] = true
			texts[item.Choices[0].text()+item.Choices[1].text()] = true
			if item.Cluster != all[i/clusterSize*clusterSize].Cluster {
				t.Fatalf("%s is in cluster %s", item.ID, item.Cluster)
			}
		}
		if len(ids) != len(all) || len(texts) != len(all) {
			t.Errorf("%d items have %d names and %d texts", len(all), len(ids), len(texts))
		}
		few := someItems(t, w, kind, 43)
		if len(few) != 40 || fmt.Sprint(few) != fmt.Sprint(all[:40]) {
			t.Error("asking for fewer items gives other ones")
		}
	})
}

func TestItemsDoNotDependOnTheMixture(t *testing.T) {
	eachKind(t, func(t *testing.T, w *World, kind string) {
		other := newWorld(t, 3, Options{Mixture: "walks=3 gifts=1"})
		if fmt.Sprint(someItems(t, w, kind, 100)) != fmt.Sprint(someItems(t, other, kind, 100)) {
			t.Error("another mixture gives other items")
		}
	})
}

func TestItemsSayWhatIsWrong(t *testing.T) {
	w := newWorld(t, 3, Options{})
	if _, err := w.Items("walk5", 100); err == nil || !strings.Contains(err.Error(), `no kind of item of the built-in world named "walk5"`) {
		t.Errorf("got %v", err)
	}
	for _, n := range []int{3, 0, -1} {
		if _, err := w.Items("walk2", n); err == nil || !strings.Contains(err.Error(), "clusters of 4") {
			t.Errorf("%d items: got %v", n, err)
		}
	}
	if _, err := w.Available("walk5"); err == nil {
		t.Error("walk5 is available")
	}
}

func TestAvailableItems(t *testing.T) {
	tests := []struct {
		kind    string
		options Options
		want    int
	}{
		{"walk1", Options{}, 64},
		{"walk2", Options{}, 64},
		{"walk3", Options{}, 256},
		{"walk4", Options{}, 1024},
		{"walk4", Options{Rooms: 8}, 512},
		{"weights", Options{}, 512},
		{"recall", Options{}, 96},
		{"recall", Options{People: 512}, 2016},
		{"scripts", Options{}, 883_200},
		{"reasons", Options{}, 2304},
	}
	for _, test := range tests {
		w := newWorld(t, 1, test.options)
		if got, err := w.Available(test.kind); err != nil || got != test.want {
			t.Errorf("%s of %+v: %d items, %v, not %d", test.kind, test.options, got, err, test.want)
		}
	}
}

func TestItemsAsTheyRead(t *testing.T) {
	w := newWorld(t, 1, Options{})
	var report bytes.Buffer
	for _, kind := range slices.Concat(Kinds(), HardKinds()) {
		k, err := Describe(kind)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&report, "%s: %s\nneeds %s\nchance %g\n\n", kind, k.About, k.Needs, k.Chance)
		for _, item := range someItems(t, w, kind, 4) {
			writeItem(&report, item)
		}
	}
	golden.Check(t, "testdata/items.golden", report.Bytes())
}

// writeItem marks what is scored with a bar, and the right choice with a star.
func writeItem(report *bytes.Buffer, item Item) {
	fmt.Fprintf(report, "  %s of %s\n", item.ID, item.Cluster)
	for i, c := range item.Choices {
		mark := " "
		if i == item.Gold {
			mark = "*"
		}
		fmt.Fprintf(report, "  %s %s|%s\n", mark, c.Context, c.Continuation)
	}
	report.WriteByte('\n')
}
