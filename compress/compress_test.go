package compress

import (
	"context"
	"math"
	"path/filepath"
	"strings"
	"testing"

	"plumb/arch"
	"plumb/model"
)

// small is a model that every method can be tried on.
func small(t testing.TB) *model.Model {
	t.Helper()
	m, err := model.New(arch.Config{
		Vocab: 96, Context: 32, Layers: 2, Sharing: "none", Repeat: 1,
		Width: 32, Heads: 4, KVHeads: 2, HeadDim: 8, Hidden: 64,
		Activation: "swiglu", Norm: "rmsnorm", NormEps: 1e-5,
		Position: "rotary", RotaryTheta: 10000, RotaryShare: 1, TiedHead: true,
	}, model.Init{}, 3)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// someText is calibration text for small.
func someText() *Calibration {
	c := &Calibration{Hash: "test"}
	state := uint32(1)
	for range 8 {
		text := make([]int32, 32)
		for i := range text {
			state = state*1664525 + 1013904223
			text[i] = int32((state >> 16) % 96)
		}
		c.Texts = append(c.Texts, text)
	}
	return c
}

// Every method, with its default settings, leaves the model that it is given
// unchanged, gives the same bits twice, and makes a model that scores, and scores
// the same when it is read from its file.
func TestEveryMethod(t *testing.T) {
	for _, name := range Methods.Names() {
		t.Run(name, func(t *testing.T) {
			m, cal := small(t), someText()
			rows, from := [][]int32{cal.Texts[0], cal.Texts[1][:9]}, []int{1, 4}
			before := score(t, m, rows, from)
			w, err := Stage{Name: name}.Worker()
			if err != nil {
				t.Fatal(err)
			}
			one, changes, err := w.Apply(context.Background(), m, cal, Options{})
			if err != nil {
				t.Fatal(err)
			}
			two, _, err := w.Apply(context.Background(), m, cal, Options{})
			if err != nil {
				t.Fatal(err)
			}
			if after := score(t, m, rows, from); after != before {
				t.Errorf("the model that was given has changed: %v, before %v", after, before)
			}
			if a, b := score(t, one, rows, from), score(t, two, rows, from); a != b {
				t.Errorf("two runs differ: %v and %v", a, b)
			}
			dir := filepath.Join(t.TempDir(), "m")
			if err := one.Save(dir); err != nil {
				t.Fatal(err)
			}
			read, err := model.Load(dir)
			if err != nil {
				t.Fatal(err)
			}
			if a, b := score(t, read, rows, from), score(t, one, rows, from); a != b {
				t.Errorf("read from its file it scores %v, %v before", a, b)
			}
			foresight, err := w.Foresee(m.Outline())
			sameOutline(t, foresight, err, one)
			if len(changes) == 0 {
				t.Error("nothing is told of what became of the matrices")
			}
		})
	}
}

// A model that computes NaN for the calibration text, or holds one, is refused by
// every method with an error that says so.
func TestEveryMethodRefusesNaN(t *testing.T) {
	for _, name := range Methods.Names() {
		m, cal := small(t), someText()
		for _, array := range []string{"embedding.weight", "blocks.1.attention.v.weight"} {
			for _, p := range m.Params() {
				if p.Name == array {
					p.Data[int(cal.Texts[0][3])] = float32(math.NaN())
				}
			}
		}
		w, err := Stage{Name: name}.Worker()
		if err != nil {
			t.Fatal(err)
		}
		if _, _, err := w.Apply(context.Background(), m, cal, Options{}); err == nil || !strings.Contains(err.Error(), "NaN") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func score(t *testing.T, m *model.Model, rows [][]int32, from []int) [2]float64 {
	t.Helper()
	sums, _, err := m.LogProbs(rows, from)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range sums {
		if math.IsNaN(s) || math.IsInf(s, 0) {
			t.Fatalf("scores %v", sums)
		}
	}
	return [2]float64(sums)
}

func TestStages(t *testing.T) {
	tests := []struct{ text, want, problem string }{
		{text: " svd  keep=0.5  on=ffn.* ", want: "svd keep=0.5 on=ffn.*"},
		{text: "svd on=ffn.* keep=0.5", want: "svd keep=0.5 on=ffn.*"},
		{text: "", problem: "a stage without a name"},
		{text: "keep=0.5", problem: "its name comes first"},
		{text: "svd keep", problem: `"keep" is no KEY=VALUE`},
		{text: "svd keep=1 keep=2", problem: "sets keep twice"},
		{text: "svdd", problem: `did you mean "svd"?`},
		{text: "svd kep=1", problem: `did you mean "keep"?`},
		{text: "svd keep=half", problem: "wanted is a float64"},
		{text: "svd keep=0", problem: "a share above 0 and up to 1"},
		{text: "svd on=[", problem: "syntax error in pattern"},
	}
	for _, test := range tests {
		t.Run(test.text, func(t *testing.T) {
			s, err := ParseStage(test.text)
			if err == nil {
				_, err = s.Worker()
			}
			if test.problem != "" {
				if err == nil || !strings.Contains(err.Error(), test.problem) {
					t.Fatalf("got %v, want something about %q", err, test.problem)
				}
				return
			}
			if err != nil || s.String() != test.want {
				t.Errorf("got %q, %v; want %q", s, err, test.want)
			}
		})
	}
}

// A matrix that was put into factors is worked on factor by factor.
func TestFactorsAreCompressed(t *testing.T) {
	m, cal := small(t), someText()
	stages, err := ParseRecipe("svd keep=0.8 on=ffn.* | svd keep=0.5 on=ffn.up,attention.q")
	if err != nil {
		t.Fatal(err)
	}
	var changes []Change
	for _, s := range stages {
		w, err := s.Worker()
		if err != nil {
			t.Fatal(err)
		}
		if m, changes, err = w.Apply(context.Background(), m, cal, Options{}); err != nil {
			t.Fatal(err)
		}
	}
	var names []string
	for _, c := range changes[:3] {
		names = append(names, c.Slot)
	}
	if got, want := strings.Join(names, " "), "blocks.0.attention.q blocks.0.ffn.up.right blocks.0.ffn.up.left"; got != want {
		t.Errorf("worked on %s, want %s", got, want)
	}
	score(t, m, cal.Texts[:2], []int{1, 4})
	inputs, err := cal.gather(m, Gram, func(place string) bool { return place == "blocks.0.ffn.up.left.right" })
	if err != nil || len(inputs) != 1 || inputs["blocks.0.ffn.up.left.right"].Rows != 8*32 {
		t.Errorf("what enters a factor: %v, %v", inputs, err)
	}
}
