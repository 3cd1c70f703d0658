package experiments

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"testing"

	"plumb/results"
)

const tiny = `
name = "tiny"
question = "Does a spec become a table?"
seeds = [1, 2]
tasks = ["world_recall", "world_weights"]
items = 40
[data]
vocab = 320
train_bytes = 60_000
valid_tokens = 2_000
[model]
context = 32
head_dim = 8
[budget]
total = 12_000
[sweep]
layers = [1, 2]
[train]
tokens = 4_000
batch_tokens = 128
warmup_steps = 2
tune.learning_rate = [2e-3, 4e-3]
[[view]]
metric = "world_recall/acc"
rows = "layers"
figure = "lines"
[[view]]
metrics = ["valid/bits_per_byte", "tuned/learning_rate"]
rows = "layers"
[[view]]
name = "curves"
metric = "train/nats_per_token"
rows = "layers"
figure = "curves"
`

// A spec becomes trained and scored models, tables and figures; a second run
// finds nothing left to do.
func TestEndToEnd(t *testing.T) {
	spec, err := Parse("tiny.toml", []byte(tiny))
	if err != nil {
		t.Fatal(err)
	}
	out := t.TempDir()
	var warnings []string
	options := Options{Out: out, Jobs: 2, Observe: func(e Event) {
		if e.Kind == EventWarning || e.Kind == EventFailed {
			warnings = append(warnings, e.Message)
		}
	}}
	summary, err := Run(context.Background(), spec, options)
	if err != nil {
		t.Fatal(err)
	}
	if !summary.Complete() || summary.Done != 4 || len(warnings) > 0 {
		t.Fatalf("%+v %q", summary, warnings)
	}
	again, err := Run(context.Background(), spec, options)
	if err != nil || again.Ran != 0 || again.Done != 4 {
		t.Fatalf("second run: %+v, %v", again, err)
	}
	checkReport(t, filepath.Join(out, "tiny"))
}

func checkReport(t *testing.T, folder string) {
	report, err := ReadReport(folder)
	if err != nil {
		t.Fatal(err)
	}
	if len(report.Tables) != 3 || len(report.Problems) > 0 || report.Done != 4 {
		t.Fatalf("%d tables, %d done, problems %v", len(report.Tables), report.Done, report.Problems)
	}
	paths, err := report.Write()
	if err != nil {
		t.Fatal(err)
	}
	if want := 3*len(results.Formats.Names()) + 2*2; len(paths) != want {
		t.Errorf("%d files, want %d", len(paths), want)
	}
	var text bytes.Buffer
	for _, table := range report.Tables {
		if err := table.Write(&text, "text", results.Style{}); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("\n%s", &text)
	for _, path := range paths {
		if info, err := os.Stat(path); err != nil || info.Size() == 0 {
			t.Errorf("%s: %v", path, err)
		}
	}
}
