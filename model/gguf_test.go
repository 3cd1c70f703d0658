package model

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"plumb/internal/gguf"
	"plumb/internal/golden"
)

// sameModel wants two models of one shape and the same weights.
func sameModel(t *testing.T, got, want *Model) {
	t.Helper()
	a, b := got.Config(), want.Config()
	a.Name, b.Name = "", ""
	if a != b {
		t.Errorf("shape %+v, want %+v", a, b)
	}
	for i, p := range want.Params() {
		if q := got.Params()[i]; q.Name != p.Name || !slices.Equal(q.Data, p.Data) {
			t.Errorf("%s differs", p.Name)
		}
	}
}

// One model in three formats is one model: rotary permutations are undone, a
// copied head is seen to be tied.
func TestFormatsHoldTheSameModel(t *testing.T) {
	tests := []struct{ name, folder, file string }{
		{"llama2.c", "stories260K/hf", "stories260K/stories260K.bin"},
		{"GGUF llama", "stories260K/hf", "stories260K/gguf/stories260K-f32.gguf"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			want, err := Load(golden.Shared(t, "models", test.folder))
			if err != nil {
				t.Fatal(err)
			}
			got, err := Load(golden.Shared(t, "models", test.file))
			if err != nil {
				t.Fatal(err)
			}
			sameModel(t, got, want)
		})
	}
}

func TestTurnBackUndoesTurn(t *testing.T) {
	for _, share := range []float64{1, 0.5} {
		c := tiny()
		c.HeadDim, c.RotaryShare = 8, share
		want := make([]float32, c.Heads*c.HeadDim*3)
		for i := range want {
			want[i] = float32(i)
		}
		got := slices.Clone(want)
		turn(got, c.Heads, c)
		if slices.Equal(got, want) {
			t.Error("turn turns nothing")
		}
		turnBack(got, c.Heads, c)
		if !slices.Equal(got, want) {
			t.Errorf("share %v: %v", share, got)
		}
	}
}

// Single files that are no models say what they are and what to do.
func TestForeignFilesSayWhatToDo(t *testing.T) {
	tests := []struct{ name, file, content, want string }{
		{"zipped pickle", "pytorch_model.bin", "PK\x03\x04more", "save_pretrained"},
		{"bare pickle", "model.pt", "\x80\x02\x8a\x0al", "save_pretrained"},
		{"single safetensors", "model.safetensors", "\x10\x00\x00\x00", "give the folder"},
		{"short bin", "a.bin", "\x40\x00\x00", "no checkpoint"},
		{"llama2.c quantised", "a.bin", "24ka\x02\x00\x00\x00" + strings.Repeat("\x00", 300), "version 2"},
		{"llama2.c of nothing", "a.bin", strings.Repeat("\x00", 300), "describes no model"},
		{"text", "notes.txt", "hello", "is no model"},
		{"GGUF cut short", "a.gguf", "GGUF\x03", "cut short"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), test.file)
			if err := os.WriteFile(path, []byte(test.content), 0o644); err != nil {
				t.Fatal(err)
			}
			_, err := Load(path)
			if err == nil || !strings.Contains(err.Error(), test.want) || !strings.Contains(err.Error(), path) {
				t.Errorf("got %v, want something about %q", err, test.want)
			}
		})
	}
}

// A GGUF file whose metadata ask for what is not there or not understood is
// refused, and the message names it.
func TestGGUFRefusals(t *testing.T) {
	m := mustNew(t, tiny())
	tests := []struct {
		name   string
		change func(metadata []gguf.Pair, tensors []gguf.Source) ([]gguf.Pair, []gguf.Source)
		want   string
	}{
		{"another architecture", set("general.architecture", "mamba"), `"mamba"`},
		{"no architecture", set("general.architecture", uint8(1)), "general.architecture"},
		{"unknown key", set("llama.novelty", true), "llama.novelty"},
		{"experts", set("llama.expert_count", uint32(8)), "expert_count"},
		{"heads by layer", set("llama.attention.head_count", []int32{4, 4}), "head_count"},
		{"many layers", set("llama.block_count", uint32(10000)), "block_count"},
		{"scaling", set("llama.rope.scaling.type", "yarn"), "yarn"},
		{"another vocabulary", set("llama.vocab_size", uint32(3)), "vocab_size"},
		{"epsilon is no number", set("llama.attention.layer_norm_rms_epsilon", "small"), "epsilon"},
		{"another width", set("llama.feed_forward_length", uint32(77)), "the metadata say"},
		{"no width", set("llama.embedding_length", int32(-5)), "embedding_length"},
		{"a tensor too few", func(p []gguf.Pair, s []gguf.Source) ([]gguf.Pair, []gguf.Source) { return p, s[:len(s)-1] }, "no tensor named"},
		{"a tensor too many", func(p []gguf.Pair, s []gguf.Source) ([]gguf.Pair, []gguf.Source) {
			more := s[0]
			more.Name = "blk.0.novelty.weight"
			return p, append(s, more)
		}, "blk.0.novelty.weight"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			file, err := m.GGUF(mustType(t, "F32"))
			if err != nil {
				t.Fatal(err)
			}
			metadata, tensors := test.change(file.Metadata, file.Tensors)
			path := writeGGUF(t, metadata, tensors)
			if _, err := Load(path); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want something about %q", err, test.want)
			}
		})
	}
}

// set gives key a value.
func set(key string, value any) func([]gguf.Pair, []gguf.Source) ([]gguf.Pair, []gguf.Source) {
	return func(pairs []gguf.Pair, tensors []gguf.Source) ([]gguf.Pair, []gguf.Source) {
		pairs = slices.DeleteFunc(slices.Clone(pairs), func(p gguf.Pair) bool { return p.Key == key })
		return append(pairs, gguf.Pair{Key: key, Value: value}), tensors
	}
}

func mustType(t *testing.T, name string) gguf.Type {
	t.Helper()
	typ, err := gguf.TypeNamed(name)
	if err != nil {
		t.Fatal(err)
	}
	return typ
}

// writeGGUF writes a file and returns its path.
func writeGGUF(t *testing.T, metadata []gguf.Pair, tensors []gguf.Source) string {
	t.Helper()
	f, err := os.Create(filepath.Join(t.TempDir(), "model.gguf"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := gguf.Write(f, metadata, tensors); err != nil {
		t.Fatal(err)
	}
	return f.Name()
}

// Whatever a GGUF file says, it is refused or makes a model.
func FuzzGGUFModel(f *testing.F) {
	for _, cfg := range publishedShapes() {
		cfg.Vocab, cfg.Layers, cfg.Hidden = 2, min(cfg.Layers, 2), 2
		f.Add(ggufOf(f, cfg, "F32"))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if m, err := parseGGUF(data); err == nil && m.Config().Validate() != nil {
			t.Error("a model of no valid shape")
		}
	})
}
