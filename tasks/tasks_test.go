package tasks

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
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
		files[name] = testFile(t, name)
	}
	return Source{Files: files, World: w, Items: 40}
}

// testFile is the file of testdata in the first format that a task reads.
func testFile(t testing.TB, name string) string {
	t.Helper()
	task, err := All.Get(name)
	if err != nil {
		t.Fatal(err)
	}
	return testFileLike(name, task.Files[0])
}

// testFileLike is the file of testdata for a task in the format of file. All
// protocols of a benchmark read the same one.
func testFileLike(name, file string) string {
	base, _, _ := strings.Cut(name, "@")
	return "testdata/" + base + filepath.Ext(file)
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
			golden.Check(t, "testdata/"+name+".golden", show(items))
		})
	}
}

// show writes items so that every space can be seen.
func show(items []Item) []byte {
	var b bytes.Buffer
	for _, item := range items {
		fmt.Fprintf(&b, "item %s, right is choice %d\n", item.ID, item.Gold)
		if item.Bytes > 0 {
			fmt.Fprintf(&b, "  %d words, %d bytes\n", item.Words, item.Bytes)
		}
		for i, c := range item.Choices {
			if len(item.Answers) > 0 {
				fmt.Fprintf(&b, "    seen   |%s|\n    right  %q\n", visible(item.Before+c.Context), item.Answers)
				continue
			}
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
			checkItems(t, task, items)
			if again, _, _ := Load(name, testSource(t)); !slices.EqualFunc(items, again, sameItem) {
				t.Error("a second load gives other items")
			}
		})
	}
}

func sameItem(a, b Item) bool {
	return a.ID == b.ID && a.Gold == b.Gold && a.Cluster == b.Cluster && slices.Equal(a.Choices, b.Choices)
}

func checkItems(t *testing.T, task Task, items []Item) {
	t.Helper()
	seen := map[string]bool{}
	for _, item := range items {
		if item.ID == "" || seen[item.ID] {
			t.Errorf("identity %q is empty or not unique", item.ID)
		}
		seen[item.ID] = true
		if err := checkItem(task, item); err != nil {
			t.Errorf("item %s: %v", item.ID, err)
		}
	}
}

// checkItem says which promise of its task an item breaks.
func checkItem(task Task, item Item) error {
	many := task.Kind == Choosing
	if many != (len(item.Choices) > 1) || item.Gold < 0 || item.Gold >= len(item.Choices) {
		return fmt.Errorf("gold %d of %d choices", item.Gold, len(item.Choices))
	}
	if (task.Kind == Generated) != (len(item.Answers) > 0) || (task.Kind == Text) != (item.Bytes > 0 && item.Words > 0) {
		return fmt.Errorf("answers, words or bytes do not fit the kind of task: %+v", item)
	}
	for i, c := range item.Choices {
		if !utf8.ValidString(c.Context + c.Continuation) {
			return fmt.Errorf("choice %d is not UTF-8", i)
		}
		if task.Kind == Generated || task.Kind == Text {
			continue
		}
		text, ok := strings.CutPrefix(c.Continuation, " ")
		ok = ok || task.Rule == AfterBlank // its continuation is all that follows, a comma too
		if !ok || text == "" || c.Length != utf8.RuneCountInString(text) {
			return fmt.Errorf("choice %d: continuation %q, length %d", i, c.Continuation, c.Length)
		}
	}
	return nil
}

// reference is what the reference has of a task.
type reference struct {
	Requests   int    `json:"requests"`
	N          int    `json:"n"`
	Digest     string `json:"digest"`
	Docs       int    `json:"docs"`
	Words      int    `json:"words_total"`
	Bytes      int    `json:"bytes_total"`
	WordsFirst []int  `json:"words_first5"`
	BytesFirst []int  `json:"bytes_first5"`
	Plain      string `json:"detok_digest"`
	PlainBytes int    `json:"detok_bytes_total"`
}

// referenceNames are the tasks whose requests the reference has under another
// name.
var referenceNames = map[string]string{"social_iqa": "siqa"}

func references(t *testing.T) map[string]reference {
	t.Helper()
	raw, err := os.ReadFile(golden.Shared(t, "reference", "request-digests.json"))
	if err != nil {
		t.Fatal(err)
	}
	var digests map[string]reference
	if err := json.Unmarshal(raw, &digests); err != nil {
		t.Fatal(err)
	}
	return digests
}

// TestRequestDigests compares every request built from the shared data with
// the digests of the reference, all of which have their task.
func TestRequestDigests(t *testing.T) {
	digests := references(t)
	compared := 0
	for _, name := range fileTasks() {
		want, ok := digests[cmp.Or(referenceNames[name], name)]
		if !ok {
			continue
		}
		compared++
		t.Run(name, func(t *testing.T) {
			task, _ := All.Get(name)
			items, from, err := Load(name, Source{Dir: golden.Shared(t, "data")})
			if err != nil {
				t.Fatal(err)
			}
			if got := len(Requests(items)); got != cmp.Or(want.Requests, want.N, want.Docs) {
				t.Errorf("%d requests, want %+v", got, want)
			}
			if from.Digest != cmp.Or(want.Digest, want.Plain) {
				t.Errorf("digest %s, want %+v", from.Digest, want)
			}
			checkItems(t, task, items)
			if task.Kind == Text {
				checkCounts(t, items, want)
			}
		})
	}
	if compared != len(digests) {
		t.Errorf("the reference has %d tasks, %d of which are here", len(digests), compared)
	}
}

// checkCounts compares what the perplexities of texts are divided by.
func checkCounts(t *testing.T, items []Item, want reference) {
	t.Helper()
	words, bytes, plain := 0, 0, 0
	for i, item := range items {
		if i < len(want.WordsFirst) && (item.Words != want.WordsFirst[i] || item.Bytes != want.BytesFirst[i]) {
			t.Errorf("article %d has %d words and %d bytes, want %d and %d", i, item.Words, item.Bytes, want.WordsFirst[i], want.BytesFirst[i])
		}
		words, bytes, plain = words+item.Words, bytes+item.Bytes, plain+len(item.Choices[0].Continuation)
	}
	if words != want.Words || bytes != want.Bytes || plain != want.PlainBytes {
		t.Errorf("%d words, %d bytes, %d of them as plain text; want %d, %d, %d", words, bytes, plain, want.Words, want.Bytes, want.PlainBytes)
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
