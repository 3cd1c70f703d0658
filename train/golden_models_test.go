package train

import (
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"plumb/internal/golden"
	"plumb/model"
)

// A modelGolden is what an independent implementation computed in float64 for
// ten optimiser steps from published weights, tensors of queries, keys and
// values under their foreign names.
type modelGolden struct {
	Hyper struct {
		Rate  float64    `json:"lr"`
		Betas [2]float64 `json:"betas"`
		Eps   float64    `json:"eps"`
		Decay float64    `json:"wd"`
		Clip  float64    `json:"clip_value"`
	} `json:"hyper"`
	Batches [][][]int32 `json:"batches"`
	Steps   []struct {
		Loss float64 `json:"loss"`
		Norm float64 `json:"grad_norm"`
	} `json:"steps"`
	Gradients map[string]tensorSums `json:"grad_step0"`
	Final     map[string]tensorSums `json:"final_params"`
}

// tensorSums is what is known of a tensor: its first elements, and sums over all.
type tensorSums struct {
	SumSq float64   `json:"sumsq"`
	First []float64 `json:"first4"`
}

func TestGoldenTrainingOfModels(t *testing.T) {
	for name, folder := range map[string]string{"stories260K": "hf", "tiny-random-gpt2": "."} {
		t.Run(name, func(t *testing.T) {
			dir := golden.Shared(t, "models", name)
			var want modelGolden
			data, err := os.ReadFile(filepath.Join(dir, "golden-train.json"))
			if err != nil {
				t.Fatal(err)
			}
			if err := json.Unmarshal(data, &want); err != nil {
				t.Fatal(err)
			}
			trainAs(t, filepath.Join(dir, folder), want)
		})
	}
}

// trainAs repeats the steps and compares losses, norms, the first gradients and
// the last weights, within what the shelf's README allows.
func trainAs(t *testing.T, dir string, want modelGolden) {
	m, err := model.Load(dir)
	if err != nil {
		t.Fatal(err)
	}
	_, family, err := model.ReadHFConfig(dir)
	if err != nil {
		t.Fatal(err)
	}
	h := want.Hyper
	m.EnableTraining()
	opt := newOptimizer(Config{
		Beta1: h.Betas[0], Beta2: h.Betas[1], Eps: h.Eps, WeightDecay: h.Decay, DecayOn: "matrices", Clip: h.Clip, EmbeddingRate: 1,
	}, m.Params())
	rows, length := len(want.Batches[0]), len(want.Batches[0][0])-1
	tape := m.NewTape(rows, length)
	for i, step := range want.Steps {
		loss := tape.Backward(slices.Concat(want.Batches[i]...), float32(1/float64(rows*length))) / float64(rows*length)
		closeTo(t, "loss", loss, step.Loss, 1e-5)
		norm := opt.gradientNorm()
		closeTo(t, "gradient norm", norm, step.Norm, 1e-4*step.Norm)
		if i == 0 {
			checkSums(t, m, family, want.Gradients, 1e-5, func(p model.Param) []float32 { return p.Grad })
		}
		opt.step(i+1, h.Rate, norm)
	}
	checkSums(t, m, family, want.Final, 1e-5, func(p model.Param) []float32 { return p.Data })
}

// checkSums compares the sums of squares of foreign tensors with those of the
// arrays of ours that they consist of, and their first elements where these
// are those of one array: not where it is stored transposed.
func checkSums(t *testing.T, m *model.Model, family string, want map[string]tensorSums, tolerance float64, of func(model.Param) []float32) {
	sums, parts := map[string]float64{}, map[string]int{}
	for _, p := range m.Params() {
		tensor, err := model.HFTensor(family, m.Config(), p.Name)
		if err != nil {
			t.Fatal(err)
		}
		for _, v := range of(p) {
			sums[tensor] += float64(v) * float64(v)
		}
		parts[tensor]++
		w, ok := want[tensor]
		if !ok {
			t.Errorf("%s has no golden sums", tensor)
		}
		if parts[tensor] == 1 && (len(p.Shape) == 1 || family == "LlamaForCausalLM") {
			for i, first := range w.First {
				closeTo(t, tensor, float64(of(p)[i]), first, 1e-5)
			}
		}
	}
	for tensor, sum := range sums {
		if w := want[tensor].SumSq; math.Abs(sum-w) > tolerance*w {
			t.Errorf("%s: sum of squares %g, want %g", tensor, sum, w)
		}
	}
	if len(sums) != len(want) {
		t.Errorf("%d tensors, want %d", len(sums), len(want))
	}
}
