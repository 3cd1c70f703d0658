package corpus

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"plumb/internal/atomicfile"
	"plumb/internal/tokenizer"
)

var shortTexts = []string{"one", "", "two words", strings.Repeat("long ", 50), "é"}

func TestBuildAndOpen(t *testing.T) {
	for _, perShard := range []int{1, 7, 1000} {
		t.Run(fmt.Sprint(perShard, " tokens a shard"), func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "new", "folder")
			built, err := build(given(shortTexts...), tokenizer.Bytes(), dir, perShard)
			if err != nil {
				t.Fatal(err)
			}
			opened, err := Open(dir)
			if err != nil {
				t.Fatal(err)
			}
			for _, s := range []*Stream{built, opened} {
				checkStream(t, s)
			}
		})
	}
}

func checkStream(t *testing.T, s *Stream) {
	t.Helper()
	tok := tokenizer.Bytes()
	if len(s.Starts) != len(shortTexts) || len(s.Bytes) != len(shortTexts) {
		t.Fatalf("%d documents, want %d", len(s.Starts), len(shortTexts))
	}
	for i, text := range shortTexts {
		ids := s.Document(i)
		if ids[0] != tok.EndOfText() || tok.Decode(ids[1:]) != text || s.Bytes[i] != len(text) {
			t.Errorf("document %d is %q of %d bytes, want %q", i, tok.Decode(ids), s.Bytes[i], text)
		}
	}
	if s.Tokenizer != tok.Hash() || s.Rebuilt != "" {
		t.Errorf("tokenizer %s, rebuilt %q", s.Tokenizer, s.Rebuilt)
	}
	packed, err := binary.Append(nil, binary.LittleEndian, s.Tokens)
	if err != nil {
		t.Fatal(err)
	}
	if want := fmt.Sprintf("%x", sha256.Sum256(packed)); s.Hash != want {
		t.Errorf("hash %s, want %s", s.Hash, want)
	}
}

// contents reads a folder, with a time for each file that a new writing changes.
func contents(t *testing.T, dir string) (files map[string]string, written map[string]int64) {
	t.Helper()
	files, written = map[string]string{}, map[string]int64{}
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		data, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			t.Fatal(err)
		}
		info, err := e.Info()
		if err != nil {
			t.Fatal(err)
		}
		files[e.Name()], written[e.Name()] = string(data), info.ModTime().UnixNano()
	}
	return files, written
}

func TestReuse(t *testing.T) {
	dir := t.TempDir()
	tok := tokenizer.Bytes()
	first, err := build(given(shortTexts...), tok, dir, 100)
	if err != nil {
		t.Fatal(err)
	}
	_, before := contents(t, dir)
	if _, err := build(given(shortTexts...), tok, dir, 100); err != nil {
		t.Fatal(err)
	}
	if _, after := contents(t, dir); fmt.Sprint(before) != fmt.Sprint(after) {
		t.Error("the same texts were written anew")
	}
	other, err := build(given("other"), tok, dir, 100)
	if err != nil {
		t.Fatal(err)
	}
	if other.Hash == first.Hash || len(other.Starts) != 1 {
		t.Error("other texts gave the old stream")
	}
	if files, _ := contents(t, dir); len(files) != 3 {
		t.Errorf("%d files are left, want the manifest, one shard and the list of documents", len(files))
	}
	trained, err := tokenizer.Train(slices.Values([]string{"other others another"}), 260)
	if err != nil {
		t.Fatal(err)
	}
	retokenised, err := build(given("other"), trained, dir, 100)
	if err != nil || retokenised.Tokenizer != trained.Hash() || retokenised.Hash == other.Hash {
		t.Errorf("another tokenizer gave the old stream (%v)", err)
	}
}

// Every file, flipped, cut, lengthened or gone, is named, and Build restores its bytes.
func TestDamage(t *testing.T) {
	damages := map[string]func(string) (string, bool){
		"flipped":    func(s string) (string, bool) { return s[:len(s)/2] + string(s[len(s)/2]^1) + s[len(s)/2+1:], true },
		"cut":        func(s string) (string, bool) { return s[:len(s)-1], true },
		"lengthened": func(s string) (string, bool) { return s + "x", true },
		"gone":       func(string) (string, bool) { return "", false },
	}
	dir := t.TempDir()
	tok := tokenizer.Bytes()
	if _, err := build(given(shortTexts...), tok, dir, 100); err != nil {
		t.Fatal(err)
	}
	good, _ := contents(t, dir)
	if len(good) != 5 {
		t.Fatalf("%d files, want 5", len(good))
	}
	for name := range good {
		for kind, damage := range damages {
			t.Run(name+" "+kind, func(t *testing.T) {
				path := filepath.Join(dir, name)
				if bad, there := damage(good[name]); there {
					write(t, dir, name, bad)
				} else if err := os.Remove(path); err != nil {
					t.Fatal(err)
				}
				missing := name == manifestName && kind == "gone"
				var damaged *atomicfile.DamagedError
				if _, err := Open(dir); !missing && (!errors.As(err, &damaged) || damaged.File != path) {
					t.Errorf("Open: %v, want %s named", err, path)
				}
				s, err := build(given(shortTexts...), tok, dir, 100)
				if err != nil {
					t.Fatal(err)
				}
				if !missing && s.Rebuilt != path {
					t.Errorf("rebuilt for %q, want %q", s.Rebuilt, path)
				}
				if after, _ := contents(t, dir); fmt.Sprint(after) != fmt.Sprint(good) {
					t.Error("the files are not as they were")
				}
			})
		}
	}
}

func TestBuildRefuses(t *testing.T) {
	file := write(t, t.TempDir(), "file", "")
	tests := []struct {
		name, folder string
		texts        []string
		want         string
	}{
		{"no text", t.TempDir(), nil, "there is no text"},
		{"end of text inside", t.TempDir(), []string{"fine", "a\x00b"}, `given:1: the text has "\x00"`},
		{"folder that is a file", file, []string{"x"}, file},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			_, err := Build(given(test.texts...), tokenizer.Bytes(), test.folder)
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want %q", err, test.want)
			}
			if entries, _ := os.ReadDir(test.folder); len(entries) > 0 {
				t.Errorf("left %v behind", entries)
			}
		})
	}
	if _, err := Build(Documents("absent", "file"), tokenizer.Bytes(), t.TempDir()); err == nil {
		t.Error("texts that cannot be read gave a stream")
	}
}
