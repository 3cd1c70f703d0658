package experiments

import (
	"context"
	"math"
	"testing"

	"plumb/internal/golden"
	"plumb/tasks"
)

// Every spec that ships asks its question, loads and can be planned.
func TestShippedSpecs(t *testing.T) {
	for _, name := range Shipped.Names() {
		t.Run(name, func(t *testing.T) {
			text, err := Shipped.Get(name)
			if err != nil {
				t.Fatal(err)
			}
			if text[0] != '#' {
				t.Error("the spec does not open with its question")
			}
			spec, err := Parse(name, text)
			if err != nil {
				t.Fatal(err)
			}
			if spec.Name != name || spec.Question == "" {
				t.Errorf("name %q, question %q", spec.Name, spec.Question)
			}
			o := Options{Out: t.TempDir(), Jobs: 2, probe: &Probe{Parallel: 1, Speeds: []Speed{{Width: 64, Training: 1e11, Scoring: 1e11}}}}
			if spec.Settings.Data.Train != WorldText {
				o.Source = tasks.Source{Dir: golden.Shared(t, "data")}
			}
			p, err := MakePlan(spec, o)
			if err != nil {
				t.Fatal(err)
			}
			t.Logf("%d trials, %d stages, CPU %.0f s, wall %.0f s, memory %d MB, disk %d MB",
				len(p.Trials), p.Stages, p.CPU, p.Wall, p.Memory>>20, p.Disk>>20)
		})
	}
}

func TestPlanCounts(t *testing.T) {
	out := t.TempDir()
	spec := toySpec(t, "train.tune.learning_rate=[1e-3, 2e-3, 4e-3]")
	o := Options{Out: out, Jobs: 2, Executor: toy{steps: 1}}
	p, err := MakePlan(spec, o)
	if err != nil {
		t.Fatal(err)
	}
	// One data stage, three candidates for each of two shapes, one training at the
	// other seed of each, four scorings.
	if p.Stages != 1+2*3+2+4 || p.Done != 0 || p.Left != p.CPU || len(p.Trials) != 4 {
		t.Errorf("%d stages, %d done, %v of %v s left, %d trials", p.Stages, p.Done, p.Left, p.CPU, len(p.Trials))
	}
	steps := math.Ceil(20_000. / 512)
	if want := int(steps*512) * 8; p.Tokens != want {
		t.Errorf("%d tokens, want %d", p.Tokens, want)
	}
	if _, err := Run(context.Background(), spec, o); err != nil {
		t.Fatal(err)
	}
	if p, err = MakePlan(spec, o); err != nil || !p.Trials[3].Done || p.Left > p.CPU/2 {
		t.Errorf("after the run: %+v, %v", p, err)
	}
}
