package experiments

import (
	"slices"
	"testing"

	"plumb/internal/corpus"
)

// Calibration rows lie all over the text, begin as rows of training do, are the
// same for the same seed and others for another.
func TestCalibrationIsSpread(t *testing.T) {
	const context, length = 16, 16_000
	s := &corpus.Stream{Tokens: make([]int32, length), Starts: []int{0, length / 2}}
	for i := range s.Tokens {
		s.Tokens[i] = int32(i)
	}
	few, err := Calibrate(s, 8*context, context, "document", 1)
	if err != nil {
		t.Fatal(err)
	}
	many, _ := Calibrate(s, 64*context, context, "document", 1)
	other, _ := Calibrate(s, 64*context, context, "document", 2)
	if len(few.Texts) != 8 || len(many.Texts) != 64 || few.Tokens() != 8*context || few.Hash == many.Hash || many.Hash == other.Hash {
		t.Errorf("%d and %d rows, hashes %s, %s and %s", len(few.Texts), len(many.Texts), few.Hash, many.Hash, other.Hash)
	}
	quarters := [4]int{}
	for i, row := range many.Texts {
		if row[0] != 0 && row[0] != length/2 {
			t.Errorf("row %d begins with %d, which no document does", i, row[0])
		}
		if i < len(few.Texts) && !slices.Equal(row, few.Texts[i]) {
			t.Errorf("row %d is another one where there are more", i)
		}
		quarters[row[1]*4/length]++
	}
	for i, n := range quarters {
		if n < 6 { // of 64, 16 are expected, give or take 3.5
			t.Errorf("%d of 64 rows are of quarter %d", n, i)
		}
	}
}
