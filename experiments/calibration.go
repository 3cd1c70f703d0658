package experiments

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"

	"plumb/compress"
	"plumb/internal/corpus"
)

// Calibration says which text methods of compression are shown.
type Calibration struct {
	Text   string `toml:"text" json:"text"`     // "train" or "valid": which text of [data]
	Tokens int    `toml:"tokens" json:"tokens"` // of it; rounded down to whole rows of the model's context
	Seed   uint64 `toml:"seed" json:"seed"`     // which rows of it
}

// calibrationTexts are the texts that a Calibration may name.
var calibrationTexts = []string{"train", "valid"}

// defaultCalibration is that of a spec which says nothing.
var defaultCalibration = Calibration{Text: "train", Tokens: 16384, Seed: 1}

// check reports impossible settings for rows of context tokens.
func (c Calibration) check(r *report, context int) {
	checkChoice(r, "calibration.text", c.Text, calibrationTexts...)
	if c.Tokens < context {
		r.at("calibration.tokens", "%d tokens hold no row of %d (model.context)", c.Tokens, context)
	}
}

// Calibrate takes about tokens tokens of a text as rows of context tokens that are
// cut as training cuts them, spread over all of the text at random. Equal texts and
// seeds give equal rows, and the rows of a greater number begin with those of a
// smaller one.
func Calibrate(s *corpus.Stream, tokens, context int, packing string, seed uint64) (*compress.Calibration, error) {
	rows, err := corpus.NewRows(s, context, packing, seed)
	if err != nil {
		return nil, fmt.Errorf("calibration text: %w", err)
	}
	c := &compress.Calibration{}
	sum := sha256.New()
	for i := range max(1, min(tokens/context, rows.Count())) {
		row := make([]int32, context)
		rows.Row(int64(i), row)
		c.Texts = append(c.Texts, row)
		binary.Write(sum, binary.LittleEndian, row)
	}
	c.Hash = hex.EncodeToString(sum.Sum(nil))[:16]
	return c, nil
}
