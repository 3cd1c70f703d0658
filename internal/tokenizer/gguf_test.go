package tokenizer

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"plumb/internal/gguf"
	"plumb/internal/golden"
)

// writeParts writes a file with nothing but metadata and returns its path.
func writeParts(t *testing.T, pairs []gguf.Pair) string {
	t.Helper()
	f, err := os.Create(filepath.Join(t.TempDir(), "vocab.gguf"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := gguf.Write(f, pairs, nil); err != nil {
		t.Fatal(err)
	}
	return f.Name()
}

// What a tokenizer is written as is read as the same tokenizer.
func TestGGUFRoundTrip(t *testing.T) {
	trained, err := Train(slices.Values([]string{strings.Repeat("the cat sat on the mat. the dog sat on the log. ", 20)}), 270)
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]*Tokenizer{"bytes": Bytes(), "trained": trained} {
		t.Run(name, func(t *testing.T) {
			p, err := want.Parts()
			if err != nil {
				t.Fatal(err)
			}
			got, err := Load(writeParts(t, p.GGUF()))
			if err != nil {
				t.Fatal(err)
			}
			const text = "the cat sat,  on 12 logs\n\tna\u00efve \U0001f600"
			if a, b := got.Encode(text), want.Encode(text); !slices.Equal(a, b) || got.Decode(a) != text {
				t.Errorf("%v, want %v", a, b)
			}
			if got.EndOfText() != want.EndOfText() || got.Vocab() != want.Vocab() {
				t.Errorf("texts end with %d of %d, want %d of %d", got.EndOfText(), got.Vocab(), want.EndOfText(), want.Vocab())
			}
		})
	}
}

// The vocabularies that llama.cpp ships encode as the files they were made from.
func TestGGUFVocabularies(t *testing.T) {
	for _, test := range []struct{ file, original string }{
		{"gpt2/ggml-vocab-gpt-2.gguf", "gpt2"},
		{"llama-spm/ggml-vocab-llama-spm.gguf", "llama-spm/tokenizer.model"},
	} {
		t.Run(test.file, func(t *testing.T) {
			got, err := Load(golden.Shared(t, "tokenizers", test.file))
			if err != nil {
				t.Fatal(err)
			}
			want, err := Load(golden.Shared(t, "tokenizers", test.original))
			if err != nil {
				t.Fatal(err)
			}
			for _, text := range []string{"Hello, world!", "  two  spaces\n\n", "it's 1234 o'clock", "\u4f60\u597d \U0001f600"} {
				if a, b := got.Encode(text), want.Encode(text); !slices.Equal(a, b) {
					t.Errorf("%q: %v, want %v", text, a, b)
				}
			}
		})
	}
}

func TestGGUFPadding(t *testing.T) {
	p, err := Bytes().Parts()
	if err != nil {
		t.Fatal(err)
	}
	p = p.Padded(258)
	if len(p.Tokens) != 258 || len(p.Types) != 258 || p.Tokens[257] != "[PAD257]" {
		t.Fatalf("%d tokens, %d types", len(p.Tokens), len(p.Types))
	}
	got, err := Load(writeParts(t, p.GGUF()))
	if err != nil || got.Vocab() != 258 {
		t.Errorf("%v", err)
	}
}

func TestGGUFRefusals(t *testing.T) {
	p, err := Bytes().Parts()
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name, key string
		value     any
		want      string
	}{
		{"model", ggufModel, "rwkv", "rwkv"},
		{"words", ggufPre, "novel", "novel"},
		{"tokens", ggufTokens, "one", "want a []string"},
		{"id", ggufBOS, uint32(1 << 30), ggufBOS},
		{"id of another kind", ggufEOS, "one", ggufEOS},
		{"negative id", ggufEOS, int32(-4), ggufEOS},
		{"id beyond", ggufEOS, uint32(256), "256"},
		{"flag", ggufAddBOS, "yes", "want a bool"},
		{"types", ggufTypes, []int32{1}, "types"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			pairs := slices.DeleteFunc(p.GGUF(), func(pair gguf.Pair) bool { return pair.Key == test.key })
			_, err := Load(writeParts(t, append(pairs, gguf.Pair{Key: test.key, Value: test.value})))
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want something about %q", err, test.want)
			}
		})
	}
	if _, err := Load(writeParts(t, nil)); err == nil || !strings.Contains(err.Error(), "no tokenizer") {
		t.Errorf("a file without one: %v", err)
	}
}
