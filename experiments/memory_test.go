package experiments

import (
	"errors"
	"path/filepath"
	"strings"
	"testing"
)

// A run that does not fit is refused before anything is trained, with what
// would help.
func TestRunBeyondMemoryIsRefused(t *testing.T) {
	plan, err := MakePlan(toySpec(t), Options{Out: t.TempDir(), Jobs: 1, probe: &Probe{Parallel: 1, Speeds: []Speed{{Width: 64, Training: 1e11, Scoring: 1e11}}}})
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name   string
		memory int
		fit    int
		help   string
	}{
		{"not even one job", plan.Memory - 1, 0, "micro_tokens or train.recompute = true"},
		{"one job in place of two", plan.Memory, 1, "--jobs=1 fits"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			out := t.TempDir()
			_, _, err := run(t, t.Context(), out, toy{steps: 1}, Options{Jobs: 2, memory: test.memory})
			var refusal *EnvironmentError
			var memory *MemoryError
			if !errors.As(err, &refusal) || !errors.As(err, &memory) || memory.Fit != test.fit || !strings.Contains(err.Error(), test.help) {
				t.Fatalf("%v", err)
			}
			if texts, err := filepath.Glob(filepath.Join(out, "small", "*", "text")); err != nil || len(texts) > 0 {
				t.Errorf("something was begun: %v, %v", texts, err)
			}
		})
	}
}

// Layers that are computed again need less memory and more operations, and are
// no other trial.
func TestRecomputeChangesNoID(t *testing.T) {
	probe := &Probe{Parallel: 1, Speeds: []Speed{{Width: 64, Training: 1e11, Scoring: 1e11}}}
	plan := func(set ...string) *Plan {
		p, err := MakePlan(toySpec(t, set...), Options{Out: t.TempDir(), Jobs: 1, probe: probe})
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	kept, lean := plan("sweep.layers=[3]"), plan("sweep.layers=[3]", "train.recompute=true")
	if a, b := kept.Trials[0], lean.Trials[0]; a.ID != b.ID || a.Memory.Activations <= b.Memory.Activations || a.FLOPs >= b.FLOPs || a.CPU >= b.CPU {
		t.Errorf("kept: %s, %+v, %g operations; lean: %s, %+v, %g operations", a.ID, a.Memory, a.FLOPs, b.ID, b.Memory, b.FLOPs)
	}
}
