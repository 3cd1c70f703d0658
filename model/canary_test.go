package model

import (
	"math"
	"path/filepath"
	"testing"

	"plumb/internal/golden"
	"plumb/internal/tokenizer"
)

func bytesAsTokens(text string) []int32 {
	tokens := make([]int32, len(text))
	for i := range tokens {
		tokens[i] = int32(text[i])
	}
	return tokens
}

func TestCanary(t *testing.T) {
	cfg := tiny()
	cfg.Vocab, cfg.Context = 256, 96
	fresh, err := New(cfg, Init{Embedding: 0.02, Body: 0.02}, 1)
	if err != nil {
		t.Fatal(err)
	}
	broken := mustNew(t, cfg)
	for _, p := range broken.Params() {
		for i := range p.Data {
			p.Data[i] *= 30
		}
	}
	tests := []struct {
		name   string
		m      *Model
		broken bool
	}{{"fresh", fresh, false}, {"broken", broken, true}}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			c, err := test.m.Canary(bytesAsTokens, []int32{0})
			if err != nil {
				t.Fatal(err)
			}
			if c.Broken() != test.broken || c.Tokens != 96 || c.Bytes != 96 || c.GuessBitsPerByte() != 8 {
				t.Errorf("%+v: %.2f bits per byte, broken %v", c, c.BitsPerByte(), c.Broken())
			}
		})
	}
	if !(Canary{Bytes: 1, Tokens: 1, Nats: math.NaN(), Vocab: 9}).Broken() {
		t.Error("NaN passes")
	}
	if !(Canary{Bytes: 100, Tokens: 100, Nats: 100 * math.Log(39105), Vocab: 32000}).Broken() {
		t.Error("the broken MobileLLM passes")
	}
	if _, err := fresh.Canary(func(string) []int32 { return nil }, nil); err == nil {
		t.Error("no error without tokens")
	}
	if _, err := fresh.Canary(func(string) []int32 { return []int32{1, 999} }, nil); err == nil {
		t.Error("no error for tokens outside the vocabulary")
	}
}

// The trained model of the shelf passes, and with its rotary pairs in the other
// order, as converters get wrong, it is far worse.
func TestCanaryOfTrainedModel(t *testing.T) {
	dir := golden.Shared(t, "models", "stories260K", "hf")
	m := mustLoad(t, dir)
	words, err := tokenizer.Load(filepath.Join(dir, "tokenizer.model"))
	if err != nil {
		t.Fatal(err)
	}
	right, err := m.Canary(words.Encode, []int32{1})
	if err != nil || right.Broken() || right.BitsPerByte() > right.GuessBitsPerByte()/2 {
		t.Errorf("%.2f bits per byte of %.2f, %v", right.BitsPerByte(), right.GuessBitsPerByte(), err)
	}
	for _, p := range m.Params() {
		if p.Name == "blocks.0.attention.out.weight" || p.Name == "blocks.1.ffn.down.weight" {
			for i := range p.Data {
				p.Data[i] *= -3
			}
		}
	}
	wrong, err := m.Canary(words.Encode, []int32{1})
	if err != nil || wrong.BitsPerByte() < right.BitsPerByte()+1 {
		t.Errorf("damaged: %.2f bits per byte, whole %.2f, %v", wrong.BitsPerByte(), right.BitsPerByte(), err)
	}
	t.Logf("%.2f bits per byte, damaged %.2f, a guess %.2f", right.BitsPerByte(), wrong.BitsPerByte(), right.GuessBitsPerByte())
}
