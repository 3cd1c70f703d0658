package compress

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"plumb/model"
)

var sparseMethods = []string{"magnitude", "wanda", "sparsegpt"}

// zeros counts what is 0 in x.
func zeros(x []float32) (n int) {
	for _, v := range x {
		if v == 0 {
			n++
		}
	}
	return n
}

func TestSparsityIsExact(t *testing.T) {
	w, in := randomDense(24, 96, 3), correlated(96, 300, 3)
	for _, keep := range []float64{0.01, 0.25, 0.5, 0.7, 1} {
		for _, name := range []string{"magnitude", "magnitude per=row", "wanda", "sparsegpt", "sparsegpt block=40", "sparsegpt block=1000"} {
			stage := fmt.Sprintf("%s keep=%v", name, keep)
			got := model.Expand(made(t, stage, w, in))
			want := 0
			for _, group := range map[string][]int{"magnitude": {24 * 96}, "magnitude per=row": slices.Repeat([]int{96}, 24), "wanda": slices.Repeat([]int{96}, 24), "sparsegpt": {24 * 96}, "sparsegpt block=40": {24 * 40, 24 * 40, 24 * 16}, "sparsegpt block=1000": {24 * 96}}[name] {
				want += int(math.Round(keep * float64(group)))
			}
			if kept := len(got.Weight) - zeros(got.Weight); kept != want {
				t.Errorf("%s keeps %d weights, want %d", stage, kept, want)
			}
			for row := range 24 {
				if n := 96 - zeros(got.Row(row)); (name == "wanda" || name == "magnitude per=row") && n != int(math.Round(keep*96)) {
					t.Errorf("%s keeps %d weights of row %d", stage, n, row)
				}
			}
			if l, ok := made(t, stage, w, in).(*model.Masked); !ok || l.Kept() != want {
				t.Errorf("%s: form %T", stage, made(t, stage, w, in))
			}
		}
	}
}

func TestPatternsAreExact(t *testing.T) {
	w, in := randomDense(70, 96, 3), correlated(96, 300, 3) // the last panel has 6 rows
	for _, name := range sparseMethods {
		for _, pattern := range []struct{ n, m int }{{2, 4}, {1, 4}, {4, 8}, {3, 3}, {5, 32}} {
			for _, panel := range []bool{false, true} {
				stage, tall := fmt.Sprintf("%s pattern=%d:%d", name, pattern.n, pattern.m), 1
				if panel {
					stage, tall = stage+":panel", model.PanelRows
				}
				l := made(t, stage, w, in)
				if kind := l.(model.Formed).Form().Kind(); kind != map[bool]string{false: "nm", true: "nmpanel"}[panel] {
					t.Errorf("%s: form %s", stage, kind)
				}
				got := model.Expand(l)
				for row := range w.Out {
					for at := 0; at < w.In; at += pattern.m {
						part := got.Row(row)[at : at+pattern.m]
						if pattern.m-zeros(part) != pattern.n {
							t.Fatalf("%s: row %d has %v", stage, row, part)
						}
						first := got.Row(row / tall * tall)[at : at+pattern.m]
						for i := range part {
							if (part[i] == 0) != (first[i] == 0) {
								t.Fatalf("%s: row %d has %v, the first of its panel %v", stage, row, part, first)
							}
						}
					}
				}
				for _, form := range []string{"masked", "csr", "dense"} {
					if other := model.Expand(made(t, stage+" form="+form, w, in)); !slices.Equal(other.Weight, got.Weight) {
						t.Errorf("%s form=%s has other weights", stage, form)
					}
				}
			}
		}
	}
}

func TestSparseGPTBeatsMagnitudeOnCorrelatedInputs(t *testing.T) {
	for _, settings := range []string{"keep=0.3", "keep=0.5", "keep=0.8", "pattern=2:4", "pattern=4:8", "pattern=2:4:panel"} {
		for seed := range uint64(3) {
			w, in := randomDense(40, 96, seed), correlated(96, 300, seed)
			plain := errorOf(t, "magnitude "+settings, w, in)
			scaled := errorOf(t, "wanda "+settings, w, in)
			for _, more := range []string{"", " block=16", " block=1000"} {
				if got := errorOf(t, "sparsegpt "+settings+more, w, in); got > 0.9*min(plain, scaled) {
					t.Errorf("%s%s: error %.4f, of magnitude %.4f, of wanda %.4f", settings, more, got, plain, scaled)
				}
			}
		}
	}
}

func TestSparseGPTIsMagnitudeWhereInputsAreUncorrelated(t *testing.T) {
	w := randomDense(40, 96, 5)
	for _, settings := range []string{"keep=0.5", "keep=0.9", "pattern=2:4", "pattern=3:8", "pattern=2:4:panel"} {
		want := model.Expand(made(t, "magnitude "+settings, w, nil)).Weight
		for _, more := range []string{" damp=0 block=96", " block=1000"} { // one block: the whole matrix is compared
			if got := model.Expand(made(t, "sparsegpt "+settings+more, w, identity(96, 50))).Weight; !slices.Equal(got, want) {
				t.Errorf("%s%s: other weights than by magnitude", settings, more)
			}
		}
	}
}

func TestWandaIsMagnitudeWhereNormsAreEqual(t *testing.T) {
	w, in := randomDense(40, 96, 5), newInputs("test", 96, Moments)
	in.see(slices.Repeat([]float32{-1}, 96*10), 10)
	if err := in.finish(); err != nil {
		t.Fatal(err)
	}
	for _, settings := range []string{"keep=0.5", "keep=0.3", "pattern=2:4", "pattern=2:4:panel"} {
		want, got := made(t, "magnitude per=row "+settings, w, nil), made(t, "wanda "+settings, w, in)
		if !slices.Equal(model.Expand(want).Weight, model.Expand(got).Weight) {
			t.Errorf("%s: other weights than by magnitude", settings)
		}
	}
}

// A weight is removed by its product with the norm of its input, not by itself.
func TestWandaByHand(t *testing.T) {
	w := &model.Dense{Out: 2, In: 4, Weight: []float32{4, -3, 2, 1, 1, 1, 1, 1}, Bias: []float32{7, 8}}
	in := newInputs("test", 4, Moments)
	in.see([]float32{1, 1, 3, 9, 1, -1, 3, -9}, 2)
	if err := in.finish(); err != nil {
		t.Fatal(err)
	}
	l, notes, err := method(t, "wanda keep=0.5").Matrix(w, in)
	if err != nil {
		t.Fatal(err)
	}
	got := model.Expand(l)
	if want := []float32{0, 0, 2, 1, 0, 0, 1, 1}; !slices.Equal(got.Weight, want) || !slices.Equal(got.Bias, w.Bias) {
		t.Errorf("weights %v, bias %v", got.Weight, got.Bias)
	}
	if want := (36.0 + 81 + 9 + 81) / (16 + 9 + 36 + 81 + 1 + 1 + 9 + 81); notes["kept"] != 0.5 || math.Abs(notes["kept importance"]-want) > 1e-12 {
		t.Errorf("notes %v, want importance %v", notes, want)
	}
}

// What is foreseen of a matrix is what becomes of it.
func TestSparseFormsAreForeseen(t *testing.T) {
	m := small(t)
	for _, name := range sparseMethods {
		for _, settings := range []string{"keep=0.3", "pattern=2:4", "pattern=2:4:panel", "form=dense", "pattern=1:8 form=masked"} {
			s, err := ParseStage(name + " " + settings)
			if err != nil {
				t.Fatal(err)
			}
			w, err := s.Worker()
			if err != nil {
				t.Fatal(err)
			}
			foresight, wrong := w.Foresee(m.Outline())
			foreseen := foresight.Matrices
			smaller, changes, err := apply(t, s.String(), m)
			if err != nil || wrong != nil || len(foreseen) != len(changes) {
				t.Fatalf("%s: %v, %v, %d of %d foreseen", s, err, wrong, len(foreseen), len(changes))
			}
			weights := m.Size().Params.Body
			for i, p := range foreseen {
				if p.Open || p.Problem != nil || p.Slot != changes[i].Slot || p.Form != changes[i].Form {
					t.Errorf("%s: foreseen is %+v, made %+v", s, p, changes[i])
				}
				out, in := m.Slots()[i+1].Matrix.Shape()
				weights += p.Weights - out*in
			}
			if got := smaller.Size().Params.Body; got != weights {
				t.Errorf("%s: %d weights, foreseen %d", s, got, weights)
			}
		}
	}
}

func TestPatternsThatDoNotDivide(t *testing.T) {
	m := small(t)
	for _, name := range sparseMethods {
		stage := name + " pattern=2:48"
		_, _, err := apply(t, stage, m)
		if err == nil || !strings.Contains(err.Error(), "blocks.0.attention.q: rows of 32 inputs cannot have the pattern 2:48") {
			t.Errorf("%s: %v", stage, err)
		}
		s, _ := ParseStage(stage)
		w, _ := s.Worker()
		if f, wrong := w.Foresee(m.Outline()); wrong == nil || f.Matrices[0].Problem == nil {
			t.Errorf("%s: not foreseen", stage)
		}
	}
}

func TestDeadInputsOfPruning(t *testing.T) {
	w, in := randomDense(8, 32, 1), correlated(32, 100, 1)
	for i := range 32 {
		in.Gram[i*32+7], in.Gram[7*32+i] = 0, 0
	}
	in.MeanSquare[7] = 0
	for _, stage := range []string{"wanda keep=0.9", "sparsegpt", "sparsegpt pattern=2:4", "sparsegpt keep=1"} {
		l, notes, err := method(t, stage).Matrix(w, in)
		if err != nil {
			t.Fatalf("%s: %v", stage, err)
		}
		if _, counted := notes["dead inputs"]; counted && notes["dead inputs"] != 1 {
			t.Errorf("%s: notes %v", stage, notes)
		}
		for r := range 8 {
			if v := model.Expand(l).Row(r)[7]; v != 0 {
				t.Errorf("%s: row %d has %v for an input that is always zero", stage, r, v)
			}
		}
	}
}

func TestSingularCurvatureOfPruning(t *testing.T) {
	w, in := randomDense(8, 32, 1), correlated(32, 5, 1)
	if _, _, err := method(t, "sparsegpt damp=0").Matrix(w, in); err == nil || !strings.Contains(err.Error(), "use more damping") {
		t.Errorf("undamped: %v", err)
	}
	if got, plain := errorOf(t, "sparsegpt", w, in), errorOf(t, "magnitude", w, in); !(got < plain) {
		t.Errorf("damped: error %v, of magnitude %v", got, plain)
	}
}

func TestSettingsOfSparsity(t *testing.T) {
	tests := []struct{ stage, problem string }{
		{"magnitude keep=0", "a share above 0 and up to 1"},
		{"wanda keep=1.01", "a share above 0 and up to 1"},
		{"sparsegpt keep=nan", "a share above 0 and up to 1"},
		{"magnitude per=column", "wanted is one of matrix, row"},
		{"magnitude form=coo", "wanted is one of auto, masked"},
		{"wanda pattern=2", "wanted is none, N:M or N:M:panel"},
		{"wanda pattern=5:4", "with N up to M"},
		{"wanda pattern=0:4", "with N up to M"},
		{"wanda pattern=2:4:row", "wanted is none, N:M or N:M:panel"},
		{"wanda pattern=2:512", "M from 2 to 256"},
		{"wanda pattern=1:4 keep=0.7", "which keeps 0.25: leave keep out"},
		{"wanda form=nm", "such as 2:4"},
		{"wanda form=nmpanel pattern=2:4", "such as 2:4:panel"},
		{"sparsegpt damp=-1", "0 or more"},
		{"sparsegpt block=0", "1 or more"},
		{"wanda sparsity=0.5", "no setting \"sparsity\""},
	}
	for _, test := range tests {
		s, err := ParseStage(test.stage)
		if err == nil {
			_, err = s.Worker()
		}
		if err == nil || !strings.Contains(err.Error(), test.problem) {
			t.Errorf("%s: %v; want something about %q", test.stage, err, test.problem)
		}
	}
	if _, _, err := method(t, "wanda keep=0.001").Matrix(randomDense(4, 32, 1), correlated(32, 9, 1)); err == nil || !strings.Contains(err.Error(), "leaves none") {
		t.Errorf("a share of less than a weight: %v", err)
	}
	s, _ := ParseStage("wanda pattern=1:4")
	if w, err := s.Worker(); err != nil || w.Full().String() != "wanda form=auto keep=0.25 pattern=1:4" {
		t.Errorf("%v, %v", w.Full(), err)
	} else if again, err := w.Full().Worker(); err != nil || again.Full().String() != w.Full().String() {
		t.Errorf("read back: %v", err)
	}
}

// Broken models are told as such by all methods that look at text.
func TestPruningBrokenModels(t *testing.T) {
	m := small(t)
	for _, a := range m.Arrays() {
		if a.Name == "blocks.1.attention.norm.gain" {
			a.Data[3] = float32(math.NaN())
		}
	}
	for _, stage := range []string{"wanda on=blocks.1.attention.q", "sparsegpt on=blocks.1.attention.q"} {
		if _, _, err := apply(t, stage, m); err == nil || !strings.Contains(err.Error(), "blocks.1.attention.q: the calibration text makes the model compute NaN") {
			t.Errorf("%s: %v", stage, err)
		}
	}
}
