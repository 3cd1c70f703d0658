package compress

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"plumb/internal/gguf"
	"plumb/model"
)

// throughGGUF writes m to a file of GGUF and reads it back.
func throughGGUF(t *testing.T, m *model.Model, typ string) *model.Model {
	t.Helper()
	of, err := gguf.TypeNamed(typ)
	if err != nil {
		t.Fatal(err)
	}
	g, err := m.GGUF(of)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "m.gguf")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := gguf.Write(f, g.Metadata, g.Tensors); err != nil {
		t.Fatal(err)
	}
	read, err := model.Load(path)
	if err != nil {
		t.Fatal(err)
	}
	return read
}

// A model that is rounded to nearest into a type of GGUF is written to such a file
// as it is: what is read back has its weights, to the bit, and scores as it does
// with dense matrices.
func TestRoundedModelsThroughGGUF(t *testing.T) {
	for _, typ := range []string{"q8_0", "q5_1", "q5_0", "q4_1", "q4_0"} {
		t.Run(typ, func(t *testing.T) {
			m, _, err := apply(t, typ+" on=embedding,attention.*,ffn.*", small(t))
			if err != nil {
				t.Fatal(err)
			}
			sameWeights(t, throughGGUF(t, m, "f32"), m)
		})
	}
}

// Rounding to 8 bits in groups of 32, symmetrically, is rounding into Q8_0: the
// file of that type holds the same weights.
func TestRTNIsQ8(t *testing.T) {
	m, _, err := apply(t, "rtn bits=8 group=32 on=embedding,attention.*,ffn.*", small(t))
	if err != nil {
		t.Fatal(err)
	}
	sameWeights(t, throughGGUF(t, m, "q8_0"), m)
}

// sameWeights compares what the matrices of two models stand for, and the scores.
func sameWeights(t *testing.T, a, b *model.Model) {
	t.Helper()
	dense := func(m *model.Model) *model.Model {
		matrices := map[string]model.Linear{}
		for _, s := range m.Slots() {
			matrices[s.Name] = model.Expand(s.Matrix)
		}
		m, err := m.With(matrices)
		if err != nil {
			t.Fatal(err)
		}
		return m
	}
	a, b = dense(a), dense(b)
	slots := b.Slots()
	for i, s := range a.Slots() {
		if !slices.Equal(model.Expand(s.Matrix).Weight, model.Expand(slots[i].Matrix).Weight) {
			t.Errorf("%s has other weights", s.Name)
		}
	}
	rows, from := someText().Texts[:2], []int{1, 4}
	if x, y := score(t, a, rows, from), score(t, b, rows, from); x != y {
		t.Errorf("scores %v and %v", x, y)
	}
}
