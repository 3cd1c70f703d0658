package tasks

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"plumb/internal/golden"
	"plumb/internal/world"
)

// fileTasks are the names of all tasks that are read from files.
func fileTasks() []string {
	return slices.DeleteFunc(All.Names(), func(name string) bool {
		t, _ := All.Get(name)
		return t.Parse == nil
	})
}

func testSource(t *testing.T) Source {
	t.Helper()
	w, err := world.New(1, world.Options{})
	if err != nil {
		t.Fatal(err)
	}
	files := map[string]string{}
	for _, name := range fileTasks() {
		files[name] = "testdata/" + name + ".jsonl"
	}
	return Source{Files: files, World: w, Items: 40}
}

// TestGolden shows what a model sees of each benchmark and what is scored. The
// built-in kinds have theirs in internal/world/testdata.
func TestGolden(t *testing.T) {
	for _, name := range fileTasks() {
		t.Run(name, func(t *testing.T) {
			items, _, err := Load(name, testSource(t))
			if err != nil {
				t.Fatal(err)
			}
			if len(items) != 3 {
				t.Errorf("%d items, want three", len(items))
			}
			golden.Check(t, "testdata/"+name+".golden", show(items))
		})
	}
}

// show writes items so that every space can be seen.
func show(items []Item) []byte {
	var b bytes.Buffer
	for _, item := range items {
		fmt.Fprintf(&b, "item %s, right is choice %d\n", item.ID, item.Gold)
		for i, c := range item.Choices {
			fmt.Fprintf(&b, "  choice %d, length %d\n    seen   |%s|\n    scored |%s|\n", i, c.Length, visible(c.Context), visible(c.Continuation))
		}
	}
	return b.Bytes()
}

func visible(s string) string { return strings.ReplaceAll(s, "\n", "⏎") }

// TestContract puts every task through what eval and the listings rely on.
func TestContract(t *testing.T) {
	for _, name := range All.Names() {
		t.Run(name, func(t *testing.T) {
			task, err := All.Get(name)
			if err != nil {
				t.Fatal(err)
			}
			if task.About == "" || task.Version == "" || task.Split == "" || len(task.Metrics) == 0 {
				t.Errorf("description, version, split or metrics are missing: %+v", task)
			}
			if (task.Parse == nil) == (task.Generate == nil) || (task.Parse == nil) != (len(task.Files) == 0) {
				t.Error("a task is either parsed from files or generated")
			}
			items, from, err := Load(name, testSource(t))
			if err != nil {
				t.Fatal(err)
			}
			if from.File == "" || from.Rows != len(items) || from.Hash == "" || from.Digest != Digest(items) {
				t.Errorf("provenance %+v of %d items", from, len(items))
			}
			checkItems(t, items)
			if again, _, _ := Load(name, testSource(t)); !slices.EqualFunc(items, again, sameItem) {
				t.Error("a second load gives other items")
			}
		})
	}
}

func sameItem(a, b Item) bool {
	return a.ID == b.ID && a.Gold == b.Gold && a.Cluster == b.Cluster && slices.Equal(a.Choices, b.Choices)
}

func checkItems(t *testing.T, items []Item) {
	t.Helper()
	seen := map[string]bool{}
	for _, item := range items {
		if item.ID == "" || seen[item.ID] {
			t.Errorf("identity %q is empty or not unique", item.ID)
		}
		seen[item.ID] = true
		if err := checkItem(item); err != nil {
			t.Errorf("item %s: %v", item.ID, err)
		}
	}
}

func checkItem(item Item) error {
	if len(item.Choices) < 2 || item.Gold < 0 || item.Gold >= len(item.Choices) {
		return fmt.Errorf("gold %d of %d choices", item.Gold, len(item.Choices))
	}
	for i, c := range item.Choices {
		text, ok := strings.CutPrefix(c.Continuation, " ")
		if !ok || text == "" || c.Length != utf8.RuneCountInString(text) {
			return fmt.Errorf("choice %d: continuation %q, length %d", i, c.Continuation, c.Length)
		}
		if !utf8.ValidString(c.Context + c.Continuation) {
			return fmt.Errorf("choice %d is not UTF-8", i)
		}
	}
	return nil
}

// TestRequestDigests compares every request built from the shared data with
// the digests of the reference.
func TestRequestDigests(t *testing.T) {
	raw, err := os.ReadFile(golden.Shared(t, "reference", "request-digests.json"))
	if err != nil {
		t.Fatal(err)
	}
	var digests map[string]struct {
		Requests int    `json:"requests"`
		Digest   string `json:"digest"`
	}
	if err := json.Unmarshal(raw, &digests); err != nil {
		t.Fatal(err)
	}
	compared := 0
	for _, name := range fileTasks() {
		want, ok := digests[name]
		if !ok || want.Requests == 0 {
			continue
		}
		compared++
		t.Run(name, func(t *testing.T) {
			items, from, err := Load(name, Source{Dir: golden.Shared(t, "data")})
			if err != nil {
				t.Fatal(err)
			}
			if got := len(Requests(items)); got != want.Requests {
				t.Errorf("%d requests, want %d", got, want.Requests)
			}
			if from.Digest != want.Digest {
				t.Errorf("digest %s, want %s", from.Digest, want.Digest)
			}
			checkItems(t, items)
		})
	}
	if compared == 0 {
		t.Error("the reference has digests for none of the tasks")
	}
}

// TestLengthsAreCodePoints uses text in which bytes, code points and UTF-16
// units all differ.
func TestLengthsAreCodePoints(t *testing.T) {
	c := newChoice("", "naïve 😀")
	if c.Length != 7 || len(c.Continuation) != 12 || c.Continuation != " naïve 😀" {
		t.Errorf("%+v", c)
	}
}

func TestCapitalize(t *testing.T) {
	tests := []struct{ name, in, want string }{
		{"empty", "", ""},
		{"lower", "he", "He"},
		{"rest goes down", "the Old MAN", "The old man"},
		{"accent", "éCOLE", "École"},
		{"digraph has a title case", "Ǆ X", "ǅ x"},
		{"no letter first", "(A B)", "(a b)"},
		{"broken byte", "\xffAB", "\ufffdab"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if got := capitalize(test.in); got != test.want {
				t.Errorf("%q, want %q", got, test.want)
			}
		})
	}
}

func TestCleanHellaSwag(t *testing.T) {
	tests := []struct{ name, in, want string }{
		{"title keeps the double period", "Boil. [title] Cool.", "Boil.. Cool."},
		{"a leading mark keeps its space", "[step] Go.", " Go."},
		{"pairs of spaces once", "a    b", "a  b"},
		{"three spaces", "a   b", "a  b"},
		{"shortest match", "x [a] y] z", "x y] z"},
		{"brackets over lines stay", "x [a\nb] y", "x [a\nb] y"},
		{"nothing stripped at the end", "Go. [step]", "Go. "},
		{"separators are space to Python", "\x1f x\u00a0", "x"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if got := cleanHellaSwag(test.in); got != test.want {
				t.Errorf("%q, want %q", got, test.want)
			}
		})
	}
}
