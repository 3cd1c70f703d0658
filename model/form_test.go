package model

import (
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"plumb/internal/gguf"
)

// withForms returns a variant of m with some of its matrices, the token table
// among them, in each form that a test knows how to make.
func withForms(t testing.TB, m *Model) map[string]*Model {
	t.Helper()
	made := map[string]*Model{}
	for kind, form := range formed {
		matrices := map[string]Linear{}
		for _, s := range m.Slots() {
			out, in := s.Matrix.Shape()
			l := form(s, out, in)
			if _, ok := l.(Table); l != nil && (ok || s.Name != "embedding") {
				matrices[s.Name] = l
			}
		}
		if len(matrices) == 0 {
			continue // it holds none of these shapes
		}
		other, err := m.With(matrices)
		if err != nil {
			t.Fatalf("%s: %v", kind, err)
		}
		made[kind] = other
	}
	return made
}

// formed makes an example of each form for a slot; nil where it has none.
var formed = map[string]func(s Slot, out, in int) Linear{
	"lowrank": func(s Slot, out, in int) Linear {
		rank := min(3, out, in)
		return NewLowRank(numbers(out*rank), numbers(rank*in), biasOf(s.Matrix), out, rank, in)
	},
}

func init() {
	for _, name := range gguf.Types()[1:] {
		formed[strings.ToLower(name)] = func(s Slot, out, in int) Linear { return inBlocks(typeNamed(name), s.Matrix, out, in) }
	}
}

// inBlocks is a matrix in blocks of typ, nil where they do not fill its rows.
func inBlocks(typ gguf.Type, like Linear, out, in int) Linear {
	if in%typ.Block != 0 {
		return nil
	}
	blocks := make([]byte, typ.Bytes(out*in))
	typ.Encode(blocks, numbers(out*in))
	b, err := NewBlocks(typ, blocks, biasOf(like), out, in)
	if err != nil {
		panic(err)
	}
	return b
}

// numbers returns n small numbers, the same for the same n.
func numbers(n int) []float32 {
	random := rand.New(rand.NewPCG(7, uint64(n)))
	x := make([]float32, n)
	for i := range x {
		x[i] = float32(random.NormFloat64()) / 4
	}
	return x
}

func biasOf(l Linear) []float32 {
	if d, ok := l.(*Dense); ok {
		return slices.Clone(d.Bias)
	}
	return nil
}

func TestEveryFormIsTested(t *testing.T) {
	for _, kind := range Forms.Names() {
		if formed[kind] == nil {
			t.Errorf("no test makes a matrix of form %q", kind)
		}
	}
}

// A model in any form is read as it was written, to the bit, and a copy scores
// like it.
func TestFormsAreKept(t *testing.T) {
	cfg := tiny()
	m := mustNew(t, cfg)
	rows, from := [][]int32{{1, 2, 3, 4, 5, 6, 7}, {7, 1, 3}}, []int{1, 2}
	for kind, m := range withForms(t, m) {
		t.Run(kind, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "m")
			if err := m.Save(dir); err != nil {
				t.Fatal(err)
			}
			read, err := Load(dir)
			if err != nil {
				t.Fatal(err)
			}
			want, _, err := m.LogProbs(rows, from)
			if err != nil {
				t.Fatal(err)
			}
			for name, other := range map[string]*Model{"read": read, "copy": m.Clone()} {
				if got, _, err := other.LogProbs(rows, from); err != nil || !slices.Equal(got, want) {
					t.Errorf("%s: %v, %v; written: %v", name, got, err, want)
				}
			}
			read.Freeze()
			if got, _, err := read.LogProbs(rows, from); err != nil || !slices.Equal(got, want) {
				t.Errorf("frozen: %v, %v; written: %v", got, err, want)
			}
			if m.Size() != read.Size() {
				t.Errorf("size %+v, read %+v", m.Size(), read.Size())
			}
		})
	}
}

// The slopes of forms that can be trained are those of the loss.
func TestGradientsOfForms(t *testing.T) {
	for _, cfg := range []string{"base", "untied"} {
		for kind, m := range withForms(t, mustNew(t, variants()[cfg])) {
			if m.Trainable() != nil {
				continue
			}
			t.Run(cfg+"/"+kind, func(t *testing.T) {
				m.EnableTraining()
				tokens := tokensFor(m.cfg, 2, m.cfg.Context)
				tape := m.NewTape(2, m.cfg.Context)
				tape.Backward(tokens, 1)
				for i, p := range m.Params() {
					checkSlope(t, tape, tokens, p, uint64(i))
				}
			})
		}
	}
}

// A factor may be in a form, and forms may stand within each other up to a depth.
func TestNestedForms(t *testing.T) {
	m := mustNew(t, tiny())
	first := m.Slots()[1]
	out, in := first.Matrix.Shape()
	one := formed["lowrank"](first, out, in)
	m, err := m.With(map[string]Linear{first.Name: one, "embedding": formed["lowrank"](m.Slots()[0], m.cfg.Vocab, m.cfg.Width)})
	if err != nil {
		t.Fatal(err)
	}
	for depth := range maxNesting - 1 {
		matrices := map[string]Linear{}
		for _, s := range m.Places() {
			if strings.HasSuffix(s.Name, ".left") && (s.Block >= 0 || depth == 0) {
				out, in := s.Matrix.Shape()
				matrices[s.Name] = formed["lowrank"](s, out, in)
			}
		}
		if m, err = m.With(matrices); err != nil {
			t.Fatal(err)
		}
	}
	rows, from := [][]int32{{1, 2, 3, 4, 5, 6, 7}}, []int{1}
	want, _, err := m.LogProbs(rows, from)
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(t.TempDir(), "m")
	if err := m.Save(dir); err != nil {
		t.Fatal(err)
	}
	read, err := Load(dir)
	if err != nil {
		t.Fatal(err)
	}
	read.Freeze()
	if got, _, err := read.LogProbs(rows, from); err != nil || !slices.Equal(got, want) {
		t.Errorf("%v, %v; written: %v", got, err, want)
	}
	m.EnableTraining()
	tokens := tokensFor(m.cfg, 2, m.cfg.Context)
	tape := m.NewTape(2, m.cfg.Context)
	tape.Backward(tokens, 1)
	for i, p := range m.Params() {
		checkSlope(t, tape, tokens, p, uint64(i))
	}
	if _, err := m.With(map[string]Linear{"blocks.0.ffn.upp": one}); err == nil {
		t.Error("a matrix was put where there is no place")
	}
	text := `{"kind":"lowrank","settings":{"rank":1}}`
	for range maxNesting {
		text = `{"kind":"lowrank","settings":{"rank":1,"left":` + text + `}}`
	}
	if _, err := decodeForms(`{"embedding":` + text + `}`); err == nil {
		t.Error("forms stand within each other without end")
	}
}
