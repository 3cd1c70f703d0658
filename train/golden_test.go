package train

import (
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"plumb/arch"
	"plumb/internal/golden"
	"plumb/internal/safetensors"
	"plumb/model"
)

// A trainingGolden is what an independent implementation computed in float64
// for three optimiser steps of a tiny model.
type trainingGolden struct {
	BlockOrder []int `json:"block_order"`
	Optimizer  struct {
		Name        string  `json:"name"`
		Rate        float64 `json:"lr"`
		Beta1       float64 `json:"beta1"`
		Beta2       float64 `json:"beta2"`
		Eps         float64 `json:"eps"`
		WeightDecay float64 `json:"weight_decay"`
		DecayOn     string  `json:"weight_decay_on"`
		Clip        float64 `json:"clip_grad_norm"`
	} `json:"optimizer"`
	Steps []struct {
		Tokens [][]int32 `json:"tokens"`
		Loss   float64   `json:"loss"`
		Norm   float64   `json:"grad_norm_before_clip"`
	} `json:"steps"`
}

func TestGoldenTraining(t *testing.T) {
	root := golden.Shared(t, "goldens")
	folders, err := filepath.Glob(filepath.Join(root, "*", "golden.json"))
	if err != nil || len(folders) == 0 {
		t.Fatalf("no golden.json under %s: %v", root, err)
	}
	for _, path := range folders {
		dir := filepath.Dir(path)
		t.Run(filepath.Base(dir), func(t *testing.T) { checkGolden(t, dir) })
	}
}

func checkGolden(t *testing.T, dir string) {
	var want trainingGolden
	data, err := os.ReadFile(filepath.Join(dir, "golden.json"))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(data, &want); err != nil {
		t.Fatal(err)
	}
	if want.Optimizer.Name != "adamw" || want.Optimizer.DecayOn != "every tensor" {
		t.Fatalf("golden asks for optimiser %q with decay on %q", want.Optimizer.Name, want.Optimizer.DecayOn)
	}
	m, family := goldenModel(t, dir, want.BlockOrder)
	rows, length := len(want.Steps[0].Tokens), len(want.Steps[0].Tokens[0])-1
	m.EnableTraining()
	tape := m.NewTape(rows, length)
	opt := newOptimizer(goldenConfig(want), m.Params())

	checkLogits(t, dir, tape.Logits(slices.Concat(want.Steps[0].Tokens...)))
	for i, step := range want.Steps {
		loss := tape.Backward(slices.Concat(step.Tokens...), float32(1/float64(rows*length))) / float64(rows*length)
		closeTo(t, "loss", loss, step.Loss, 1e-5)
		norm := opt.gradientNorm()
		closeTo(t, "gradient norm", norm, step.Norm, 1e-4)
		if i == 0 {
			checkArrays(t, filepath.Join(dir, "grads_step0.safetensors"), family, m, 1e-5,
				func(p model.Param) []float32 { return p.Grad })
		}
		opt.step(i+1, want.Optimizer.Rate, norm)
	}
	checkArrays(t, filepath.Join(dir, "after_3_steps.safetensors"), family, m, 1e-4,
		func(p model.Param) []float32 { return p.Data })
}

// goldenModel loads the weights of dir into a model that runs its blocks in
// the given order.
func goldenModel(t *testing.T, dir string, order []int) (*model.Model, string) {
	cfg, family, err := model.ReadHFConfig(dir)
	if err != nil {
		t.Fatal(err)
	}
	cfg = sharedAs(t, cfg, order)
	m, err := model.New(cfg, model.Init{}, 1)
	if err != nil {
		t.Fatal(err)
	}
	weights, err := model.ReadHFArrays(filepath.Join(dir, "model.safetensors"), family, cfg)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range m.Params() {
		copy(p.Data, weights[p.Name].Data)
	}
	return m, family
}

// sharedAs finds the sharing that runs the blocks of cfg in the given order.
func sharedAs(t *testing.T, cfg arch.Config, order []int) arch.Config {
	blocks := cfg.Layers
	for _, name := range arch.Sharings.Names() {
		cfg.Sharing, cfg.Layers, cfg.Repeat = name, len(order), len(order)/blocks
		if (name == "none") == (cfg.Repeat == 1) && slices.Equal(cfg.Blocks(), order) {
			return cfg
		}
	}
	t.Fatalf("no sharing runs %d blocks in the order %v", blocks, order)
	return cfg
}

func goldenConfig(want trainingGolden) Config {
	o := want.Optimizer
	return Config{
		Beta1: o.Beta1, Beta2: o.Beta2, Eps: o.Eps, WeightDecay: o.WeightDecay,
		DecayOn: "all", Clip: o.Clip, EmbeddingRate: 1,
	}
}

func checkLogits(t *testing.T, dir string, got []float32) {
	f, err := safetensors.Read(filepath.Join(dir, "logits_step0.safetensors"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	want, _, err := f.Float32(f.Names()[0])
	if err != nil {
		t.Fatal(err)
	}
	if len(got) != len(want) {
		t.Fatalf("%d logits, want %d", len(got), len(want))
	}
	worst := 0.0
	for i := range want {
		worst = max(worst, math.Abs(float64(got[i])-float64(want[i])))
	}
	if worst > 1e-5 {
		t.Errorf("logits differ by up to %g", worst)
	}
}

// checkArrays compares an array of each parameter with the file of foreign
// tensors. What counts is the difference against the largest value of the
// foreign tensor, which may hold several of our arrays: the gradient of a key
// bias alone is zero but for rounding.
func checkArrays(t *testing.T, path, family string, m *model.Model, tolerance float64, of func(model.Param) []float32) {
	want, err := model.ReadHFArrays(path, family, m.Config())
	if err != nil {
		t.Fatal(err)
	}
	worst, largest := map[string]float64{}, map[string]float64{}
	for _, p := range m.Params() {
		tensor, err := model.HFTensor(family, m.Config(), p.Name)
		if err != nil {
			t.Fatal(err)
		}
		for i, w := range want[p.Name].Data {
			worst[tensor] = max(worst[tensor], math.Abs(float64(of(p)[i])-float64(w)))
			largest[tensor] = max(largest[tensor], math.Abs(float64(w)))
		}
	}
	for tensor := range worst {
		if worst[tensor] > tolerance*largest[tensor] {
			t.Errorf("%s: %s differs by %g of %g", filepath.Base(path), tensor, worst[tensor], largest[tensor])
		}
	}
}

func closeTo(t *testing.T, what string, got, want, tolerance float64) {
	t.Helper()
	if !(math.Abs(got-want) <= tolerance) {
		t.Errorf("%s is %v, want %v", what, got, want)
	}
}
