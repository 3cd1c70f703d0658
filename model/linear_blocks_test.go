package model

import (
	"bytes"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"plumb/arch"
	"plumb/internal/gguf"
)

// blockShape has rows that fill all blocks: of 32, and in the feed-forward part of 256.
func blockShape() arch.Config {
	c := tiny()
	c.Width, c.Heads, c.KVHeads, c.HeadDim, c.Hidden = 32, 4, 2, 8, 256
	return c
}

// inBlocksOf returns m with all matrices in blocks of typ, or what llama.cpp takes
// in its place.
func inBlocksOf(t *testing.T, m *Model, typ gguf.Type) *Model {
	t.Helper()
	matrices := map[string]Linear{}
	for _, s := range m.Slots() {
		d := Expand(s.Matrix)
		own := typ.For(d.In)
		blocks := make([]byte, own.Bytes(d.Out*d.In))
		own.Encode(blocks, d.Weight)
		b, err := NewBlocks(own, blocks, d.Bias, d.Out, d.In)
		if err != nil {
			t.Fatal(err)
		}
		matrices[s.Name] = b
	}
	other, err := m.With(matrices)
	if err != nil {
		t.Fatal(err)
	}
	return other
}

// A model in blocks scores like its expanded matrices, to the bit, also when it is
// read again, and its file of GGUF is that of the matrices from which the blocks
// were made.
func TestBlocks(t *testing.T) {
	separate := blockShape()
	separate.Sharing, separate.Repeat, separate.Layers = "immediate", 2, 4
	gpt2 := blockShape()
	gpt2.KVHeads, gpt2.Norm, gpt2.Position, gpt2.Activation = 4, "layernorm", "learned", "gelu"
	gpt2.QKVBias, gpt2.OutBias, gpt2.FFNBias, gpt2.RotaryTheta, gpt2.RotaryShare = true, true, true, 0, 0
	for name, cfg := range map[string]arch.Config{"llama": blockShape(), "shared": separate, "gpt2": gpt2} {
		types := []string{"F16", "Q4_0", "Q5_K"}
		if name == "llama" {
			types = gguf.Types()[1:]
		}
		for _, typ := range types {
			t.Run(name+"/"+typ, func(t *testing.T) {
				dense := mustNew(t, cfg)
				m := inBlocksOf(t, dense, mustType(t, typ))
				expanded, _, err := m.expanded()
				if err != nil {
					t.Fatal(err)
				}
				sameScores(t, m, expanded)
				dir := filepath.Join(t.TempDir(), "m")
				if err := m.Save(dir); err != nil {
					t.Fatal(err)
				}
				read, err := Load(dir)
				if err != nil {
					t.Fatal(err)
				}
				sameScores(t, read, m)
				read, copied := throughGGUF(t, m, typ)
				sameScores(t, read, m)
				made, err := dense.GGUF(mustType(t, typ))
				if err != nil {
					t.Fatal(err)
				}
				if !slices.Equal(fileBytes(t, copied), fileBytes(t, made)) {
					t.Error("the file is not that of the dense model in this type")
				}
				if !slices.ContainsFunc(copied.Notes, func(s string) bool { return strings.Contains(s, "are written as they are") }) {
					t.Errorf("notes: %q", copied.Notes)
				}
			})
		}
	}
}

func TestBlocksThatCannotBe(t *testing.T) {
	q8, bad := mustType(t, "Q8_0"), make([]byte, 34)
	bad[0], bad[1] = 0, 0x7c // an infinite scale
	bad[2] = 1
	tests := []struct {
		name    string
		out, in int
		blocks  []byte
		want    string
	}{
		{"rows", 1, 31, make([]byte, 34), "in rows of blocks of 32"},
		{"bytes", 2, 32, make([]byte, 34), "34 bytes of Q8_0 for a matrix [2, 32]"},
		{"infinite", 1, 32, bad, "holds a NaN or Inf"},
		{"nothing", 0, 32, nil, "a matrix [0, 32]"},
	}
	for _, test := range tests {
		if _, err := NewBlocks(q8, test.blocks, nil, test.out, test.in); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v; want something about %q", test.name, err, test.want)
		}
	}
}

// 100 MB of float32 are 26.6 MB in Q8_0, 8.5 bits a weight.
func TestSizeOfBlocks(t *testing.T) {
	arrays, err := (&blocksForm{typ: mustType(t, "Q8_0")}).Arrays(3125, 8000)
	if err != nil {
		t.Fatal(err)
	}
	if got := arrays[0].Shape[0] * arrays[0].Shape[1]; got != 26_562_500 {
		t.Errorf("%d bytes", got)
	}
}

func fileBytes(t *testing.T, file GGUF) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := gguf.Write(&b, file.Metadata, file.Tensors); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}
