package compress

import (
	"bytes"
	"testing"

	"plumb/internal/gguf"
	"plumb/model"
)

// Every type is taken where its blocks fill the rows; where they do not, it is
// what llama.cpp takes, and notes say so.
func TestTypesOfGGUF(t *testing.T) {
	tests := []struct {
		stage, form string
		in          int
		bits        float64 // a weight
		fallback    bool
	}{
		{"q8_0", "q8_0", 64, 8.5, false},
		{"q4_0", "q4_0", 64, 4.5, false},
		{"q4_k", "q4_k", 512, 4.5, false},
		{"q4_k", "q5_0", 576, 5.5, true}, // as in MobileLLM-125M
		{"q5_k", "q5_1", 96, 6, true},
		{"q6_k", "q6_k", 256, 6.5625, false},
		{"q6_k", "q8_0", 96, 8.5, true},
		{"q4_0", "f16", 40, 16, true},
	}
	for _, test := range tests {
		w := randomDense(3, test.in, 1)
		l, notes, err := method(t, test.stage).Matrix(w, nil)
		if err != nil {
			t.Fatal(err)
		}
		b := l.(*model.Blocks)
		_, noted := notes["in place of bits"]
		if b.Form().Kind() != test.form || notes["bits"] != test.bits || noted != test.fallback || 8*float64(len(b.Bytes())) != test.bits*float64(3*test.in) {
			t.Errorf("%s, rows of %d: %s, notes %v, %d bytes", test.stage, test.in, b.Form().Kind(), notes, len(b.Bytes()))
		}
		typ, err := gguf.TypeNamed(test.form)
		if err != nil {
			t.Fatal(err)
		}
		want := make([]byte, len(b.Bytes()))
		typ.Encode(want, w.Weight)
		if !bytes.Equal(b.Bytes(), want) {
			t.Errorf("%s: other blocks than those of the type", test.stage)
		}
	}
}
