package train

import (
	"context"
	"math"
	"slices"
	"strings"
	"testing"

	"plumb/arch"
	"plumb/internal/registry"
	"plumb/kernels"
	"plumb/model"
)

// learner is a stage as it is written: "distil tokens=2e6 hidden=1".
func learner(t *testing.T, text string) Learner {
	t.Helper()
	l, err := parsed(text)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func parsed(text string) (Learner, error) {
	words := strings.Fields(text)
	var settings []registry.Setting
	for _, word := range words[1:] {
		name, value, _ := strings.Cut(word, "=")
		settings = append(settings, registry.Setting{Name: name, Value: value})
	}
	return NewLearner(words[0], settings)
}

// stageOptions are options of a short run of l.
func stageOptions(l Learner, dir string) Options {
	o := options(dir)
	base := o.Config
	o.Config = l.Config(base)
	o.Seed = 5
	return o
}

// seeded is a tiny model of other weights than newModel's.
func seeded(t *testing.T, seed uint64) *model.Model {
	t.Helper()
	m, err := model.New(tiny(), model.Init{}, seed)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// stages are short runs of every stage and of what they can be set to.
var stages = []string{
	"heal tokens=1280",
	"distil tokens=1280",
	"distil tokens=1280 label=0 logits_loss=mse",
	"distil tokens=1280 hidden=1 embedding=0.5 attention=1 layers=uniform",
	"distil tokens=1280 hidden=1 hidden_loss=mse attention=2 attention_loss=mse layers=1-0",
	"distil tokens=1280 from=scratch:layers=1,heads=4",
	"qat tokens=1280 bits=3",
	"qat tokens=1280 group=8 symmetric=false clip=mse label=0 logits=1 on=ffn.*",
}

func TestEveryStageIsTested(t *testing.T) {
	for _, name := range Stages.Names() {
		if !slices.ContainsFunc(stages, func(text string) bool { return strings.HasPrefix(text, name+" ") }) {
			t.Errorf("no test runs stage %q", name)
		}
	}
}

// A stage learns, leaves the models that it is given as they are, and gives the
// same bits when it is stopped at every step and gone on with.
func TestStages(t *testing.T) {
	for _, text := range stages {
		t.Run(text, func(t *testing.T) {
			student, teacher := newModel(t), seeded(t, 8)
			before, taught := weights(student), weights(teacher)
			l := learner(t, text)
			if err := l.Fits(student.Config(), teacher.Config()); err != nil {
				t.Fatal(err)
			}
			o := stageOptions(l, "")
			o.First = 100
			want, out, err := l.Learn(context.Background(), student, teacher, o)
			if err != nil || out.Status != Done || out.Next != 100+1280/16 {
				t.Fatalf("%+v, %v", out, err)
			}
			if weights(student) != before || weights(teacher) != taught {
				t.Error("a model that was given has changed")
			}
			if weights(want) == before {
				t.Error("nothing was learned")
			}
			if (out.TeacherFLOPs > 0) != l.Teacher() {
				t.Errorf("the teacher took %v operations", out.TeacherFLOPs)
			}
			dir := t.TempDir()
			for {
				ctx, stop := context.WithCancel(context.Background())
				o.Dir, o.Progress = dir, func(Progress) { stop() }
				got, again, err := l.Learn(ctx, student, teacher, o)
				if err != nil {
					t.Fatal(err)
				}
				if again.Status == Stopped {
					continue
				}
				if weights(got) != weights(want) || !slices.EqualFunc(again.Curve, out.Curve, func(a, b Point) bool { return a == b }) {
					t.Error("the resumed run differs")
				}
				return
			}
		})
	}
}

// Stages end with the same bits on every set of kernels, for any number of
// workers, and whether layers are kept or computed again. How many rows pass
// through at a time changes the last bits of sums, as in all training.
func TestStagesAreBitwiseEqual(t *testing.T) {
	chosen, workers := kernels.Chosen(), kernels.Workers()
	defer func() { kernels.Use(chosen); kernels.SetWorkers(workers) }()
	for _, text := range stages {
		t.Run(text, func(t *testing.T) {
			run := func(micro int, recompute bool) *model.Model {
				l := learner(t, strings.Replace(text, "1280", "256", 1))
				o := stageOptions(l, "")
				o.MicroTokens, o.Recompute = micro, recompute
				m, out, err := l.Learn(context.Background(), newModel(t), seeded(t, 8), o)
				if err != nil || out.Status != Done {
					t.Fatalf("%+v, %v", out, err)
				}
				return m
			}
			want := run(32, false)
			for i, name := range kernels.Names() {
				if err := kernels.Use(name); err != nil {
					t.Fatal(err)
				}
				kernels.SetWorkers(1 + i%3)
				if got := run(32, i%2 == 0); weights(got) != weights(want) {
					t.Errorf("%s: other weights", name)
				}
			}
			kernels.Use(chosen)
			for _, micro := range []int{16, 48, 64} {
				if far := apart(run(micro, true), want); far > 1e-3 {
					t.Errorf("%d tokens at a time: weights are %v apart", micro, far)
				}
			}
		})
	}
}

// apart is the greatest difference of two weights.
func apart(a, b *model.Model) (most float64) {
	for i, p := range a.Params() {
		for j, w := range p.Data {
			most = max(most, math.Abs(float64(w-b.Params()[i].Data[j])))
		}
	}
	return most
}

// A model that learns only from itself has nothing to learn.
func TestDistillingFromItself(t *testing.T) {
	m := newModel(t)
	text := "distil tokens=640 label=0 logits=1 hidden=1 embedding=1 attention=1 layers=uniform"
	for _, losses := range []string{" hidden_loss=mse attention_loss=mse logits_loss=mse", " temperature=3"} {
		l := learner(t, text+losses)
		got, out, err := l.Learn(context.Background(), m, m, stageOptions(l, ""))
		if err != nil || out.Status != Done {
			t.Fatalf("%+v, %v", out, err)
		}
		for _, p := range out.Curve {
			if p.Loss != 0 {
				t.Errorf("loss %v at step %d", p.Loss, p.Step)
			}
		}
		if weights(got) != weights(m) {
			t.Error("weights have moved")
		}
	}
}

// Nor does the first step move more than decay does.
func TestDistillingFromItselfDecays(t *testing.T) {
	m := newModel(t)
	l := learner(t, "distil tokens=64 label=0 hidden=1 decay=0.1 lr=0.01")
	got, out, err := l.Learn(context.Background(), m, m, stageOptions(l, ""))
	if err != nil || out.Steps != 1 {
		t.Fatalf("%+v, %v", out, err)
	}
	for i, p := range got.Params() {
		want := slices.Clone(m.Params()[i].Data)
		decay := kernels.AdamW{LearningRate: 0.01, Eps: 1e-8, GradScale: 1, Correction1: 1, Correction2: 1}
		if p.Matrix() {
			decay.Decay = 0.1
		}
		nothing := func() []float32 { return make([]float32, len(want)) }
		decay.Step(want, nothing(), nothing(), nothing())
		if !slices.Equal(p.Data, want) {
			t.Errorf("%s moves otherwise than by decay", p.Name)
		}
	}
}

// The frozen teacher teaches what it does otherwise.
func TestFrozenTeacher(t *testing.T) {
	l := learner(t, "distil tokens=320 hidden=1 attention=1")
	frozen := seeded(t, 8)
	frozen.Freeze()
	one, _, err := l.Learn(context.Background(), newModel(t), seeded(t, 8), stageOptions(l, ""))
	if err != nil {
		t.Fatal(err)
	}
	two, _, err := l.Learn(context.Background(), newModel(t), frozen, stageOptions(l, ""))
	if err != nil {
		t.Fatal(err)
	}
	if weights(one) != weights(two) {
		t.Error("other weights")
	}
}

func TestPrunedWeightsStayZero(t *testing.T) {
	m := newModel(t)
	for _, p := range m.Params() {
		for i := range p.Data {
			if p.Matrix() && i%3 == 0 {
				p.Data[i] = 0
			}
		}
	}
	for _, text := range []string{"heal tokens=640 decay=0.1", "distil tokens=640", "qat tokens=640 symmetric=false"} {
		l := learner(t, text)
		got, _, err := l.Learn(context.Background(), m, seeded(t, 8), stageOptions(l, ""))
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range got.Params() {
			for i, w := range p.Data {
				if p.Matrix() && (w == 0) != (i%3 == 0) {
					t.Fatalf("%s: weight %d of %s is %v", text, i, p.Name, w)
				}
			}
		}
	}
	l := learner(t, "heal tokens=64 zeros=false")
	got, _, err := l.Learn(context.Background(), m, nil, stageOptions(l, ""))
	if err != nil || got.Params()[1].Data[0] == 0 {
		t.Errorf("zeros=false: weight %v, %v", got.Params()[1].Data[0], err)
	}
}

// Factors are trained as factors.
func TestFactorsHeal(t *testing.T) {
	m := newModel(t)
	low := map[string]model.Linear{}
	for _, s := range m.Slots() {
		if out, in := s.Matrix.Shape(); s.Block >= 0 {
			low[s.Name] = model.NewLowRank(numbers(out*4), numbers(4*in), nil, out, 4, in)
		}
	}
	m, err := m.With(low)
	if err != nil {
		t.Fatal(err)
	}
	l := learner(t, "heal tokens=2560 lr=1e-2")
	got, out, err := l.Learn(context.Background(), m, nil, stageOptions(l, ""))
	if err != nil || out.Status != Done {
		t.Fatalf("%+v, %v", out, err)
	}
	if first, last := out.Curve[0].Loss, out.Curve[len(out.Curve)-1].Loss; !(last < 0.6*first) {
		t.Errorf("loss went from %v to %v", first, last)
	}
	if got.Size() != m.Size() {
		t.Errorf("size %+v, before %+v", got.Size(), m.Size())
	}
	for i, p := range got.Params() {
		if slices.Equal(p.Data, m.Params()[i].Data) {
			t.Errorf("%s has not moved", p.Name)
		}
	}
}

// numbers returns n small numbers, the same for the same n.
func numbers(n int) []float32 {
	x := make([]float32, n)
	state := uint32(n)
	for i := range x {
		state = state*1664525 + 1013904223
		x[i] = float32(state>>8)/(1<<24) - 0.5
	}
	return x
}

// What the passes of qat see at its end is what rounding its result gives.
func TestRoundedTrainingEndsOnTheGrid(t *testing.T) {
	tests := []struct {
		text   string
		levels kernels.Levels
		group  int
		clip   bool
	}{
		{"qat tokens=640 bits=4", kernels.Levels{Bits: 4, Symmetric: true}, 0, false},
		{"qat tokens=640 bits=2 group=8 symmetric=false", kernels.Levels{Bits: 2}, 8, false},
		{"qat tokens=640 bits=3 group=16 clip=mse", kernels.Levels{Bits: 3, Symmetric: true}, 16, true},
	}
	for _, test := range tests {
		t.Run(test.text, func(t *testing.T) {
			var seen *model.Model
			l := learner(t, test.text)
			o := stageOptions(l, "")
			o.ValidEvery = 10
			o.Valid = func(m *model.Model) (float64, error) { seen = m.Clone(); return 0, nil }
			got, out, err := l.Learn(context.Background(), newModel(t), nil, o)
			if err != nil || out.Status != Done || out.Steps != 10 {
				t.Fatalf("%+v, %v", out, err)
			}
			for i, p := range got.Params() {
				want := slices.Clone(p.Data)
				if in := p.Shape[len(p.Shape)-1]; p.Matrix() && strings.HasPrefix(p.Name, "blocks.") {
					group := in
					if test.group != 0 {
						group = test.group
					}
					test.levels.Round(want, want, in, group, test.levels.Grids(want, in, group, test.clip))
				}
				if !slices.Equal(seen.Params()[i].Data, want) {
					t.Errorf("%s: the last pass saw other weights", p.Name)
				}
			}
		})
	}
}

func TestStagesRefuse(t *testing.T) {
	nan := newModel(t)
	nan.Params()[3].Data[2] = float32(math.NaN())
	other := func(change func(*arch.Config)) *model.Model {
		c := tiny()
		change(&c)
		m, err := model.New(c, model.Init{}, 1)
		if err != nil {
			t.Fatal(err)
		}
		return m
	}
	wide := func(c *arch.Config) { c.Width, c.HeadDim = 32, 16 }
	tests := []struct {
		text             string
		student, teacher *model.Model // nil: tiny
		want             string
	}{
		{"distil", nil, other(func(c *arch.Config) { c.Vocab = 18 }), "the teacher knows 18 tokens and the student 17"},
		{"distil", nil, other(func(c *arch.Config) { c.Context = 8 }), "its context must be as long"},
		{"distil hidden=1", nil, other(wide), "width 16 cannot be compared with the teacher's of 32"},
		{"distil embedding=1", nil, other(wide), "width 16 cannot"},
		{"distil attention=1", nil, other(func(c *arch.Config) { c.Heads = 4 }), "2 heads cannot be compared with the teacher's 4"},
		{"distil attention=1", nil, other(func(c *arch.Config) { c.Window = 4 }), "a window or a soft cap"},
		{"distil hidden=1 layers=0-5", nil, nil, "layer 0 of 2 of the student with layer 5 of 2"},
		{"distil from=scratch:heads=3,kv_heads=2", nil, nil, "from=scratch:heads=3,kv_heads=2"},
		{"distil", nil, nan, "of the teacher holds a NaN"},
		{"heal", nan, nil, "of the model to be trained holds a NaN"},
		{"qat on=ffn.gat", nil, nil, "no matrix has a name that matches on=ffn.gat"},
	}
	for _, test := range tests {
		t.Run(test.text, func(t *testing.T) {
			student, teacher := test.student, test.teacher
			if student == nil {
				student = newModel(t)
			}
			if teacher == nil {
				teacher = newModel(t)
			}
			l := learner(t, test.text)
			err := l.Fits(student.Config(), teacher.Config())
			if err == nil {
				_, _, err = l.Learn(context.Background(), student, teacher, stageOptions(l, ""))
			}
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want something about %q", err, test.want)
			}
		})
	}
	l := learner(t, "distil")
	if _, _, err := l.Learn(context.Background(), newModel(t), nil, stageOptions(l, "")); err == nil || !strings.Contains(err.Error(), "learns from a teacher") {
		t.Errorf("without a teacher: %v", err)
	}
}

func TestSettingsOfStages(t *testing.T) {
	tests := []struct{ text, want string }{
		{"distill", `did you mean "distil"?`},
		{"distil temprature=2", `did you mean "temperature"?`},
		{"distil temperature=0", "between 0.01 and 1000"},
		{"distil tokens=0", "needs at least 1"},
		{"distil label=0 logits=0", "nothing to learn"},
		{"distil label=-1", "a weight between 0 and 1e6"},
		{"distil hidden_loss=cosin", `did you mean "cosine"?`},
		{"distil layers=lst", "pairs of student's and teacher's layers"},
		{"distil layers=0-1,0-2", "stands twice"},
		{"distil from=nothing", "from=nothing: model, scratch or"},
		{"distil from=scratch:depth=2", `"depth=2" is none of head_dim, heads`},
		{"distil schedule=cosin", `did you mean "cosine"?`},
		{"heal lr=-1", "lr=-1"},
		{"heal warmup=2", "a share of the steps"},
		{"qat bits=9", "2 to 8"},
		{"qat group=5", "a multiple of 8"},
		{"qat clip=yes", "mse or none"},
		{"qat on=[", "syntax error in pattern"},
	}
	for _, test := range tests {
		t.Run(test.text, func(t *testing.T) {
			if _, err := parsed(test.text); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want something about %q", err, test.want)
			}
		})
	}
}

// The rate and the warm-up of a stage follow those of training, where it does
// not set its own.
func TestConfigOfStages(t *testing.T) {
	base := Defaults()
	c := learner(t, "heal tokens=2e6").Config(base)
	if c.LearningRate != 5e-4 || c.Tokens != 2_000_000 || c.WarmupSteps != 12 || c.WeightDecay != 0 || c.BatchTokens != 8192 {
		t.Errorf("heal: %+v", c)
	}
	c = learner(t, "distil from=scratch batch=4096 warmup=0.5").Config(base)
	if c.LearningRate != 2e-3 || c.WeightDecay != 0.1 || c.WarmupSteps != 122 {
		t.Errorf("distil from scratch: %+v", c)
	}
}

func TestLayerMaps(t *testing.T) {
	tests := []struct {
		text             string
		student, teacher int
		want             []layerPair
	}{
		{"last", 6, 12, []layerPair{{5, 11}}},
		{"uniform", 3, 3, []layerPair{{0, 0}, {1, 1}, {2, 2}}},
		{"uniform", 3, 12, []layerPair{{0, 3}, {1, 7}, {2, 11}}},
		{"uniform", 3, 2, []layerPair{{0, 0}, {1, 0}, {2, 1}}},
		{"0-1,2-3", 3, 4, []layerPair{{0, 1}, {2, 3}}},
	}
	for _, test := range tests {
		got, err := layerMap(test.text, test.student, test.teacher)
		if err != nil || !slices.Equal(got, test.want) {
			t.Errorf("%s of %d and %d layers: %v, %v", test.text, test.student, test.teacher, got, err)
		}
	}
}
