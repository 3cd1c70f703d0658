package compress

import (
	"context"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"gonum.org/v1/gonum/mat"

	"plumb/model"
)

// randomDense is a matrix of normal numbers.
func randomDense(out, in int, seed uint64) *model.Dense {
	random := rand.New(rand.NewPCG(seed, 1))
	w := &model.Dense{Out: out, In: in, Weight: make([]float32, out*in)}
	for i := range w.Weight {
		w.Weight[i] = float32(random.NormFloat64() * 0.05)
	}
	return w
}

// correlated shows inputs that are mixtures of a few, some much larger than others.
func correlated(in, rows int, seed uint64) *Inputs {
	random := rand.New(rand.NewPCG(seed, 2))
	sources := max(1, in/4)
	mix := make([]float64, in*sources)
	for i := range mix {
		mix[i] = random.NormFloat64()
	}
	s := newInputs("test", in, Moments|Gram|Rows)
	for range rows {
		x, source := make([]float32, in), make([]float64, sources)
		for k := range source {
			source[k] = random.NormFloat64() * math.Exp(float64(-k)/8)
		}
		for i := range x {
			v := random.NormFloat64() * 0.1
			for k, z := range source {
				v += z * mix[i*sources+k]
			}
			if i%17 == 3 {
				v *= 8 // as a few features of language models are
			}
			x[i] = float32(v)
		}
		s.see(x, 1)
	}
	if err := s.finish(); err != nil {
		panic(err)
	}
	return s
}

// identity is what uncorrelated inputs of equal size would show.
func identity(in, rows int) *Inputs {
	s := newInputs("test", in, Gram)
	s.Rows = rows
	for i := range in {
		s.Gram[i*in+i] = float64(rows) / 2
	}
	return s
}

// errorOf returns how far the outputs of a stage's matrix are from those of w.
func errorOf(t *testing.T, stage string, w *model.Dense, in *Inputs) float64 {
	t.Helper()
	_, outputs := distances(w, model.Expand(made(t, stage, w, in)), in)
	return outputs
}

// made is w by a stage for matrices.
func made(t *testing.T, stage string, w *model.Dense, in *Inputs) model.Linear {
	t.Helper()
	l, _, err := method(t, stage).Matrix(w, in)
	if err != nil {
		t.Fatalf("%s: %v", stage, err)
	}
	return l
}

func method(t *testing.T, stage string) MatrixMethod {
	t.Helper()
	s, err := ParseStage(stage)
	if err != nil {
		t.Fatal(err)
	}
	w, err := s.Worker()
	if err != nil {
		t.Fatal(err)
	}
	return w.work.(MatrixMethod)
}

func TestGPTQBeatsRoundingOnCorrelatedInputs(t *testing.T) {
	for _, settings := range []string{"bits=2 symmetric=false", "bits=3", "bits=3 symmetric=false", "bits=4", "bits=4 symmetric=false", "bits=4 clip=mse", "bits=3 group=32", "bits=8", "bits=4 group=24"} {
		t.Run(settings, func(t *testing.T) {
			for seed := range uint64(2) {
				w, in := randomDense(24, 96, seed), correlated(96, 300, seed)
				plain := errorOf(t, "rtn "+settings, w, in)
				for _, more := range []string{"", " block=1", " block=1000", " static=true", " static=true order=true"} {
					if got := errorOf(t, "gptq "+settings+more, w, in); got > plain*0.95 {
						t.Errorf("%s: error %.4f, of rounding %.4f", more, got, plain)
					}
				}
			}
		})
	}
}

func TestGPTQIsRoundingWhereInputsAreUncorrelated(t *testing.T) {
	w := randomDense(24, 96, 5)
	for _, settings := range []string{"bits=2 symmetric=false", "bits=4", "bits=4 clip=mse group=32", "bits=3 group=40", "bits=8 group=32 symmetric=false"} {
		want := model.Expand(made(t, "rtn "+settings, w, nil)).Weight
		for _, more := range []string{"", " damp=0", " order=true static=true", " block=7"} {
			got := model.Expand(made(t, "gptq "+settings+more, w, identity(96, 50))).Weight
			if !slices.Equal(got, want) {
				t.Errorf("%s%s: other weights than by rounding", settings, more)
			}
		}
	}
}

// The codes are those of the definition, which inverts the curvature of the
// inputs that are left after every input (Frantar et al. 2022, equations 2 and 3).
func TestGPTQAgainstItsDefinition(t *testing.T) {
	const out, in = 16, 24
	w, seen := randomDense(out, in, 9), correlated(in, 200, 9)
	for _, settings := range []string{"bits=3", "bits=4 group=8", "bits=4 group=8 clip=mse", "bits=3 order=true", "bits=4 order=true group=16 static=true"} {
		g := method(t, "gptq "+settings+" block=5").(*gptq)
		got, _, err := g.round(w, seen)
		if err != nil {
			t.Fatal(err)
		}
		same := 0
		for row := range out {
			want := byDefinition(g, w.Row(row), seen)
			for i := range in {
				if want[i] == got.q[row*in+i] {
					same++
				}
			}
		}
		if same < out*in*99/100 { // the factor is rounded to float32, which moves a code now and then
			t.Errorf("%s: %d of %d codes agree", settings, same, out*in)
		}
	}
}

func byDefinition(g *gptq, row []float32, seen *Inputs) []int8 {
	n := len(row)
	order, w := g.order(seen), make([]float64, n)
	c := g.newCodes(&model.Dense{Out: 1, In: n, Weight: row})
	c.grids = c.levels.Grids(row, n, c.group, g.Clip == "mse")
	mean := 0.0
	for i := range n {
		w[i] = float64(row[i])
		mean += 2 * seen.Gram[i*n+i] / float64(seen.Rows) / float64(n)
	}
	for p, i := range order {
		if !g.fitsBefore() && i%c.group == 0 {
			now := make([]float32, 0, c.group)
			for j := i; j < min(i+c.group, n); j++ {
				now = append(now, float32(w[j]))
			}
			c.grids[i/c.group] = g.fit(now)
		}
		left := order[p:]
		h := mat.NewDense(len(left), len(left), nil)
		for a, j := range left {
			for b, k := range left {
				h.Set(a, b, 2*seen.Gram[j*n+k]/float64(seen.Rows))
			}
			h.Set(a, a, h.At(a, a)+g.Damp*mean)
		}
		var inverse mat.Dense
		if err := inverse.Inverse(h); err != nil {
			panic(err)
		}
		c.q[i] = c.levels.Code(float32(w[i]), c.grids[i/c.group])
		e := (w[i] - float64(c.grids[i/c.group].Value(c.q[i]))) / inverse.At(0, 0)
		for a, j := range left {
			w[j] -= e * inverse.At(0, a)
		}
	}
	return c.q
}

func TestSingularCurvature(t *testing.T) {
	w, in := randomDense(8, 32, 1), correlated(32, 5, 1) // 5 texts cannot show 32 directions
	if _, _, err := method(t, "gptq damp=0").Matrix(w, in); err == nil || !strings.Contains(err.Error(), "use more damping") {
		t.Errorf("undamped: %v", err)
	}
	if got, plain := errorOf(t, "gptq", w, in), errorOf(t, "rtn bits=4", w, in); !(got < plain) {
		t.Errorf("damped: error %v, of rounding %v", got, plain)
	}
}

func TestDeadInputsBecomeZero(t *testing.T) {
	w, in := randomDense(8, 32, 1), correlated(32, 100, 1)
	for i := range 32 {
		in.Gram[i*32+7], in.Gram[7*32+i] = 0, 0
	}
	l, notes, err := method(t, "gptq bits=3").Matrix(w, in)
	if err != nil || notes["dead inputs"] != 1 {
		t.Fatalf("%v, notes %v", err, notes)
	}
	for r := range 8 {
		if v := model.Expand(l).Row(r)[7]; v != 0 {
			t.Errorf("row %d has %v for an input that is always zero", r, v)
		}
	}
}

func TestZeroRows(t *testing.T) {
	for _, stage := range []string{"rtn bits=4", "rtn bits=2 symmetric=false group=8 clip=mse", "rtn per=tensor", "gptq bits=2", "gptq bits=4 group=8", "awq group=8", "w8a8", "llmint8", "q4_0"} {
		w, in := randomDense(4, 32, 2), correlated(32, 64, 2)
		clear(w.Row(1))
		got := model.Expand(made(t, stage, w, in))
		if slices.ContainsFunc(got.Row(1), func(v float32) bool { return v != 0 }) {
			t.Errorf("%s: a row of zeros becomes %v", stage, got.Row(1))
		}
	}
}

func TestSettingsOfQuantisation(t *testing.T) {
	tests := []struct{ stage, problem string }{
		{"rtn bits=1", "bits=1: 2 to 8 are possible"},
		{"gptq bits=9", "bits=9: 2 to 8 are possible"},
		{"rtn group=12", "a multiple of 8 is wanted"},
		{"rtn group=-8", "a multiple of 8 is wanted"},
		{"rtn clip=l2", "mse or none"},
		{"rtn per=row", "group or tensor"},
		{"rtn per=tensor group=32", "a matrix has one scale or one for each group"},
		{"rtn bit=4", `did you mean "bits"?`},
		{"gptq damp=-1", "0 or more"},
		{"gptq damp=nan", "0 or more"},
		{"gptq block=0", "1 or more"},
		{"gptq order=true group=32", "needs static=true"},
		{"awq bits=1", "2 to 8 are possible"},
		{"awq tokens=0", "at least 1"},
		{"awq clip=l2", "awq, mse or none"},
		{"smoothquant alpha=1.5", "a share from 0 to 1"},
		{"llmint8 threshold=0", "above 0"},
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
}

// Text through which the model computes NaN is told as such, with its place.
func TestBrokenModelsAreNamed(t *testing.T) {
	m := small(t)
	for _, a := range m.Arrays() {
		if a.Name == "blocks.1.attention.norm.gain" {
			a.Data[3] = float32(math.NaN())
		}
	}
	for _, stage := range []string{"gptq on=blocks.1.attention.q", "awq", "smoothquant", "llmint8 on=blocks.1.attention.q", "w8a8 static=true on=blocks.1.attention.q"} {
		if _, _, err := apply(t, stage, m); err == nil || !strings.Contains(err.Error(), "blocks.1.attention.q: the calibration text makes the model compute NaN") {
			t.Errorf("%s: %v", stage, err)
		}
	}
}

// apply runs a stage.
func apply(t *testing.T, stage string, m *model.Model) (*model.Model, []Change, error) {
	t.Helper()
	return applyTo(t, stage, m, someText())
}

func applyTo(t *testing.T, stage string, m *model.Model, cal *Calibration) (*model.Model, []Change, error) {
	t.Helper()
	s, err := ParseStage(stage)
	if err != nil {
		t.Fatal(err)
	}
	w, err := s.Worker()
	if err != nil {
		t.Fatal(err)
	}
	return w.Apply(context.Background(), m, cal, Options{})
}
