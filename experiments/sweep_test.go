package experiments

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"plumb/internal/golden"
)

// The golden file shows what each way to write a sweep comes to.
func TestTrials(t *testing.T) {
	tests := []struct{ name, from, to string }{
		{"grid", "", ""},
		{"zip", "[sweep]\nlayers = [2, 4]\nsharing = [\"none\", \"immediate x2\"]", "[[sweep.zip]]\nlayers = [2, 4]\ntrain.learning_rate = [2e-3, 1e-3]\n[sweep.train.init]\nbody = [0.02, 0.03]\n"},
		{"list", "[sweep]\nlayers = [2, 4]\nsharing = [\"none\", \"immediate x2\"]", "[[trial]]\nname = \"flat\"\nlayers = 2\n[[trial]]\nname = \"tall\"\nlayers = 8\nsharing=\"reverse x2\"\n"},
		{"budgets", "total = 60_000", "total = 60_000\nbody = 50_000\n[sweep.budget]\nmatch = [\"total\", \"body\"]"},
		{"blocks", `layers = [2, 4]`, `blocks = [2, 3]`},
		{"tuned", "[[view]]", "tune.learning_rate = [2e-3, 1e-3]\ntune.warmup_steps = [1, 2, 3]\n[[view]]"},
	}
	var got bytes.Buffer
	for _, test := range tests {
		text := strings.Replace(small, test.from, test.to, 1)
		text = text[:strings.Index(text, "[[view]]")]
		spec, err := Parse(test.name, []byte(text))
		if err != nil {
			t.Errorf("%s: %v", test.name, err)
			continue
		}
		fmt.Fprintf(&got, "%s\n", test.name)
		for _, trial := range spec.Trials() {
			fmt.Fprintf(&got, "  %d %s: %d layers, %d blocks, width %d, %v, rate %v, %d candidates\n", trial.Number, trial.Label(),
				trial.Shape.Layers, trial.Shape.BlockCount(), trial.Shape.Width, trial.Residual, trial.Settings.Train.LearningRate, len(trial.Tuned))
		}
	}
	golden.Check(t, "testdata/trials.golden", got.Bytes())
}
