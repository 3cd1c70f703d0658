package train

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"plumb/arch"
	"plumb/kernels"
	"plumb/model"
)

func tiny() arch.Config {
	return arch.Config{
		Name: "tiny", Vocab: 17, Context: 16, Layers: 2, Sharing: "none", Repeat: 1,
		Width: 16, Heads: 2, KVHeads: 1, HeadDim: 8, Hidden: 24,
		Activation: "swiglu", Norm: "rmsnorm", NormEps: 1e-5,
		Position: "rotary", RotaryTheta: 10000, RotaryShare: 1, TiedHead: true,
	}
}

// counting is text in which each token follows from the one before.
type counting struct{ vocab int32 }

func (c counting) Row(i int64, dst []int32) {
	for j := range dst {
		dst[j] = int32((i*5 + int64(j)*3)) % c.vocab
	}
}

func options(dir string) Options {
	c := Defaults()
	c.Tokens, c.BatchTokens, c.MicroTokens, c.LearningRate, c.WarmupSteps, c.CheckpointSeconds = 40*64, 64, 32, 1e-2, 4, 0
	return Options{Config: c, ID: "test", Dir: dir, Rows: counting{17}}
}

func newModel(t *testing.T) *model.Model {
	t.Helper()
	m, err := model.New(tiny(), model.Init{}, 7)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func weights(m *model.Model) string {
	var b strings.Builder
	for _, p := range m.Params() {
		for _, w := range p.Data {
			fmt.Fprintf(&b, "%08x", math.Float32bits(w))
		}
	}
	return b.String()
}

func TestRunLearns(t *testing.T) {
	m := newModel(t)
	out, err := Run(context.Background(), m, options(""))
	if err != nil || out.Status != Done || out.Steps != 40 || out.Tokens != 2560 {
		t.Fatalf("%+v, %v", out, err)
	}
	first, last := out.Curve[0].Loss, out.Curve[len(out.Curve)-1].Loss
	if !(last < 0.5*first) {
		t.Errorf("loss went from %v to %v", first, last)
	}
}

// A run that is stopped at every step and resumed by other numbers of workers
// must end with the bits of one that is not.
func TestResumeIsBitwiseEqual(t *testing.T) {
	workers := kernels.Workers()
	defer kernels.SetWorkers(workers)
	undisturbed := newModel(t)
	want, err := Run(context.Background(), undisturbed, options(""))
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for attempt := 1; ; attempt++ {
		kernels.SetWorkers(1 + attempt%3)
		m := newModel(t) // as a new process would
		ctx, stop := context.WithCancel(context.Background())
		o := options(dir)
		o.Progress = func(Progress) { stop() }
		got, err := Run(ctx, m, o)
		if err != nil {
			t.Fatal(err)
		}
		if got.Status == Stopped {
			continue
		}
		if attempt < 40 {
			t.Fatalf("finished at attempt %d: the stops did not bite", attempt)
		}
		if weights(m) != weights(undisturbed) || !slices.EqualFunc(got.Curve, want.Curve, func(a, b Point) bool { return a == b }) {
			t.Error("the resumed run differs")
		}
		return
	}
}

// Twenty steps of training must end with the same bits on every set of kernels,
// for any number of workers, and whether layers are kept or computed again. The
// kernels in pure Go are slow and see the smaller model only.
func TestTrainingIsBitwiseEqual(t *testing.T) {
	chosen, workers := kernels.Chosen(), kernels.Workers()
	defer func() { kernels.Use(chosen); kernels.SetWorkers(workers) }()
	tests := []struct {
		name    string
		shape   arch.Config
		kernels []string
	}{
		{"tiny", tiny(), kernels.Names()},
		{"shared out", sharedOut(), kernels.Names()[:len(kernels.Names())-1]},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			want := ""
			for _, name := range test.kernels {
				if err := kernels.Use(name); err != nil {
					t.Fatal(err)
				}
				for _, workers := range []int{1, 2, 3, 4} {
					for _, recompute := range []bool{false, true} {
						kernels.SetWorkers(workers)
						got := afterTwentySteps(t, test.shape, recompute)
						if want == "" {
							want = got
						}
						if got != want {
							t.Errorf("kernels %s, workers %d, recompute %v: other weights", name, workers, recompute)
						}
					}
				}
			}
		})
	}
}

// sharedOut is a shape of three layers and grouped heads that is large enough
// for most kernels to have more than one task.
func sharedOut() arch.Config {
	c := tiny()
	c.Vocab, c.Context, c.Layers, c.Width, c.Heads, c.KVHeads, c.HeadDim, c.Hidden = 600, 48, 3, 48, 4, 2, 12, 80
	return c
}

func afterTwentySteps(t *testing.T, shape arch.Config, recompute bool) string {
	t.Helper()
	m, err := model.New(shape, model.Init{}, 7)
	if err != nil {
		t.Fatal(err)
	}
	o := options("")
	o.BatchTokens, o.MicroTokens, o.Tokens = 4*shape.Context, 2*shape.Context, 20*4*shape.Context
	o.Recompute = recompute
	if out, err := Run(context.Background(), m, o); err != nil || out.Steps != 20 {
		t.Fatalf("%+v, %v", out, err)
	}
	return weights(m)
}

func TestDamagedCheckpointIsSetAside(t *testing.T) {
	want := newModel(t)
	if _, err := Run(context.Background(), want, options("")); err != nil {
		t.Fatal(err)
	}
	for _, damaged := range [][]int{{0}, {1}, {0, 1}} {
		dir := t.TempDir()
		ctx, stop := context.WithCancel(context.Background())
		o := options(dir)
		o.Progress = func(p Progress) {
			if p.Step == 20 {
				stop()
			}
		}
		if _, err := Run(ctx, newModel(t), o); err != nil {
			t.Fatal(err)
		}
		for _, slot := range damaged {
			damage(t, filepath.Join(dir, checkpointFiles[slot]))
		}
		var warned []error
		o = options(dir)
		o.Warn = func(err error) { warned = append(warned, err) }
		m := newModel(t)
		if out, err := Run(context.Background(), m, o); err != nil || out.Status != Done {
			t.Fatalf("%+v, %v", out, err)
		}
		if weights(m) != weights(want) {
			t.Errorf("damaged %v: the redone run differs", damaged)
		}
		if len(warned) != len(damaged) || !errors.Is(warned[0], model.ErrChecksum) {
			t.Errorf("damaged %v: warnings %v", damaged, warned)
		}
	}
}

func damage(t *testing.T, path string) {
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	data[len(data)/2] ^= 1
	if err := os.WriteFile(path, data, 0o644); err != nil {
		t.Fatal(err)
	}
}

func TestForeignCheckpointIsSetAside(t *testing.T) {
	dir := t.TempDir()
	ctx, stop := context.WithCancel(context.Background())
	o := options(dir)
	o.Progress = func(Progress) { stop() }
	if _, err := Run(ctx, newModel(t), o); err != nil {
		t.Fatal(err)
	}
	o = options(dir)
	o.ID = "another"
	var warned error
	o.Warn = func(err error) { warned = err }
	if _, err := Run(context.Background(), newModel(t), o); err != nil {
		t.Fatal(err)
	}
	if warned == nil || !strings.Contains(warned.Error(), "belongs to run test") {
		t.Errorf("warning: %v", warned)
	}
}

func TestDivergenceStops(t *testing.T) {
	plant := func(value float32) func(*model.Model) {
		return func(m *model.Model) { m.Params()[0].Data[0] = value }
	}
	tests := []struct {
		name string
		rate float64
		harm func(*model.Model)
	}{
		{"a rate far too large", 9.9, func(*model.Model) {}},
		{"NaN among the weights", 1e-3, plant(float32(math.NaN()))},
		{"Inf among the weights", 1e-3, plant(float32(math.Inf(1)))},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			o, m := options(t.TempDir()), newModel(t)
			o.LearningRate, o.WarmupSteps, o.Clip = test.rate, 0, 0
			test.harm(m)
			out, err := Run(context.Background(), m, o)
			if err != nil || out.Status != Diverged || out.Note == "" {
				t.Errorf("%+v, %v", out, err)
			}
		})
	}
}

// A weight that no text reads can overflow without a trace in any loss.
func TestOverflowOfTheLastStepDiverges(t *testing.T) {
	cfg := tiny()
	cfg.TiedHead = false
	m, err := model.New(cfg, model.Init{}, 7)
	if err != nil {
		t.Fatal(err)
	}
	unread := len(m.Params()[0].Data) - 1
	m.Params()[0].Data[unread] = 3e38
	o := options("")
	o.Rows, o.Tokens, o.LearningRate, o.WarmupSteps, o.WeightDecay = counting{16}, 64, 9.9, 0, 99
	out, err := Run(context.Background(), m, o)
	if err != nil || out.Status != Diverged || !strings.Contains(out.Note, "embedding.weight") {
		t.Errorf("%+v, %v", out, err)
	}
}

func TestFullDiskIsAnError(t *testing.T) {
	o := options(filepath.Join(t.TempDir(), "absent"))
	if _, err := Run(context.Background(), newModel(t), o); err == nil {
		t.Error("no error for a checkpoint that cannot be written")
	}
}

func TestCheckReportsEverything(t *testing.T) {
	c := Config{Tokens: 0, BatchTokens: 3, LearningRate: -1, Schedule: "cosin", Beta1: 1, Eps: 0, DecayOn: "some", Clip: -1}
	err := c.Check(16)
	for _, want := range []string{"tokens", "batch_tokens", "learning_rate", "cosin", "beta1", "eps", "decay_on", "clip"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s is not reported in: %v", want, err)
		}
	}
	if err := options("").Check(16); err != nil {
		t.Errorf("good settings: %v", err)
	}
}

func TestSchedules(t *testing.T) {
	c := Defaults()
	c.LearningRate, c.WarmupSteps, c.FinalRate, c.DecayShare = 1, 10, 0.1, 0.5
	tests := []struct {
		schedule string
		step     int
		want     float64
	}{
		{"cosine", 0, 0.1}, {"cosine", 9, 1}, {"cosine", 10, 1}, {"cosine", 109, 0.1},
		{"wsd", 4, 0.5}, {"wsd", 59, 1}, {"wsd", 109, 0.1},
		{"constant", 109, 1},
	}
	for _, test := range tests {
		c.Schedule = test.schedule
		if got := c.Rate(test.step, 110); math.Abs(got-test.want) > 1e-12 {
			t.Errorf("%s at step %d: %v, want %v", test.schedule, test.step, got, test.want)
		}
	}
}
