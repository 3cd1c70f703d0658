package model

import (
	"context"
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"plumb/internal/golden"
	"plumb/internal/safetensors"
	"plumb/internal/tokenizer"
	"plumb/kernels"
)

// TestGoldenModels holds the models of the shelf against what other programs
// computed for them. Each check looks for its part of a golden file and does
// nothing where there is none.
func TestGoldenModels(t *testing.T) {
	root := golden.Shared(t)
	found, err := filepath.Glob(filepath.Join(root, "goldens-hf", "*", "golden.json"))
	if err != nil || len(found) == 0 {
		t.Fatalf("no golden models under %s: %v", root, err)
	}
	for _, path := range found {
		dir := filepath.Dir(path)
		t.Run(filepath.Base(dir), func(t *testing.T) { checkTransformers(t, dir) })
	}
	for _, m := range smallModels {
		t.Run(m.name, func(t *testing.T) { m.check(t, filepath.Join(root, "models", m.name)) })
	}
}

// Tolerances of the shelf's own README, absolute.
const (
	transformersLogits = 1e-4
	transformersSum    = 1e-4
)

// checkTransformers compares a checkpoint with the transformers library in
// float64: logits, the log-probability of a continuation, greedy tokens.
func checkTransformers(t *testing.T, dir string) {
	var want struct {
		Tokens       []int32 `json:"tokens"`
		Continuation []int32 `json:"continuation_tokens"`
		Sum          float64 `json:"continuation_logprob_sum"`
		Greedy       []int32 `json:"greedy_tokens"`
	}
	readGolden(t, filepath.Join(dir, "golden.json"), &want)
	m := mustLoad(t, dir)
	checkLogitsFile(t, m, want.Tokens, filepath.Join(dir, "logits.safetensors"), transformersLogits)
	row := slices.Concat(want.Tokens[:33], want.Continuation)
	checkSum(t, "continuation", m, row, 33, want.Sum, transformersSum)
	checkGreedy(t, m, want.Tokens, want.Greedy)
}

// A smallModel is a folder of models that has been measured in other ways.
type smallModel struct {
	name  string
	check func(t *testing.T, dir string)
}

var smallModels = []smallModel{
	{"stories260K", checkStories},
	{"tiny-random-gpt2", func(t *testing.T, dir string) { checkText(t, dir, ".", 1e-5) }},
	{"gpt-nano-sort", checkSorting},
}

// checkText compares what was measured of a model of text; tokens are given
// wherever a text is.
func checkText(t *testing.T, dir, form string, tolerance float64) {
	var want struct {
		Logits goldenRow
		Greedy []struct {
			PromptIDs []int32 `json:"prompt_ids"`
			IDs       []int32
		}
		Perplexity struct {
			IDs    []int32
			NLL    float64 `json:"nll_sum"`
			Scored int     `json:"tokens_scored"`
		}
	}
	readGolden(t, filepath.Join(dir, "golden.json"), &want)
	m := mustLoad(t, filepath.Join(dir, form))
	m.Freeze()
	want.Logits.check(t, m, tolerance)
	for _, g := range want.Greedy {
		checkGreedy(t, m, g.PromptIDs, g.IDs)
	}
	p := want.Perplexity
	checkSum(t, "perplexity", m, p.IDs, len(p.IDs)-p.Scored, -p.NLL, tolerance*float64(p.Scored))
}

// checkStories compares all forms of the model of stories with what was measured
// of it: those that hold the same numbers with the same figures, those that are
// rounded with the perplexity of theirs.
func checkStories(t *testing.T, dir string) {
	for _, form := range []string{"hf", "stories260K.bin", filepath.Join("gguf", "stories260K-f32.gguf")} {
		t.Run(filepath.Base(form), func(t *testing.T) { checkText(t, dir, form, 2e-5) })
	}
	var want struct {
		Perplexity struct{ IDs []int32 }
		Rounded    map[string]struct {
			Text struct {
				Scored int     `json:"tokens_scored"`
				Mean   float64 `json:"nll_mean"`
			} `json:"perplexity_text"`
		} `json:"gguf_perplexity"`
		Tasks map[string]goldenTask
	}
	readGolden(t, filepath.Join(dir, "golden.json"), &want)
	for file, w := range want.Rounded {
		t.Run(file, func(t *testing.T) {
			m, ids := mustLoad(t, filepath.Join(dir, "gguf", file)), want.Perplexity.IDs
			checkSum(t, "perplexity", m, ids, len(ids)-w.Text.Scored, -w.Text.Mean*float64(w.Text.Scored), 2e-5*float64(w.Text.Scored))
		})
	}
	words, err := tokenizer.Load(filepath.Join(dir, "hf"))
	if err != nil {
		t.Fatal(err)
	}
	for name, task := range want.Tasks {
		t.Run(name, func(t *testing.T) { task.check(t, mustLoad(t, filepath.Join(dir, "hf")), words) })
	}
}

// A goldenTask is log-likelihoods of continuations. Those of WinoGrande share
// one behind several contexts; those of LAMBADA have no context here and are
// left out.
type goldenTask struct {
	Items []struct {
		Context       string
		Contexts      []string
		Continuations []string
		Target        string
		LogProbs      json.RawMessage `json:"ll"`
		Greedy        json.RawMessage
	}
}

// check scores all choices at once, as an evaluation does.
func (g goldenTask) check(t *testing.T, m *Model, words *tokenizer.Tokenizer) {
	var rows [][]int32
	var from []int
	var want []float64
	for _, item := range g.Items {
		contexts, continuations := item.Contexts, item.Continuations
		if len(contexts) == 0 && len(continuations) == 0 {
			continue
		}
		var logs []float64
		if err := json.Unmarshal(item.LogProbs, &logs); err != nil {
			t.Fatal(err)
		}
		want = append(want, logs...)
		for i := range logs {
			context, continuation := item.Context, item.Target
			if len(contexts) > 0 {
				context = contexts[i]
			} else {
				continuation = continuations[i]
			}
			bos, _, _ := words.BOS()
			row := append([]int32{bos}, words.Encode(context+continuation)...)
			rows, from = append(rows, row), append(from, 1+len(words.Encode(context)))
		}
	}
	sums, _, err := m.LogProbs(rows, from)
	if err != nil {
		t.Fatal(err)
	}
	for i, sum := range sums {
		within(t, "choice", sum, want[i], transformersSum)
	}
	t.Logf("%d choices", len(sums))
}

// checkSorting compares what was measured of the model that sorts, and lets it
// sort all there is.
func checkSorting(t *testing.T, dir string) {
	var want struct {
		Logits []goldenRow
		Greedy []struct{ Input, Output []int32 }
	}
	readGolden(t, filepath.Join(dir, "golden.json"), &want)
	m := mustLoad(t, filepath.Join(dir, "hf"))
	for _, row := range want.Logits {
		row.check(t, m, 1e-5)
	}
	for _, g := range want.Greedy {
		checkGreedy(t, m, g.Input, g.Output)
	}
	for n := range 729 {
		input := make([]int32, 6)
		for i := range input {
			input[i] = int32(n % 3)
			n /= 3
		}
		checkGreedy(t, m, input, slices.Sorted(slices.Values(input)))
	}
}

// A goldenRow is tokens and what is known of the logits after each.
type goldenRow struct {
	IDs       []int32
	Positions []goldenLogits
}

// goldenLogits is the logits after one token.
type goldenLogits struct {
	First    []float64
	Sum, Max float64
	ArgMax   int
	Next     float64 `json:"next_logprob"` // of the token that follows
}

// check compares the first logits of each position, what is known of all of
// them, and the log-probability of the token that follows.
func (r goldenRow) check(t *testing.T, m *Model, tolerance float64) {
	v := m.Config().Vocab
	all, err := m.Logits(r.IDs)
	if err != nil {
		t.Fatal(err)
	}
	for i, w := range r.Positions {
		logits := all[i*v : (i+1)*v]
		for j, x := range w.First {
			within(t, "logit", float64(logits[j]), x, tolerance)
		}
		sum := 0.0
		for _, x := range logits {
			sum += float64(x)
		}
		within(t, "sum of logits", sum, w.Sum, tolerance*float64(v))
		within(t, "largest logit", float64(logits[w.ArgMax]), w.Max, tolerance)
		if got := kernels.ArgMax(logits); got != w.ArgMax {
			t.Errorf("position %d: token %d leads, want %d", i, got, w.ArgMax)
		}
		if i+1 < len(r.IDs) {
			checkSum(t, "next token", m, r.IDs[:i+2], i+1, w.Next, 2*tolerance)
		}
	}
}

func checkLogitsFile(t *testing.T, m *Model, tokens []int32, path string, tolerance float64) {
	f, err := safetensors.Read(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	want, _, err := f.Float32("logits")
	if err != nil {
		t.Fatal(err)
	}
	got, err := m.Logits(tokens)
	if err != nil {
		t.Fatal(err)
	}
	worst := 0.0
	if len(got) != len(want) {
		t.Fatalf("%d logits, want %d", len(got), len(want))
	}
	for i := range want {
		worst = max(worst, math.Abs(float64(got[i])-float64(want[i])))
	}
	t.Logf("logits differ by at most %.2g", worst)
	if !(worst <= tolerance) {
		t.Errorf("logits differ by up to %g", worst)
	}
}

// checkSum compares the log-probability of row from position from on.
func checkSum(t *testing.T, what string, m *Model, row []int32, from int, want, tolerance float64) {
	t.Helper()
	sums, _, err := m.LogProbs([][]int32{row}, []int{from})
	if err != nil {
		t.Fatal(err)
	}
	within(t, what, sums[0], want, tolerance)
}

// checkGreedy continues prompt by the most likely tokens.
func checkGreedy(t *testing.T, m *Model, prompt, want []int32) {
	t.Helper()
	var got []int32
	err := m.Generate(context.Background(), prompt, len(want), Sampling{}, func(token int32) bool {
		got = append(got, token)
		return true
	})
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(got, want) {
		t.Errorf("%v continues with %v, want %v", prompt, got, want)
	}
}

func mustLoad(t *testing.T, dir string) *Model {
	t.Helper()
	m, err := Load(dir)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func readGolden(t *testing.T, path string, into any) {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(data, into); err != nil {
		t.Fatal(err)
	}
}

func within(t *testing.T, what string, got, want, tolerance float64) {
	t.Helper()
	if !(math.Abs(got-want) <= tolerance) {
		t.Errorf("%s is %v, want %v", what, got, want)
	}
}
