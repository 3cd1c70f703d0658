package compress

import (
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"plumb/arch"
	"plumb/model"
)

// shapes are models that differ in where norms stand and what they feed.
func shapes(t *testing.T) map[string]*model.Model {
	t.Helper()
	base := small(t).Config()
	all := map[string]*model.Model{}
	add := func(name string, change func(*arch.Config)) {
		c := base
		c.Layers, c.Context = 2, 16
		change(&c)
		m, err := model.New(c, model.Init{}, 4)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		random := rand.New(rand.NewPCG(8, 8))
		for _, a := range m.Arrays() { // biases and gains that are not all the same
			if len(a.Shape) == 1 {
				for i := range a.Data {
					a.Data[i] += float32(random.NormFloat64() * 0.3)
				}
			}
		}
		all[name] = m
	}
	add("base", func(*arch.Config) {})
	add("each head its own keys", func(c *arch.Config) { c.KVHeads = c.Heads })
	add("shared layers", func(c *arch.Config) { c.Sharing, c.Repeat, c.Layers = "immediate", 2, 4 })
	add("gpt2", func(c *arch.Config) {
		c.KVHeads, c.Norm, c.Activation, c.Position, c.RotaryTheta, c.RotaryShare = c.Heads, "layernorm", "gelu", "learned", 0, 0
		c.QKVBias, c.OutBias, c.FFNBias = true, true, true
	})
	add("opt", func(c *arch.Config) {
		c.KVHeads, c.Norm, c.Activation, c.QKVBias, c.OutBias, c.FFNBias = c.Heads, "layernorm", "relu", true, true, true
	})
	add("parallel", func(c *arch.Config) { c.ParallelResidual = true })
	add("parallel of one norm", func(c *arch.Config) { c.ParallelResidual, c.NormsPerLayer = true, 1 })
	add("four norms", func(c *arch.Config) { c.NormsPerLayer, c.NormOffset = 4, 1 })
	return all
}

// Scales that are powers of two round nothing, so that every fold must leave every
// bit of the scores as it is.
func TestFoldsChangeNothing(t *testing.T) {
	wanted := map[string]int{"base": 3, "each head its own keys": 4, "shared layers": 3, "gpt2": 3, "opt": 4, "parallel": 3, "parallel of one norm": 2, "four norms": 3}
	rows, from := someText().Texts[:2], []int{1, 4}
	for i := range rows {
		rows[i] = rows[i][:16]
	}
	for name, m := range shapes(t) {
		t.Run(name, func(t *testing.T) {
			d, err := newDraft(m)
			if err != nil {
				t.Fatal(err)
			}
			all := whichFolds(m, func(fold) bool { return true })
			if got := len(all) / m.Config().BlockCount(); got != wanted[name] {
				t.Errorf("%d folds a block, want %d", got, wanted[name])
			}
			random := rand.New(rand.NewPCG(1, 1))
			for _, f := range all {
				_, in := d.weight(f.into[0])
				s := make([]float32, in)
				for j := range s {
					s[j] = float32(math.Ldexp(1, random.IntN(7)-3))
				}
				d.scale(f, s)
			}
			if got, want := score(t, d.model, rows, from), score(t, m, rows, from); got != want {
				t.Errorf("scores %v, before %v", got, want)
			}
		})
	}
}

// Before it rounds, SmoothQuant changes the scores by rounding errors only, and it
// makes the greatest inputs smaller.
func TestSmoothingChangesNothing(t *testing.T) {
	cal := someText()
	for i := range cal.Texts {
		cal.Texts[i] = cal.Texts[i][:16]
	}
	rows, from := cal.Texts[:2], []int{1, 4}
	for name, m := range shapes(t) {
		loud(t, m)
		for _, stage := range []string{"smoothquant", "smoothquant alpha=0.85", "awq bits=3 group=8"} {
			p := method(t, stage).(Preparer)
			smooth, _, err := p.Prepare(m, cal)
			if err != nil {
				t.Fatalf("%s, %s: %v", name, stage, err)
			}
			got, want := score(t, smooth, rows, from), score(t, m, rows, from)
			for i := range got {
				if math.Abs(got[i]-want[i]) > 2e-5*math.Abs(want[i]) {
					t.Errorf("%s, %s: scores %v, before %v", name, stage, got, want)
				}
			}
		}
	}
}

// loud makes a few channels of the norms much larger, as trained models have them.
func loud(t *testing.T, m *model.Model) {
	t.Helper()
	for _, a := range m.Arrays() {
		if strings.HasSuffix(a.Name, "norm.gain") {
			a.Data[3] *= 20
			a.Data[17] *= 10
		}
	}
}

// layerError sums over the layers how much their outputs change, relative to what
// they give, for what the first model gives each.
func layerError(t *testing.T, m, other *model.Model, cal *Calibration) float64 {
	t.Helper()
	s, err := statesOf(m, cal, 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	sum := 0.0
	for block := range m.Config().BlockCount() {
		sum += squaredDistance(s.outputs(m, block), s.outputs(other, block))
	}
	return sum
}

func TestAWQIsNoWorseThanRounding(t *testing.T) {
	for _, name := range []string{"base", "each head its own keys", "opt", "parallel of one norm"} {
		for _, settings := range []string{"bits=3 group=16", "bits=4 group=32", "bits=4 group=16 symmetric=false"} {
			m, cal := shapes(t)[name], someText()
			for i := range cal.Texts {
				cal.Texts[i] = cal.Texts[i][:16]
			}
			loud(t, m)
			plain, _, err := applyTo(t, "rtn "+settings, m, cal)
			if err != nil {
				t.Fatal(err)
			}
			aware, _, err := applyTo(t, "awq "+settings, m, cal)
			if err != nil {
				t.Fatal(err)
			}
			got, want := layerError(t, m, aware, cal), layerError(t, m, plain, cal)
			if !(got <= want) {
				t.Errorf("%s, %s: error %.4g, of rounding %.4g", name, settings, got, want)
			}
		}
	}
}

// A model of wide rows takes the bits that papers count: those of the weights and
// 16 for a scale, 8 for a zero.
func TestBitsPerWeight(t *testing.T) {
	c := small(t).Config()
	c.Width, c.Heads, c.KVHeads, c.HeadDim, c.Hidden, c.Layers = 128, 4, 4, 32, 256, 1
	m, err := model.New(c, model.Init{}, 1)
	if err != nil {
		t.Fatal(err)
	}
	norms := 4 * 3 * 128
	weights := (m.Size().BodyBytes - norms) / 4
	tests := []struct {
		stage string
		bits  float64
	}{
		{"rtn bits=4 group=128", 4.125},
		{"rtn bits=4 group=128 symmetric=false", 4.125 + 8.0/128},
		{"rtn bits=3 group=32", 3.5},
		{"rtn bits=8 group=32", 8.5},
		{"rtn bits=5 group=64", 5.25},
		{"rtn bits=2 group=64 clip=mse", 2.25},
		{"gptq bits=4 group=128", 4.125},
		{"awq bits=4 group=128", 4.125},
		{"gptq bits=4 group=128 symmetric=false", 4.125 + 8.0/128},
		{"awq bits=4 group=128 symmetric=false", 4.125 + 8.0/128},
		{"q8_0", 8.5},
		{"q4_0", 4.5},
	}
	for _, test := range tests {
		small, changes, err := applyTo(t, test.stage, m, someText())
		if err != nil {
			t.Fatalf("%s: %v", test.stage, err)
		}
		if got := 8 * float64(small.Size().BodyBytes-norms) / float64(weights); got != test.bits {
			t.Errorf("%s: %v bits a weight, want %v", test.stage, got, test.bits)
		}
		if got := small.Size().Params; got != m.Size().Params {
			t.Errorf("%s: %+v weights, before %+v", test.stage, got, m.Size().Params)
		}
		foreseen(t, test.stage, m, changes)
	}
}

// foreseen checks that a stage knew the forms beforehand.
func foreseen(t *testing.T, stage string, m *model.Model, changes []Change) {
	t.Helper()
	s, err := ParseStage(stage)
	if err != nil {
		t.Fatal(err)
	}
	w, err := s.Worker()
	if err != nil {
		t.Fatal(err)
	}
	foresight, err := w.Foresee(m.Outline())
	if err != nil {
		t.Fatal(err)
	}
	forms := map[string]string{}
	for _, c := range changes {
		forms[c.Slot] = c.Form
	}
	for _, p := range foresight.Matrices {
		if p.Open || p.Problem != nil || p.Form != forms[p.Slot] {
			t.Errorf("%s: %+v, became %s", stage, p, forms[p.Slot])
		}
	}
}

// The token table and an output matrix of its own can be rounded too.
func TestTablesAreRounded(t *testing.T) {
	c := small(t).Config()
	c.TiedHead = false
	separate, err := model.New(c, model.Init{}, 2)
	if err != nil {
		t.Fatal(err)
	}
	for name, m := range map[string]*model.Model{"tied": small(t), "separate": separate} {
		for _, stage := range []string{"rtn bits=8 on=embedding", "gptq bits=4 on=embedding", "q8_0 on=embedding,head", "w8a8 on=head", "rtn bits=6 on=embedding,head,attention.*"} {
			if name == "tied" && stage == "w8a8 on=head" || name == "separate" && stage == "gptq bits=4 on=embedding" {
				continue
			}
			after, changes, err := applyTo(t, stage, m, someText())
			if err != nil || len(changes) == 0 {
				t.Fatalf("%s, %s: %v", name, stage, err)
			}
			if !(after.Size().Bytes < m.Size().Bytes) {
				t.Errorf("%s, %s: %d bytes, before %d", name, stage, after.Size().Bytes, m.Size().Bytes)
			}
			score(t, after, someText().Texts[:2], []int{1, 4})
		}
	}
}

func TestW8A8(t *testing.T) {
	w, in := randomDense(24, 64, 3), correlated(64, 100, 3)
	rows := 100
	want := make([]float32, rows*24)
	w.Forward(want, in.X, rows)
	errors := map[string]float64{}
	for _, stage := range []string{"w8a8", "w8a8 static=true", "llmint8 threshold=6", "llmint8 threshold=1e9", "llmint8 threshold=1e-9"} {
		got := make([]float32, rows*24)
		made(t, stage, w, in).Forward(got, in.X, rows)
		errors[stage] = math.Sqrt(squaredDistance([][][]float32{{got}}, [][][]float32{{want}}) / squaredDistance([][][]float32{{make([]float32, len(want))}}, [][][]float32{{want}}))
	}
	if e := errors["w8a8"]; !(e > 0 && e < 0.03) {
		t.Errorf("by token: error %v", e)
	}
	if e := errors["w8a8 static=true"]; !(e > errors["w8a8"] && e < 0.2) {
		t.Errorf("static: error %v, by token %v", e, errors["w8a8"])
	}
	if e := errors["llmint8 threshold=6"]; !(e < errors["w8a8"]) {
		t.Errorf("with large inputs apart: error %v, without %v", e, errors["w8a8"])
	}
	if errors["llmint8 threshold=1e9"] != errors["w8a8"] {
		t.Errorf("with nothing apart: error %v, want %v", errors["llmint8 threshold=1e9"], errors["w8a8"])
	}
	if e := errors["llmint8 threshold=1e-9"]; e > 1e-6 {
		t.Errorf("with all apart: error %v", e)
	}
	dead := newInputs("test", 64, Moments)
	dead.see(make([]float32, 64), 1)
	if _, _, err := method(t, "w8a8 static=true").Matrix(w, dead); err == nil || !strings.Contains(err.Error(), "all zero") {
		t.Errorf("inputs without size: %v", err)
	}
}

func TestModelsThatCannotBeSmoothed(t *testing.T) {
	c := small(t).Config()
	c.PostNorm, c.NoOuterNorm = true, true
	m, err := model.New(c, model.Init{}, 1)
	if err != nil {
		t.Skip(err)
	}
	if _, _, err := apply(t, "smoothquant", m); err == nil || !strings.Contains(err.Error(), "take w8a8") {
		t.Errorf("smoothquant: %v", err)
	}
	if _, _, err := apply(t, "awq", m); err != nil {
		t.Errorf("awq: %v", err)
	}
}
