package tokenizer

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"

	"plumb/internal/golden"
)

// vectorFolders are those of ../shared/tokenizers that hold ids of independent
// implementations, with every form of their vocabulary.
var vectorFolders = map[string][]string{
	"gpt2":      {"vocab.json", "ggml-vocab-gpt-2.gguf"},
	"llama-spm": {"tokenizer.model", "ggml-vocab-llama-spm.gguf"},
}

// Ids of independent implementations, by folder, form and file.
func TestTokenizerVectors(t *testing.T) {
	for folder, forms := range vectorFolders {
		for _, form := range forms {
			tok := load(t, golden.Shared(t, "tokenizers", folder, form))
			for _, file := range []string{"vectors.json", "fuzz.json"} {
				t.Run(folder+"/"+form+"/"+file, func(t *testing.T) {
					checkVectors(t, tok, golden.Shared(t, "tokenizers", folder, file))
				})
			}
			t.Run(folder+"/"+form+"/json", func(t *testing.T) {
				checkVectors(t, reload(t, tok), golden.Shared(t, "tokenizers", folder, "fuzz.json"))
			})
		}
	}
}

// loaded are tokenizers by path, each read once.
var loaded sync.Map

func load(t testing.TB, path string) *Tokenizer {
	t.Helper()
	if tok, ok := loaded.Load(path); ok {
		return tok.(*Tokenizer)
	}
	tok, err := Load(path)
	if err != nil {
		t.Fatal(err)
	}
	loaded.Store(path, tok)
	return tok
}

// reload returns tok after a detour through the tokenizer.json that it writes.
func reload(t testing.TB, tok *Tokenizer) *Tokenizer {
	t.Helper()
	path := filepath.Join(t.TempDir(), "tokenizer.json")
	if err := tok.Save(path); err != nil {
		t.Fatal(err)
	}
	again := load(t, path)
	if again.Hash() != tok.Hash() {
		t.Error("saved and loaded, the hash differs")
	}
	return again
}

func checkVectors(t *testing.T, tok *Tokenizer, file string) {
	var vectors struct {
		Cases []struct {
			Text    string
			IDs     []int32
			Decoded *string
		}
	}
	readJSON(t, file, &vectors)
	if len(vectors.Cases) == 0 {
		t.Error("no cases")
	}
	for i, c := range vectors.Cases {
		got := tok.Encode(c.Text)
		if !slices.Equal(got, c.IDs) {
			t.Errorf("case %d: %q\n got %v\nwant %v", i, c.Text, got, c.IDs)
		}
		want := c.Text
		if c.Decoded != nil {
			want = *c.Decoded
		}
		if back := tok.Decode(c.IDs); back != want {
			t.Errorf("case %d: decoded %q, want %q", i, back, want)
		}
	}
	t.Logf("%d cases", len(vectors.Cases))
}

// Half of a novel, in one call.
func TestCorpusVectors(t *testing.T) {
	type half struct {
		Count   int
		SHA256  string `json:"u32le_sha256"`
		First32 []int32
		Last32  []int32
	}
	var corpus struct {
		File       string
		SplitBytes int  `json:"split_bytes"`
		GPT2       half `json:"gpt2_A"`
		Llama      half `json:"llama_spm_A"`
	}
	readJSON(t, golden.Shared(t, "tokenizers", "corpus.json"), &corpus)
	text, err := os.ReadFile(golden.Shared(t, "tokenizers", corpus.File))
	if err != nil {
		t.Fatal(err)
	}
	for folder, want := range map[string]half{"gpt2": corpus.GPT2, "llama-spm": corpus.Llama} {
		t.Run(folder, func(t *testing.T) {
			tok := load(t, golden.Shared(t, "tokenizers", folder))
			ids := tok.Encode(string(text[:corpus.SplitBytes]))
			packed, err := binary.Append(nil, binary.LittleEndian, ids)
			if err != nil {
				t.Fatal(err)
			}
			if len(ids) != want.Count || fmt.Sprintf("%x", sha256.Sum256(packed)) != want.SHA256 {
				t.Errorf("%d ids from %v to %v\nwant %d ids from %v to %v", len(ids), ids[:32], ids[len(ids)-32:], want.Count, want.First32, want.Last32)
			}
			if tok.Decode(ids) != string(text[:corpus.SplitBytes]) {
				t.Error("the text does not come back")
			}
		})
	}
}

// The SentencePiece model and the llama2.c file of one small model are the same
// tokenizer. The ids are those that its reference implementation was run with.
func TestStories260K(t *testing.T) {
	var want struct {
		BOS       int32 `json:"bos_id"`
		Tokenizer []struct {
			Text string
			IDs  []int32
		}
		Greedy []struct {
			Prompt    string
			PromptIDs []int32 `json:"prompt_ids"`
			IDs       []int32
			Text      string
		}
		Perplexity struct {
			Text string
			IDs  []int32
		}
	}
	readJSON(t, golden.Shared(t, "models", "stories260K", "golden.json"), &want)
	for _, form := range []string{"hf", "hf/tokenizer.model", "tok512.bin", ".", "gguf/stories260K-f32.gguf"} {
		t.Run(form, func(t *testing.T) {
			tok := load(t, golden.Shared(t, "models", "stories260K", form))
			bos, add, ok := tok.BOS()
			eos, addEOS := tok.EOS()
			if bos != want.BOS || !add || !ok || eos != 2 || addEOS || tok.Vocab() != 512 {
				t.Errorf("BOS %d %v %v, EOS %d %v, vocabulary of %d", bos, add, ok, eos, addEOS, tok.Vocab())
			}
			for _, c := range want.Tokenizer {
				if got := append([]int32{bos}, tok.Encode(c.Text)...); !slices.Equal(got, c.IDs) {
					t.Errorf("%q\n got %v\nwant %v", c.Text, got, c.IDs)
				}
			}
			if got := append([]int32{bos}, tok.Encode(want.Perplexity.Text)...); !slices.Equal(got, want.Perplexity.IDs) {
				t.Errorf("%q\n got %v\nwant %v", want.Perplexity.Text, got, want.Perplexity.IDs)
			}
			for _, g := range want.Greedy {
				stream := tok.Stream(g.PromptIDs)
				text := g.Prompt
				for _, id := range g.IDs {
					text += stream.Add(id)
				}
				if text += stream.Rest(); text != g.Text && text != g.Prompt+g.Text {
					t.Errorf("%q became %q, want %q", g.Prompt, text, g.Text)
				}
			}
		})
	}
}

// A file cut from Llama 3: its pattern, words taken whole, ids with gaps.
func TestMiniLlama3(t *testing.T) {
	tok := load(t, golden.Shared(t, "tokenizers", "mini-llama3-json"))
	bos, add, ok := tok.BOS()
	if bos != 128000 || add || !ok || tok.EndOfText() != 128001 || tok.Vocab() != 128002 {
		t.Errorf("BOS %d %v %v, end of text %d, vocabulary of %d", bos, add, ok, tok.EndOfText(), tok.Vocab())
	}
	tests := []struct {
		text string
		ids  []int32
	}{
		{"Hello world", []int32{9906, 1917}},
		{"hello fé!", []int32{15339, 220, 59958, 0}},
		{"12345", []int32{4513, 19, 20}},
		{"I'm can't", []int32{40, 2846, 220, 4919, 956}},
		{"main()\n\nfunc", []int32{3902, 368, 198, 198, 2900}},
		{"<|begin_of_text|>", nil},
	}
	for _, test := range tests {
		got := tok.Encode(test.text)
		if test.ids != nil && !slices.Equal(got, test.ids) {
			t.Errorf("%q became %v, want %v", test.text, got, test.ids)
		}
		if back := tok.Decode(got); back != test.text {
			t.Errorf("%q came back as %q", test.text, back)
		}
	}
	if got := tok.EncodeSpecial("<|begin_of_text|>hello<|end_of_text|>"); !slices.Equal(got, []int32{128000, 15339, 128001}) {
		t.Errorf("with special tokens: %v", got)
	}
}

// What is written to a GGUF file is the tokenizer.
func TestGGUFParts(t *testing.T) {
	for _, path := range [][]string{
		{"tokenizers", "gpt2"}, {"tokenizers", "llama-spm"}, {"tokenizers", "mini-llama3-json"},
		{"models", "tiny-random-gpt2"}, {"models", "stories260K", "tok512.bin"},
	} {
		t.Run(filepath.Join(path...), func(t *testing.T) {
			tok := load(t, golden.Shared(t, path...))
			parts, err := tok.Parts()
			if err != nil {
				t.Fatal(err)
			}
			again, err := New(parts)
			if err != nil {
				t.Fatal(err)
			}
			text := sample + " <|endoftext|></s> Größe 中文 12345 ½\n\n  \t x"
			if !slices.Equal(tok.Encode(text), again.Encode(text)) || tok.ends != again.ends || tok.Vocab() != again.Vocab() {
				t.Errorf("ends %+v became %+v, ids %v became %v", tok.ends, again.ends, tok.Encode(text), again.Encode(text))
			}
			if _, err := Parse(again.JSON()); err != nil {
				t.Error(err)
			}
		})
	}
}
