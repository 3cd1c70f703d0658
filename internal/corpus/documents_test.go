package corpus

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"iter"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"
)

// write puts content in a file below dir and returns its path.
func write(t testing.TB, dir, name, content string) string {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

func collect(docs iter.Seq2[Document, error]) (list []Document, err error) {
	for d, err := range docs {
		if err != nil {
			return list, err
		}
		list = append(list, d)
	}
	return list, nil
}

func texts(t testing.TB, docs iter.Seq2[Document, error]) []string {
	t.Helper()
	list, err := collect(docs)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, d := range list {
		out = append(out, d.Text)
	}
	return out
}

// given returns documents made of texts.
func given(texts ...string) iter.Seq2[Document, error] {
	return func(yield func(Document, error) bool) {
		for i, text := range texts {
			if !yield(Document{fmt.Sprintf("given:%d", i), text}, nil) {
				return
			}
		}
	}
}

func TestSplits(t *testing.T) {
	prose := "CHAPTER I\n\nOne. Two,\nthree.\n \nFour.\n\n\nFive"
	wide := strings.Repeat("x", wrapWidth) + ".\n"
	wrapped := strings.Repeat("no full stop\n", 9)
	tests := []struct {
		name, split, text string
		want              []string
	}{
		{"file", "file", prose, []string{prose}},
		{"file keeps its line ends", "file", "\n\na\r\n\n", []string{"\n\na\r\n\n"}},
		{"empty file", "file", "", nil},
		{"blank file", "file", " \n\n", nil},
		{"blank lines", "blank_lines", prose, []string{"CHAPTER I", "One. Two,\nthree.", "Four.", "Five"}},
		{"blank lines with returns", "blank_lines", "a\r\n\r\nb\r\n", []string{"a", "b"}},
		{"short paragraphs are gathered", "passages=12", prose, []string{"CHAPTER I\n\nOne. Two,\nthree.", "Four.\n\n\nFive"}},
		{"all in one", "passages=1000", "\n" + prose + "\n", []string{prose}},
		{"indented lines", "passages=5", "  aaa\nbbb\n  ccc\nddd\n  e", []string{"  aaa\nbbb", "  ccc\nddd", "  e"}},
		{"long lines are paragraphs", "passages=5", wide + wide + "end", []string{strings.TrimSpace(wide), strings.TrimSpace(wide), "end"}},
		{"sentences in default of paragraphs", "passages=10", "aaaaaa bb\nccc dd ee.\nffffff gg.\nhhhhhh jjj kk?'\nl", []string{"aaaaaa bb\nccc dd ee.", "ffffff gg.\nhhhhhh jjj kk?'", "l"}},
		{"any line in default of sentences", "passages=13", wrapped, []string{strings.TrimSpace(wrapped[:13*4]), strings.TrimSpace(wrapped[13*4 : 13*8]), "no full stop"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			path := write(t, t.TempDir(), "a.txt", test.text)
			if got := texts(t, Documents(path, test.split)); !slices.Equal(got, test.want) {
				t.Errorf("got  %q\nwant %q", got, test.want)
			}
		})
	}
}

func TestSplitNames(t *testing.T) {
	for _, split := range []string{"", "lines", "passages", "passages=0", "passages=x", "passages=-1", "file=3"} {
		path := write(t, t.TempDir(), "a.txt", "text")
		if _, err := collect(Documents(path, split)); err == nil || !strings.Contains(err.Error(), fmt.Sprintf("%q", split)) {
			t.Errorf("%q: %v", split, err)
		}
	}
}

func pack(t testing.TB, kind, content string) string {
	t.Helper()
	var packed bytes.Buffer
	switch kind {
	case "gz":
		w := gzip.NewWriter(&packed)
		w.Write([]byte(content))
		w.Close()
	case "zst":
		w, err := zstd.NewWriter(&packed)
		if err != nil {
			t.Fatal(err)
		}
		w.Write([]byte(content))
		w.Close()
	}
	return packed.String()
}

func TestFolder(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "b.txt", "\ufeffsecond")
	write(t, dir, "a/2.jsonl", "{\"text\": \"row\\none\", \"id\": 3}\n\n{\"text\": \"row two\"}")
	write(t, dir, "a/1.txt.gz", pack(t, "gz", "first"))
	write(t, dir, "c.jsonl.zst", pack(t, "zst", `{"text":"third"}`+"\n"))
	write(t, dir, "notes.md", "not text")
	write(t, dir, ".hidden.txt", "hidden")
	write(t, dir, ".git/x.txt", "hidden")
	got, err := collect(Documents(dir, "file"))
	if err != nil {
		t.Fatal(err)
	}
	want := []Document{
		{filepath.Join(dir, "a/1.txt.gz"), "first"},
		{filepath.Join(dir, "a/2.jsonl") + ":1", "row\none"},
		{filepath.Join(dir, "a/2.jsonl") + ":3", "row two"},
		{filepath.Join(dir, "b.txt"), "second"},
		{filepath.Join(dir, "c.jsonl.zst") + ":1", "third"},
	}
	if !slices.Equal(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
	for range Documents(dir, "file") {
		break // a reader may stop early
	}
}

func TestSize(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "a/1.txt", "first")
	write(t, dir, "b.jsonl.gz", "1234567890") // never unpacked
	write(t, dir, "readme.md", "no text to read")
	write(t, dir, ".hidden.txt", "neither")
	if got, err := Size(dir); err != nil || got != 5+3*10 {
		t.Errorf("%d bytes, %v", got, err)
	}
	if _, err := Size(filepath.Join(dir, "absent")); err == nil {
		t.Error("no error for a folder that is not there")
	}
}

func TestNamesOfPassages(t *testing.T) {
	path := write(t, t.TempDir(), "a.txt", "\none\n\n\ntwo\nlines\n\nthree\n")
	got, err := collect(Documents(path, "blank_lines"))
	if err != nil {
		t.Fatal(err)
	}
	want := []Document{{path + ":2", "one"}, {path + ":5", "two\nlines"}, {path + ":8", "three"}}
	if !slices.Equal(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}

func TestBadTexts(t *testing.T) {
	big := pack(t, "gz", strings.Repeat("\n", freeSize+(1<<20)+maxRatio*(1<<17)))
	tests := []struct{ name, file, content, want string }{
		{"row that is no JSON", "a.jsonl", "{\"text\":\"x\"}\n{\"text\":\n", "a.jsonl:2: "},
		{"row without text", "a.jsonl", "{\"text\":\"x\"}\n{\"body\":\"y\"}\n", `a.jsonl:2: no field "text"`},
		{"row whose text is a number", "a.jsonl", `{"text":1}`, "a.jsonl:1: "},
		{"row that is no UTF-8", "a.jsonl", "{\"text\":\"\xff\"}", "a.jsonl:1: the row is not UTF-8"},
		{"Latin-1", "a.txt", "caf\xe9", "a.txt: the text is not UTF-8"},
		{"no gzip", "a.txt.gz", "text that nobody packed", "a.txt.gz: gzip"},
		{"cut gzip", "a.txt.gz", pack(t, "gz", strings.Repeat("some text ", 99))[:30], "a.txt.gz: line 1: unexpected EOF"},
		{"no zstd", "a.txt.zst", "text", "a.txt.zst: line 1: "},
		{"gzip bomb", "a.txt.gz", big, "which no text of its size does"},
		{"other file", "a.pdf", "text", "a.pdf: not a text"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			path := write(t, t.TempDir(), test.file, test.content)
			_, err := collect(Documents(path, "file"))
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want %q", err, test.want)
			}
		})
	}
	if _, err := collect(Documents(t.TempDir(), "file")); err == nil || !strings.Contains(err.Error(), "looked for .txt, .jsonl") {
		t.Errorf("empty folder: %v", err)
	}
	if _, err := collect(Documents("absent", "file")); err == nil {
		t.Error("an absent folder has documents")
	}
}

func TestParts(t *testing.T) {
	var all []string
	for i := range 4000 {
		all = append(all, fmt.Sprint("document ", i))
	}
	train, valid := texts(t, TrainPart(given(all...), 0.1)), texts(t, ValidPart(given(all...), 0.1))
	if len(train)+len(valid) != len(all) {
		t.Errorf("%d and %d documents of %d", len(train), len(valid), len(all))
	}
	if share := float64(len(valid)) / float64(len(all)); math.Abs(share-0.1) > 0.02 {
		t.Errorf("share %v, want about 0.1", share)
	}
	slices.Reverse(all)
	again := texts(t, ValidPart(given(all...), 0.1))
	slices.Reverse(again)
	if !slices.Equal(valid, again) {
		t.Error("the part depends on the order")
	}
	if n := len(texts(t, ValidPart(given(all...), 0))); n != 0 {
		t.Errorf("share 0 keeps %d", n)
	}
	if n := len(texts(t, ValidPart(given(all...), 1))); n != len(all) {
		t.Errorf("share 1 keeps %d", n)
	}
}

func TestWorldDocuments(t *testing.T) {
	forever := func(yield func(string) bool) {
		for yield("ten bytes.") {
		}
	}
	for size, want := range map[int]int{0: 0, 1: 1, 10: 1, 11: 2, 100: 10} {
		docs := WorldDocuments(forever, size)
		for _, time := range []string{"first", "second"} {
			if got := len(texts(t, docs)); got != want {
				t.Errorf("%d bytes: %d documents the %s time, want %d", size, got, time, want)
			}
		}
	}
}

func TestTexts(t *testing.T) {
	var failure error
	got := slices.Collect(Texts(given("a", "b"), &failure))
	if !slices.Equal(got, []string{"a", "b"}) || failure != nil {
		t.Errorf("%q, %v", got, failure)
	}
	_ = slices.Collect(Texts(Documents("absent", "file"), &failure))
	if failure == nil {
		t.Error("the failure is lost")
	}
}

func FuzzSplits(f *testing.F) {
	f.Add("a\n\nb. c\n  d\r\n\r\n", 3)
	f.Fuzz(func(t *testing.T, text string, n int) {
		squeeze := func(s string) string { return strings.Join(strings.Fields(s), " ") }
		for _, split := range []string{"file", "blank_lines", fmt.Sprintf("passages=%d", 1+uint(n)%100)} {
			cut, err := parseSplit(split)
			if err != nil {
				t.Fatal(err)
			}
			var parts []string
			c := newCutter(cut, func(_ int, text string) error {
				parts = append(parts, text)
				return nil
			})
			for line := range strings.SplitAfterSeq(text, "\n") {
				c.add([]byte(line))
			}
			c.end()
			if got := squeeze(strings.Join(parts, "\n")); got != squeeze(text) {
				t.Errorf("%s: %q became %q", split, text, parts)
			}
		}
	})
}
