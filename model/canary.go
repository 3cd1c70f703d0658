package model

import (
	_ "embed" // the text
	"errors"
	"fmt"
	"math"
	"strings"

	"plumb/kernels"
)

// canaryText is plain English of a few hundred bytes, the same for all models.
//
//go:embed canary.txt
var canaryText string

// A Canary is how well a model predicts a short fixed text. Weights that were
// converted wrongly load without an error and predict worse than a guess: a
// published file of MobileLLM did.
type Canary struct {
	Bytes  int     // of the text
	Tokens int     // that were scored
	Nats   float64 // -ln p of them, summed
	Vocab  int
}

// Canary scores the fixed text as encode cuts it into tokens. before stands in
// front of it, such as a token that begins texts; where it is empty, the first
// token of the text is not scored. What does not fit the context is cut off.
func (m *Model) Canary(encode func(text string) []int32, before []int32) (Canary, error) {
	text := strings.TrimSpace(canaryText)
	row, whole := append([]int32(nil), before...), encode(text)
	row = append(row, whole...)
	from := max(1, len(before))
	if len(row) <= from {
		return Canary{}, errors.New("canary: the tokenizer makes fewer than two tokens of a text of English")
	}
	kept := min(len(row), m.cfg.Context+1)
	if kept <= from {
		return Canary{}, fmt.Errorf("canary: the context of %d tokens leaves none to score", m.cfg.Context)
	}
	sums, _, err := m.LogProbs([][]int32{row[:kept]}, []int{from})
	if err != nil {
		return Canary{}, fmt.Errorf("canary: %w", err)
	}
	return Canary{
		Bytes: len(text) * (kept - from) / len(whole), Tokens: kept - from, Nats: -sums[0], Vocab: m.cfg.Vocab,
	}, nil
}

// BitsPerByte is what the model needs for a byte of the text.
func (c Canary) BitsPerByte() float64 { return c.Nats / math.Ln2 / float64(max(1, c.Bytes)) }

// GuessBitsPerByte is what it would need if every token were as likely as any
// other.
func (c Canary) GuessBitsPerByte() float64 {
	return c.guess() * float64(c.Tokens) / float64(max(1, c.Bytes))
}

// guess is the bits of a token drawn from the vocabulary.
func (c Canary) guess() float64 { return kernels.Log64(float64(c.Vocab)) / math.Ln2 }

// canarySlack is how many bits a token may be worse than a guess. Fresh random
// weights are hardly worse; a model that has learnt anything about English needs
// less than half, and the broken MobileLLM (perplexity 39,105 with 32,000
// tokens) was 0.29 bits worse.
const canarySlack = 0.1

// Broken reports whether the model is clearly worse than a guess, or gives
// what is no number.
func (c Canary) Broken() bool {
	return !(c.Nats/math.Ln2 <= (c.guess()+canarySlack)*float64(c.Tokens))
}
