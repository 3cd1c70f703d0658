package experiments

import (
	"context"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"plumb/results"
)

// recipes is a tiny spec with recipes that share stages.
const recipes = `
name = "recipes"
question = "What does a recipe cost?"
seeds = [1, 2]
tasks = ["world_weights"]
items = 20
[data]
vocab = "bytes"
train_bytes = 60_000
valid_tokens = 2_000
[model]
context = 32
head_dim = 8
layers = 2
[budget]
total = 12_000
[train]
tokens = 4_000
batch_tokens = 128
warmup_steps = 2
learning_rate = 4e-3
[calibration]
tokens = 512
[[recipe]]
name = "half"
stages = "svd keep=0.5"
[[recipe]]
name = "half, healed"
stages = ["svd keep=0.5", "heal tokens=1e3"]
[[recipe]]
name = "half, distilled, rounded"
stages = "svd keep=0.5 | distil tokens=1e3 | rtn bits=8"
[[recipe]]
stages = "svdllm keep=0.6"
[[view]]
metrics = ["size/stored", "valid/bits_per_byte", "base/kl", "base/agreement", "world_weights/acc"]
rows = "recipe"
`

// A spec with recipes measures each trained model as trained and after every
// recipe; stages that recipes share are done once.
func TestRecipes(t *testing.T) {
	t.Parallel()
	spec, err := Parse("recipes.toml", []byte(recipes))
	if err != nil {
		t.Fatal(err)
	}
	out, ended := t.TempDir(), map[string]int{}
	options := Options{Out: out, Jobs: 2, Observe: func(e Event) {
		if e.Kind == EventDone {
			ended[e.Stage]++
		}
		if e.Kind == EventWarning || e.Kind == EventFailed {
			t.Error(e.Message)
		}
	}}
	summary, err := Run(context.Background(), spec, options)
	if err != nil || !summary.Complete() || summary.Trials != 10 {
		t.Fatalf("%+v, %v", summary, err)
	}
	// of each seed: svd, svdllm, rtn; heal, distil
	if ended[TrainStage] != 2 || ended[CompressStage] != 2*3 || ended[HealStage] != 2*2 || ended[ScoreStage] != 10 {
		t.Errorf("stages done: %v", ended)
	}
	report, err := ReadReport(filepath.Join(out, "recipes"))
	if err != nil || len(report.Problems) > 0 || len(report.Tables) != 1 {
		t.Fatalf("%v %+v", err, report)
	}
	checkRecipeTable(t, report.Tables[0])
	again, err := Run(context.Background(), spec, options)
	if err != nil || again.Ran != 0 || again.Done != 10 {
		t.Errorf("second run: %+v, %v", again, err)
	}
}

func checkRecipeTable(t *testing.T, table *results.Table) {
	var names []string
	for i := range table.Rows {
		names = append(names, table.RowLabel(i))
	}
	want := []string{"none", "half", "half, distilled, rounded", "half, healed", "svdllm keep=0.6"}
	if !slices.Equal(names, want) {
		t.Errorf("rows %q, want %q", names, want)
	}
	bytes := func(row int) float64 { return table.Cells[row][0].Interval.Mean }
	if !(bytes(1) < bytes(0) && bytes(1) == bytes(3) && bytes(2) <= bytes(1)) {
		t.Errorf("bytes: %v %v %v %v", bytes(0), bytes(1), bytes(2), bytes(3))
	}
	if table.Cells[0][2].HasValue() || !table.Cells[1][2].HasValue() {
		t.Error("only compressed models are compared with their base")
	}
}

// Recipes that cannot work are refused before any work is done.
func TestRefusedRecipes(t *testing.T) {
	tests := []struct{ name, stages, want string }{
		{"unknown", `"svdd keep=1"`, `no method of compression or stage of training named "svdd"`},
		{"setting", `"svd kep=1"`, `did you mean "keep"`},
		{"keep", `"svd keep=1.5"`, "keep=1.5: a share above 0 and up to 1 is wanted"},
		{"order", `["q8_0", "heal tokens=1e3"]`, "cannot be trained"},
		{"order of three", `"kronecker shape=1x2 | w8a8 | distil tokens=1e3"`, `stage "distil": 14 matrices are in forms that cannot be trained, the first is blocks.0.attention.q (kronecker): train before`},
		{"rank", `"svd keep=0.2 | svd keep=0.05"`, "blocks.0.attention.q.right: keep=0.05 of a matrix [1, 16] leaves rank 0"},
		{"groups", `"heads keep=0.3 | heads keep=0.9"`, "keep=0.9 of 1 key-value heads removes none: unit=query removes query heads of each"},
		{"layers", `"layers keep=0.5 | layers keep=0.4"`, "keep=0.4 of 1 layers with blocks of their own removes none"},
		{"dims", `"kronecker shape=5x5"`, "is no matrix"},
		{"divide", `"hidden keep=0.5 | wanda pattern=2:48"`, "cannot have the pattern 2:48: 48 does not divide them"},
		{"rounded twice", `"w8a8 | w8a8"`, "it is rounded already, into form w8a8: leave it out with on="},
		{"qat behind rtn", `"rtn bits=4 | qat bits=4 tokens=1e3"`, "put qat before the stage that formed it"},
		{"qat for nothing", `"qat bits=4 tokens=1e3"`, "no later stage rounds it: let rtn"},
		{"cut factors", `"svd | heads"`, "which cannot be cut"},
		{"widths", `"distil tokens=1e3 from=scratch:width=8,heads=1,kv_heads=1 hidden=1"`, "hidden states of width 8 cannot be compared"},
		{"depths", `"skip-layers keep=0.5 | distil tokens=1e3 layers=1-1 hidden=1"`, "layer 1 of 1 of the student"},
		{"nothing", `"rtn bits=4 on=fnn.*"`, "no matrix has a name that matches on=fnn.*"},
		{"zero", `"wanda keep=0"`, "keep=0: a share above 0"},
		{"empty", `[]`, "want stages such as"},
		{"number", `3`, "want stages such as"},
		{"batch", `"heal tokens=1e3 batch=8"`, "batch_tokens = 8 holds no row of 32 tokens"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			text := recipes[:strings.Index(recipes, "[[recipe]]")] + "[[recipe]]\nstages = " + test.stages + "\n"
			_, err := Parse("x.toml", []byte(text))
			if err == nil || !strings.Contains(err.Error(), test.want) || !strings.Contains(err.Error(), "recipe") {
				t.Errorf("got %v, want something about %q", err, test.want)
			}
		})
	}
}

// A plan counts what recipes share once: what its rows have of their own, and the
// data, are the whole. Teachers are counted apart.
func TestPlannedRecipes(t *testing.T) {
	spec, err := Parse("recipes.toml", []byte(recipes))
	if err != nil {
		t.Fatal(err)
	}
	p, err := MakePlan(spec, Options{Out: t.TempDir(), Jobs: 1, probe: &Probe{Parallel: 1, Speeds: []Speed{{Width: 16, Training: 1e9, Scoring: 1e9}}}})
	if err != nil {
		t.Fatal(err)
	}
	own, teaching := 0., 0.
	for _, row := range p.Trials {
		own, teaching = own+row.CPU, teaching+row.Teaching
		if (row.Teaching > 0) != strings.Contains(row.Label, "distilled") {
			t.Errorf("%s has a teacher for %v operations", row.Label, row.Teaching)
		}
	}
	if data := p.CPU - own; data <= 0 || data > 0.05*p.CPU || teaching != p.Teaching {
		t.Errorf("rows take %v s of %v, teachers %v of %v", own, p.CPU, teaching, p.Teaching)
	}
}
