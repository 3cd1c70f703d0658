package model

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"maps"
	"math"
	"os"
	"slices"
	"strings"
	"testing"

	"plumb/arch"
	"plumb/internal/gguf"
	"plumb/internal/golden"
	"plumb/internal/tokenizer"
)

// throughGGUF writes m to a file in typ and reads it back.
func throughGGUF(t *testing.T, m *Model, typ string) (*Model, GGUF) {
	t.Helper()
	file, err := m.GGUF(mustType(t, typ))
	if err != nil {
		t.Fatal(err)
	}
	read, err := Load(writeGGUF(t, file.Metadata, file.Tensors))
	if err != nil {
		t.Fatal(err)
	}
	return read, file
}

// holds are the variants that GGUF has an architecture for.
var holds = map[string]string{
	"base": "llama", "swiglu": "llama", "cyclic": "llama", "immediate": "llama", "reverse": "llama", "grouped heads": "llama",
	"part of a head rotates": "qwen2", "biases": "llama", "untied": "llama", "gpt2": "gpt2", "linear rotary scaling": "llama", "scaled embedding": "llama", "scaled embedding, untied": "llama", "neox": "gptneox", "neox in sequence": "gptneox", "gemma2": "gemma2",
	"qwen2": "qwen2", "llama 3": "llama", "llama 3 of another context": "llama", "rotary scaling in bands": "llama",
}

// Every shape either comes back from an F32 file with the same scores to the
// bit, shared layers written out, or is refused with the reason.
func TestGGUFRoundTrip(t *testing.T) {
	all := variants()
	maps.Copy(all, publishedShapes())
	for name, cfg := range all {
		t.Run(name, func(t *testing.T) {
			m := mustNew(t, cfg)
			want, ok := holds[name]
			if !ok {
				if _, err := m.GGUF(mustType(t, "F32")); err == nil || !strings.Contains(err.Error(), "no architecture of GGUF has this shape; the nearest is") {
					t.Errorf("got %v, want what the format cannot say", err)
				}
				return
			}
			read, file := throughGGUF(t, m, "F32")
			if got := file.Metadata[0].Value; got != want {
				t.Errorf("it is written as %v, want %s", got, want)
			}
			if shared := cfg.BlockCount() < cfg.Layers; shared != slices.ContainsFunc(file.Notes, func(s string) bool { return strings.Contains(s, "written out") }) {
				t.Errorf("notes: %q", file.Notes)
			}
			sameScores(t, read, m)
		})
	}
}

// publishedShapes are those of families with an architecture of their own.
func publishedShapes() map[string]arch.Config {
	neox := tiny()
	neox.ParallelResidual, neox.Norm, neox.RotaryShare, neox.Activation = true, "layernorm", 0.5, "gelu_erf"
	neox.QKVBias, neox.OutBias, neox.FFNBias, neox.TiedHead = true, true, true, false
	sequential := neox
	sequential.ParallelResidual = false
	gemma := tiny()
	gemma.NormsPerLayer, gemma.NormOffset, gemma.Activation, gemma.EmbeddingScale = 4, 1, "geglu", math.Sqrt(12)
	gemma.AttentionSoftCap, gemma.FinalSoftCap, gemma.Window, gemma.WindowEvery, gemma.Layers, gemma.HeadDim = 5, 3, 3, 2, 3, 6
	qwen := tiny()
	qwen.QKVBias = true
	llama3 := tiny()
	llama3.HeadDim, llama3.RotaryTheta = 32, 500000
	llama3.RotaryScaling = arch.RotaryScaling{Factor: 32, LowFrequency: 1, HighFrequency: 4, Context: 8192}
	llama64 := llama3
	llama64.RotaryScaling = arch.RotaryScaling{Factor: 8, LowFrequency: 1, HighFrequency: 4, Context: 64}
	scaled := tiny()
	scaled.EmbeddingScale, scaled.TiedHead = 3.5, false
	return map[string]arch.Config{"scaled embedding, untied": scaled, "llama 3 of another context": llama64, "neox": neox, "neox in sequence": sequential, "gemma2": gemma, "qwen2": qwen, "llama 3": llama3}
}

// sameScores wants the same bits from two models.
func sameScores(t *testing.T, got, want *Model) {
	t.Helper()
	tokens := tokensFor(want.Config(), 1, want.Context())
	var rows [][]int32
	var from []int
	for n := 2; n <= len(tokens); n++ {
		rows, from = append(rows, tokens[:n]), append(from, n-1)
	}
	a, _, err := got.LogProbs(rows, from)
	if err != nil {
		t.Fatal(err)
	}
	b, _, err := want.LogProbs(rows, from)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(a, b) {
		t.Errorf("scores are %v, want %v", a, b)
	}
}

// Quantised files hold what the type makes of each matrix, and F32 for the rest.
func TestGGUFRounds(t *testing.T) {
	cfg := tiny()
	cfg.Width, cfg.Heads, cfg.KVHeads, cfg.HeadDim, cfg.Hidden = 256, 4, 2, 64, 96
	m := mustNew(t, cfg)
	for _, name := range gguf.Types() {
		t.Run(name, func(t *testing.T) {
			typ := mustType(t, name)
			read, file := throughGGUF(t, m, name)
			if fallback := typ.Block == 256; fallback != (len(file.Notes) == 1) {
				t.Errorf("notes: %q", file.Notes)
			}
			for i, p := range m.Params() {
				want := slices.Clone(p.Data)
				if p.Matrix() {
					rowType := typ.For(p.Shape[1])
					encoded := make([]byte, rowType.Bytes(len(want)))
					rowType.Encode(encoded, want)
					rowType.Decode(want, encoded)
				}
				if !slices.Equal(read.Params()[i].Data, want) {
					t.Errorf("%s is not what %s makes of it", p.Name, name)
				}
			}
		})
	}
}

// Matrices in other forms are written as the dense ones that they stand for, or as
// they are where the format has the form.
func TestWrittenFormsAreExpanded(t *testing.T) {
	for kind, m := range withForms(t, mustNew(t, tiny())) {
		t.Run(kind, func(t *testing.T) {
			dense, formed, err := m.expanded()
			if err != nil || len(formed) == 0 {
				t.Fatalf("%d matrices, %v", len(formed), err)
			}
			read, file := throughGGUF(t, m, "F32")
			if !slices.ContainsFunc(file.Notes, func(s string) bool { return strings.Contains(s, "expanded") || strings.Contains(s, "as they are") }) {
				t.Errorf("notes: %q", file.Notes)
			}
			sameScores(t, read, dense)
		})
	}
}

// Weights that are no numbers stay in plain files and are refused in others.
func TestGGUFOfDivergedModel(t *testing.T) {
	m := mustNew(t, tiny())
	m.Params()[0].Data[3] = float32(math.NaN())
	file, err := m.GGUF(mustType(t, "F16"))
	if err != nil {
		t.Fatal(err)
	}
	writeGGUF(t, file.Metadata, file.Tensors)
}

// What llama.cpp's converter made of a checkpoint comes out here as it did there:
// the same tensors with the same bytes. Only learned positions are kept in F32,
// as llama.cpp's own tool does.
func TestGGUFAgainstConverter(t *testing.T) {
	tests := []struct{ model, file, typ string }{
		{"stories260K/hf", "stories260K/gguf/stories260K-f32.gguf", "F32"},
		{"stories260K/hf", "stories260K/gguf/stories260K-f16.gguf", "F16"},
		{"stories260K/hf", "stories260K/gguf/stories260K-q8_0.gguf", "Q8_0"},
		{"stories260K/hf", "stories260K/gguf/stories260K-q4_0.gguf", "Q4_0"},
		{"tiny-random-gpt2/gguf/tiny-random-gpt2-f32.gguf", "tiny-random-gpt2/gguf/tiny-random-gpt2-q8_0.gguf", "Q8_0"},
	}
	for _, test := range tests {
		t.Run(test.file, func(t *testing.T) {
			m, err := Load(golden.Shared(t, "models", test.model))
			if err != nil {
				t.Fatal(err)
			}
			ours, err := m.GGUF(mustType(t, test.typ))
			if err != nil {
				t.Fatal(err)
			}
			got, err := gguf.Open(writeGGUF(t, ours.Metadata, ours.Tensors))
			if err != nil {
				t.Fatal(err)
			}
			defer got.Close()
			want, err := gguf.Open(golden.Shared(t, "models", test.file))
			if err != nil {
				t.Fatal(err)
			}
			defer want.Close()
			sameTensors(t, got, want)
		})
	}
}

func sameTensors(t *testing.T, got, want *gguf.File) {
	if len(got.Tensors()) != len(want.Tensors()) {
		t.Errorf("%d tensors, want %d", len(got.Tensors()), len(want.Tensors()))
	}
	for _, w := range want.Tensors() {
		g, ok := got.Tensor(w.Name)
		if w.Name == ggufPositions && g.Type.Name == "F32" {
			continue
		}
		if !ok || g.Type.Name != w.Type.Name || !slices.Equal(g.Shape, w.Shape) {
			t.Errorf("%s is %s %v, want %s %v", w.Name, g.Type.Name, g.Shape, w.Type.Name, w.Shape)
			continue
		}
		a, b := make([]float32, g.Elements()), make([]float32, w.Elements())
		if err := got.Float32(a, w.Name, 0); err != nil {
			t.Error(err)
		}
		if err := want.Float32(b, w.Name, 0); err != nil {
			t.Error(err)
		}
		if !slices.Equal(a, b) {
			t.Errorf("%s has other values", w.Name)
		}
	}
}

// The rest of a shape that an architecture reads otherwise is named.
func TestDifferencesAreNamed(t *testing.T) {
	c := tiny()
	c.Norm, c.AttentionScale = "layernorm", 3
	_, err := ggufReading(writtenOut(c))
	for _, want := range []string{"no architecture of GGUF", "attention_scale"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v does not name %s", err, want)
		}
	}
	if list := differences(arch.Config{NormEps: 1e-5}, arch.Config{NormEps: float64(float32(1e-5))}); len(list) != 0 {
		t.Errorf("%v differ in float32 too", list)
	}
}

// A whole file of a tiny model with its tokenizer stays as it is to the byte.
func TestGGUFToTheByte(t *testing.T) {
	cfg := tiny()
	cfg.Vocab, cfg.Context, cfg.Width, cfg.Heads, cfg.KVHeads, cfg.HeadDim, cfg.Hidden = 5, 8, 4, 2, 1, 4, 3
	cfg.Layers, cfg.Sharing, cfg.Repeat = 2, "immediate", 2
	m, err := New(cfg, Init{}, 1)
	if err != nil {
		t.Fatal(err)
	}
	file, err := m.GGUF(mustType(t, "F16"))
	if err != nil {
		t.Fatal(err)
	}
	add := true
	tok := tokenizer.Parts{
		Model: "gpt2", Pre: "gpt-2", Tokens: []string{"<|endoftext|>", "a", "b", "ab"}, Types: []int32{3, 1, 1, 1},
		Merges: []string{"a b"}, BOS: 0, EOS: 0, AddBOS: &add,
	}
	path := writeGGUF(t, append(file.Metadata, tok.Padded(cfg.Vocab).GGUF()...), file.Tensors)
	golden.Check(t, "testdata/tiny.gguf.golden", listGGUF(t, path))
}

// listGGUF is what a file holds, in words and then in bytes.
func listGGUF(t *testing.T, path string) []byte {
	t.Helper()
	f, err := gguf.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var list bytes.Buffer
	for _, p := range f.Metadata {
		fmt.Fprintf(&list, "%s %T %v\n", p.Key, p.Value, p.Value)
	}
	for _, tensor := range f.Tensors() {
		fmt.Fprintf(&list, "%s %s %v %d bytes\n", tensor.Name, tensor.Type.Name, tensor.Shape, tensor.Bytes())
	}
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	list.WriteString(hex.Dump(data))
	return list.Bytes()
}
