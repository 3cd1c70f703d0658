package experiments

import (
	"errors"
	"os"
	"slices"
	"strings"
	"testing"

	"plumb/internal/golden"
	"plumb/internal/world"
)

// Every mistake of a spec is reported at once, each with its place.
func TestTenMistakes(t *testing.T) {
	_, err := Load("testdata/ten-mistakes.toml")
	var problems Problems
	if !errors.As(err, &problems) {
		t.Fatalf("got %v, want Problems", err)
	}
	if len(problems) != 10 {
		t.Errorf("%d problems, want 10", len(problems))
	}
	golden.Check(t, "testdata/ten-mistakes.golden", []byte(err.Error()+"\n"))
}

const small = `
name = "small"
question = "Is this a spec?"
seeds = [1, 2]
tasks = ["world_recall"]
[model]
context = 64
head_dim = 8
[budget]
total = 60_000
[sweep]
layers = [2, 4]
sharing = ["none", "immediate x2"]
[train]
tokens = 20_000
batch_tokens = 512
[[view]]
metric = "world_recall/acc"
rows = "layers"
cols = "sharing"
`

func TestProblems(t *testing.T) {
	tests := []struct{ name, from, to, want string }{
		{"syntax", `seeds = [1, 2]`, `seeds = [1, 2`, `small.toml:5:1`},
		{"duplicate key", `seeds = [1, 2]`, "seeds = [1]\nseeds = [2]", `small.toml:5`},
		{"wrong type", `tokens = 20_000`, `tokens = "many"`, `small.toml:15:1: train.tokens: want an integer, got the string "many"`},
		{"fraction", `tokens = 20_000`, `tokens = 0.5`, `train.tokens: want an integer, got the number 0.5`},
		{"element", `layers = [2, 4]`, `layers = [2, "4"]`, `small.toml:12:14: sweep.layers.1: want an integer, got the string "4"`},
		{"impossible", `layers = [2, 4]`, `layers = [2, 5]`, `small.toml:12:14: sweep.layers.1: 5 layers are no multiple of the repeat count of sharing "immediate x2"; use 4 or 6, or give blocks (at layers=5 sharing=immediate x2)`},
		{"too few layers", `layers = [2, 4]`, `layers = [1, 4]`, `sweep.layers.0: 1 layers are no multiple of the repeat count of sharing "immediate x2"; use 2, or give blocks`},
		{"not to be run yet", `context = 64`, "context = 64\nbidirectional = true", `small.toml:8:1: model.bidirectional: bidirectional: no model can run attention in both directions yet`},
		{"case matters", `tokens = 20_000`, `Tokens = 20_000`, `train.Tokens: unknown key; did you mean "tokens"?`},
		{"second view", "[[view]]", "[[view]]\nmetric=\"valid/bits_per_byte\"\nrows=\"layers\"\n[[view]]\nrow=1", `small.toml:21:1: view.1.row: unknown key; did you mean "rows"?`},
		{"fixed and swept", `context = 64`, "context = 64\nlayers = 3", `sweep.layers: model.layers is fixed as well as swept`},
		{"no such axis", `layers = [2, 4]`, `layres = [2, 4]`, `sweep.layres: no setting has this name; did you mean "layers"?`},
		{"budget out of reach", `total = 60_000`, `total = 70`, `small.toml:10:1: budget.total: `},
		{"mistyped budget", `total = 60_000`, `total = 60_000_000_000`, `small.toml:10:1: budget.total: 6e+10 is more than 1e+10`},
		{"two budgets", `total = 60_000`, "total = 60_000\nbody = 50_000", `small.toml:9:2: budget: body and total are given`},
		{"recipe", `[[view]]`, "[[recipe]]\nname = \"x\"\n[[view]]", `recipe.0: stages are missing`},
		{"claim", `[[view]]`, "[[claim]]\nname = \"x\"\n[[view]]", `claim: claims`},
		{"mixture without topic", `[model]`, "[data]\nworld.mixture = \"walks\"\n[model]", `tasks: world_recall asks about`},
		{"value twice", `layers = [2, 4]`, `layers = [2, 2]`, `sweep.layers.1: the value stands twice`},
		{"vocabulary", `[model]`, "[data]\nvocab = 2000\n[model]", `small.toml:7:1: data.vocab: 2000 ids are more than this world has words for; ask for at most 9`},
		{"equal names of views", "[[view]]", "[[view]]\nname = \"One table\"\nmetric=\"valid/bits_per_byte\"\nrows=\"layers\"\n[[view]]\nname = \"one-table\"", `small.toml:21:3: view.1: two views are called "one-table"`},
		{"zip lengths", `layers = [2, 4]`, "[[sweep.zip]]\nlayers = [2, 4]\nlimit = [1]\n[sweep.x]", `sweep.zip.0.limit: 1 values beside 2 of layers`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			text := strings.Replace(small, test.from, test.to, 1)
			_, err := Parse("small.toml", []byte(text))
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got  %v\nwant %s", err, test.want)
			}
		})
	}
}

// A mistake that all trials share is one mistake, and one that some share says
// where it shows.
func TestProblemsOfSweeps(t *testing.T) {
	tests := []struct{ name, from, to, want string }{
		{"everywhere", `context = 64`, `context = 0`, `small.toml:7:1: model.context: context = 0 is too small: it must be at least 1`},
		{"somewhere", `total = 60_000`, `total = 3_500`, `small.toml:10:1: budget.total: budget total = 3500 is met by no shape within 1 %: the smallest shape needs 3752 (at layers=4 sharing=none)`},
		{"no axis", `layers = [2, 4]`, `layers = 2`, `small.toml:12:1: sweep.layers: want a list of values, got the integer 2`},
		{"no list of tasks", `tasks = ["world_recall"]`, `tasks = "world_recall"`, `small.toml:5:1: tasks: want a list of strings, got the string "world_recall"`},
		{"a swept value", `sharing = ["none", "immediate x2"]`, `sharing = ["none", "once"]`, `small.toml:13:20: sweep.sharing.1: no sharing named "once"`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			_, err := Parse("small.toml", []byte(strings.Replace(small, test.from, test.to, 1)))
			if err == nil || !strings.HasPrefix(err.Error(), test.want) || strings.Contains(err.Error(), "\n") {
				t.Errorf("got  %v\nwant %s", err, test.want)
			}
		})
	}
}

// A vocabulary that no spec chose can be learnt from every mixture.
func TestDefaultVocabulary(t *testing.T) {
	for _, mixture := range world.Mixtures() {
		w := World{Seed: 1, Options: world.Options{Mixture: mixture}}
		if err := worldVocabFits(w, worldVocab); err != nil {
			t.Errorf("%s: %v", mixture, err)
		}
	}
	for train, want := range map[string]int{WorldText: worldVocab, "novels": textVocab} {
		if got := (Data{Train: train}).vocab().Size; got != want {
			t.Errorf("%s: %d ids, want %d", train, got, want)
		}
	}
}

func TestSet(t *testing.T) {
	spec, err := Parse("small.toml", []byte(small), "train.tokens=1e5", "sweep.layers=[4]", "view.0.title=bare words")
	if err != nil {
		t.Fatal(err)
	}
	all := spec.Trials()
	if len(all) != 4 || all[0].Settings.Train.Tokens != 100_000 || spec.Views[0].Title != "bare words" {
		t.Errorf("%d trials, %d tokens, title %q", len(all), all[0].Settings.Train.Tokens, spec.Views[0].Title)
	}
	_, err = Parse("small.toml", []byte(small), "sweeps.layers=[4]")
	if want := `--set sweeps.layers=[4]: sweeps: unknown key; did you mean "sweep"?`; err == nil || err.Error() != want {
		t.Errorf("got  %v\nwant %s", err, want)
	}
	_, err = Parse("small.toml", []byte(small), "train.tokns=1e5", "seeds=x", "nothing")
	want := `--set nothing: want key=value`
	if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), `--set train.tokns=1e5: train.tokns: unknown key; did you mean "tokens"?`) {
		t.Errorf("got %v", err)
	}
}

func FuzzParse(f *testing.F) {
	f.Add(small)
	mistakes, _ := os.ReadFile("testdata/ten-mistakes.toml")
	f.Add(string(mistakes))
	f.Add("[sweep]\nzip = 1\n[[trial]]\nname = 2")
	f.Add("view = 1\nsweep = []\ntrial = {}\ntrain.tune = 3")
	f.Fuzz(func(t *testing.T, text string) { Parse("fuzz.toml", []byte(text)) })
}

// The description of specs names every key that a model which can be run has,
// and every metric.
func TestSpecsAreDescribed(t *testing.T) {
	text, err := os.ReadFile("specs/README.md")
	if err != nil {
		t.Fatal(err)
	}
	rare := []string{"attention_scale", "attention_soft_cap", "embedding_width", "head_bias", "no_outer_norm", "scale_by_layer", "window_first", "final_soft_cap", "bidirectional", "norm_offset", "norms_per_layer", "parallel_residual",
		"pooler", "position_offset", "post_norm", "token_types", "window", "window_every", "factor", "low_frequency", "high_frequency"}
	names := metricNames(nil)
	for _, path := range settingPaths() {
		if !slices.Contains(rare, leaf(path)) && !strings.HasPrefix(path, "model.rotary_scaling") {
			names = append(names, leaf(path))
		}
	}
	for _, name := range names {
		if !strings.Contains(string(text), name) {
			t.Errorf("specs/README.md says nothing of %s", name)
		}
	}
}
