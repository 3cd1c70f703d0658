package compress

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"gonum.org/v1/gonum/mat"

	"plumb/arch"
	"plumb/internal/gguf"
	"plumb/model"
)

// planted is a sum of Kronecker products of random factors.
func planted(s arch.Kronecker, seed uint64) *model.Dense {
	a, b := randomMatrix(s.Terms*s.M1, s.N1, seed), randomMatrix(s.Terms*s.M2, s.N2, seed+1)
	return model.NewKronecker(s, a.Weight, b.Weight, nil, nil, nil).Expand()
}

// kept is the share of energy that l keeps of w by its definition, 1 - |W-W'|²/|W|².
func kept(w *model.Dense, l model.Linear) float64 {
	var d mat.Dense
	d.Sub(matrixOf(w), matrixOf(model.Expand(l)))
	return 1 - square(&d)/square(matrixOf(w))
}

// A sum of Kronecker products is found again, whatever its factors' shapes.
func TestPlantedSumsAreRecovered(t *testing.T) {
	for i, s := range []arch.Kronecker{
		{Terms: 1, M1: 6, N1: 5, M2: 1, N2: 2}, {Terms: 1, M1: 6, N1: 5, M2: 2, N2: 1}, {Terms: 3, M1: 8, N1: 6, M2: 4, N2: 2},
		{Terms: 4, M1: 6, N1: 8, M2: 2, N2: 4}, {Terms: 2, M1: 2, N1: 3, M2: 6, N2: 5}, {Terms: 5, M1: 9, N1: 7, M2: 3, N2: 8},
	} {
		w := planted(s, uint64(i))
		l, share, err := nearest(w, s, naturalOrder(w.Out, w.In))
		if err != nil {
			t.Fatal(err)
		}
		near(t, fmt.Sprintf("share kept of %+v", s), share, 1, 1e-5)
		if weights, _ := distances(w, l.Expand(), nil); weights > 1e-5 {
			t.Errorf("%+v: error %v", s, weights)
		}
	}
}

// The energy that the sum keeps and the squared error are those of the matrix
// together; more terms keep more; all terms keep everything; half of the terms of
// B [4, 2] keep about half of a matrix without structure.
func TestKeptEnergy(t *testing.T) {
	w := randomMatrix(64, 40, 3)
	last := 0.0
	for terms := 1; terms <= 8; terms++ {
		s := arch.Kronecker{Terms: terms, M1: 16, N1: 20, M2: 4, N2: 2}
		l, share, err := nearest(w, s, naturalOrder(64, 40))
		if err != nil {
			t.Fatal(err)
		}
		near(t, "share kept", kept(w, l), share, 1e-5)
		if share <= last {
			t.Errorf("%d terms keep %v, fewer keep %v", terms, share, last)
		}
		last = share
		if terms == 4 && (share < 0.5 || share > 0.62) {
			t.Errorf("4 of 8 terms keep %v of a random matrix", share)
		}
	}
	near(t, "what all terms keep", last, 1, 1e-5)
}

// Products of Kronecker form with rows and columns in disorder are put in order
// again.
func TestPlantedPermutationsAreFound(t *testing.T) {
	found := map[string]int{}
	tries := 0
	for _, b := range [][2]int{{2, 2}, {1, 2}, {2, 1}} {
		for _, rows := range []int{8, 16, 32} {
			for seed := range uint64(3) {
				s := arch.Kronecker{Terms: 1, M1: rows / b[0], N1: rows / b[1], M2: b[0], N2: b[1]}
				sum := planted(s, 10*seed+uint64(rows))
				random := rand.New(rand.NewPCG(seed, 8))
				w := &model.Dense{Out: rows, In: rows, Weight: ordered(sum, order{randomOrder(rows, random), randomOrder(rows, random)})}
				tries++
				for _, method := range []string{"swaps", "anneal"} {
					o, _, err := searched(w, s, naturalOrder(rows, rows), method, 10000, seed, [2]bool{true, true})
					if err != nil {
						t.Fatal(err)
					}
					l, share, err := nearest(w, s, o)
					if err != nil {
						t.Fatal(err)
					}
					near(t, "share kept", kept(w, l), share, 1e-4)
					if share > 1-1e-6 {
						found[method]++
					} else {
						t.Logf("%s of B %v, %d rows, seed %d keeps %v", method, b, rows, seed, share)
					}
				}
			}
		}
	}
	if found["anneal"] < tries || found["swaps"] < tries {
		t.Errorf("of %d orders, these were found: %v", tries, found)
	}
}

// Without structure a search gains little over any order.
func TestNothingIsFoundInNoise(t *testing.T) {
	w := randomMatrix(48, 48, 5)
	s := arch.Kronecker{Terms: 1, M1: 24, N1: 24, M2: 2, N2: 2}
	for _, method := range permutations[1:] {
		o, _, err := searched(w, s, naturalOrder(48, 48), method, 2000, 1, [2]bool{true, true})
		if err != nil {
			t.Fatal(err)
		}
		if _, share, _ := nearest(w, s, o); share < 0.25 || share > 0.5 {
			t.Errorf("%s keeps %v of noise", method, share)
		}
	}
}

// A swap gains what it is said to, and what is kept is the sum of the greatest
// eigenvalues.
func TestSwapsAddUp(t *testing.T) {
	w := randomMatrix(24, 20, 5)
	s := arch.Kronecker{Terms: 3, M1: 6, N1: 10, M2: 4, N2: 2}
	o := naturalOrder(24, 20)
	for name, v := range map[string]*view{"rows": rowsView(w, s, o), "columns": columnsView(w, s, o)} {
		if err := v.fit(); err != nil {
			t.Fatal(err)
		}
		_, share, _ := nearest(w, s, o)
		near(t, name+" keep", v.total(), share*square(matrixOf(w)), 1e-5)
		before, gain := v.total(), 0.0
		for _, pair := range [][2]int{{0, 1}, {2, 17}, {19, 3}, {4, 5}} {
			gain += v.swap(pair[0], pair[1])
		}
		near(t, name+" gain", gain, v.total()-before, 1e-9)
		fixed := v.total()
		if err := v.fit(); err != nil {
			t.Fatal(err)
		}
		if v.total() < fixed*(1-1e-12) {
			t.Errorf("%s: the best basis keeps %v, another %v", name, v.total(), fixed)
		}
	}
	wide := randomMatrix(300, 12, 2)
	s = arch.Kronecker{Terms: 2, M1: 300, N1: 3, M2: 1, N2: 4}
	v := columnsView(wide, s, naturalOrder(300, 12))
	if err := v.fit(); err != nil {
		t.Fatal(err)
	}
	_, share, _ := nearest(wide, s, naturalOrder(300, 12))
	near(t, "what compact columns keep", v.total(), share*square(matrixOf(wide)), 1e-4)
}

// Putting hidden units in order changes nothing of what a model computes, and
// leaves no order of them in the forms.
func TestHiddenUnitsAreFolded(t *testing.T) {
	m, cal := small(t), someText()
	k := &kronecker{Shape: "tq", Permute: "random", Seed: 1}
	plan, err := k.Plan(m, nil, m.Slots())
	if err != nil {
		t.Fatal(err)
	}
	rows, from := cal.Texts[:2], []int{1, 4}
	want, got := score(t, m, rows, from), score(t, plan.Model, rows, from)
	for i := range want {
		near(t, "score", got[i], want[i], 1e-6)
	}
	if plan.Model.Config().TiedHead {
		t.Error("the output matrix is still the token table")
	}
	if plan.At("blocks.0.ffn.up") != nil || plan.At("blocks.1.ffn.up") == nil {
		t.Error("of two blocks the first is to be replaced, or the second is not")
	}
	after, changes, err := reduced(t, "kronecker shape=tq permute=swaps steps=3000")
	if err != nil {
		t.Fatal(err)
	}
	seen := 0
	for _, c := range changes {
		if c.Form != "kronecker" {
			t.Errorf("%s is %s", c.Slot, c.Form)
		}
		n := c.Notes
		if n["kept energy"] <= n["kept energy, identity"] || n["kept energy"] <= n["kept energy, random"] {
			t.Errorf("%s: searched keeps no more: %v", c.Slot, n)
		}
		near(t, c.Slot+"'s error", 1-c.Error*c.Error, n["kept energy"], 1e-4)
	}
	for _, a := range after.Arrays() {
		switch a.Name {
		case "blocks.1.ffn.up.rows", "blocks.1.ffn.gate.rows", "blocks.1.ffn.down.columns":
			t.Errorf("%s is stored", a.Name)
		case "blocks.1.ffn.up.columns", "blocks.1.ffn.down.rows", "embedding.columns":
			seen++
		}
	}
	if seen != 3 || len(changes) != 4 {
		t.Errorf("%d orders are stored, %d matrices changed", seen, len(changes))
	}
}

// What a published layout stores is known without weights (papers count the
// models without their output matrices), and a model that is made has it.
func TestCountsOfLayouts(t *testing.T) {
	gpt2, err := arch.Presets.Get("gpt2")
	if err != nil {
		t.Fatal(err)
	}
	head := gpt2.Vocab * gpt2.Width
	for shape, want := range map[string]int{
		"kngpt2-embedding": 105_141_122, "kngpt2-ffn": 90_985_370, "kngpt2-qkv": 85_676_990, "kngpt2": 83_907_530, "tq": 81_336_388,
	} {
		params, err := CountKronecker(gpt2, shape)
		if err != nil {
			t.Fatal(err)
		}
		if got := params.Total - head; got != want {
			t.Errorf("%s: %d weights, want %d", shape, got, want)
		}
		if shape == "tq" && params.Total != 119_933_764 {
			t.Errorf("%s: %d weights with the output matrix", shape, params.Total)
		}
		m, _, err := reduced(t, "kronecker shape="+shape)
		if err != nil {
			t.Fatal(err)
		}
		if want, err := CountKronecker(small(t).Config(), shape); err != nil || m.Size().Params != want {
			t.Errorf("%s of a small model: %+v, counted %+v, %v", shape, m.Size().Params, want, err)
		}
	}
	distil, _ := arch.Presets.Get("distilgpt2")
	if got := distil.Params().Total; got != 81_912_576 {
		t.Errorf("DistilGPT-2 has %d weights", got)
	}
}

// What is foreseen of a layout is what becomes of a model.
func TestLayoutsAreForeseen(t *testing.T) {
	for _, stage := range []string{"kronecker shape=tq", "kronecker shape=tq permute=random", "kronecker shape=4x2 permute=random on=ffn.*,attention.q"} {
		s, err := ParseStage(stage)
		if err != nil {
			t.Fatal(err)
		}
		w, err := s.Worker()
		if err != nil {
			t.Fatal(err)
		}
		foresight, err := w.Foresee(small(t).Outline())
		if err != nil {
			t.Fatal(err)
		}
		m, _, err := reduced(t, stage)
		if err != nil {
			t.Fatal(err)
		}
		want, exact, err := foresight.After.Size()
		if got := m.Size(); got != want || !exact || err != nil {
			t.Errorf("%s: foreseen %+v (%v), became %+v", stage, want, err, got)
		}
	}
}

// Sizes that people quote: a quarter in 8 bits (a little more in blocks with
// scales), and how many times MobileLLM-125M goes into LLaMA-3.1-8B.
func TestQuotedSizes(t *testing.T) {
	q8, err := gguf.TypeNamed("Q8_0")
	if err != nil {
		t.Fatal(err)
	}
	if weights := 100_000_000 / 4; weights != 25_000_000 || math.Round(float64(q8.Bytes(weights))/1e5) != 266 {
		t.Errorf("100 MB of float32 are %d bytes of int8 and %d of Q8_0", weights, q8.Bytes(weights))
	}
	large, _ := arch.Presets.Get("llama-3.1-8b")
	mobile, _ := arch.Presets.Get("mobilellm-125m")
	if n := large.Params().Total; n != 8_030_261_248 || math.Round(10*float64(n)/float64(mobile.Params().Total)) != 644 {
		t.Errorf("%d weights are %v times %d", n, float64(n)/float64(mobile.Params().Total), mobile.Params().Total)
	}
}

func TestKroneckerRefusals(t *testing.T) {
	for stage, problem := range map[string]string{
		"kronecker shape=tt":                         "wanted is one of",
		"kronecker shape=3x5":                        "no matrix [32, 32]",
		"kronecker shape=2x2 terms=5":                "from 1 to 4",
		"kronecker shape=2x2 permute=best":           "permute=best",
		"kronecker shape=16x8 terms=1 permute=swaps": "too many for a search",
		"kronecker shape=2x2 on=attention.x":         "no matrix has a name",
		"kronecker shape=2x2 terms=-1":               "terms=-1",
		"kronecker shape=tq on=blocks.0.ffn.up":      "leaves all matrices as they are",
	} {
		if _, _, err := reduced(t, stage); err == nil || !containsText(err, problem) {
			t.Errorf("%s: %v, want something about %q", stage, err, problem)
		}
	}
	m, changes, err := reduced(t, "kronecker shape=2x2 terms=4 on=ffn.up")
	if err != nil || changes[0].Form != "dense" || changes[0].Notes["stays dense"] != 1 || m.Size() != small(t).Size() {
		t.Errorf("factors as large as the matrix: %v, %+v", err, changes[0])
	}
	w, err := Stage{Name: "svd", Settings: []Setting{{Name: "on", Value: "ffn.up"}}}.Worker()
	if err != nil {
		t.Fatal(err)
	}
	half, _, err := reduced(t, "kronecker shape=4x2 terms=4")
	if err != nil {
		t.Fatal(err)
	}
	if _, changes, err = w.Apply(context.Background(), half, nil, Options{}); err != nil || changes[0].Slot != "blocks.0.ffn.up.a" || math.IsNaN(changes[0].Error) {
		t.Errorf("a Kronecker matrix is worked on as %+v, %v", changes, err)
	}
}

func containsText(err error, text string) bool { return strings.Contains(err.Error(), text) }
