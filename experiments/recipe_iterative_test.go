package experiments

import (
	"context"
	"testing"

	"plumb/arch"
	"plumb/model"
	"plumb/train"
)

// A part is compressed, the model distilled, then the next part: factors of the first
// are trained as factors while matrices of the second are still dense.
func TestCompressingPartByPart(t *testing.T) {
	recipe, err := ReadRecipe("kronecker on=blocks.1.ffn.* shape=tq permute=swaps steps=200 | distil tokens=320 | kronecker on=blocks.3.ffn.* shape=tq | distil tokens=320")
	if err != nil {
		t.Fatal(err)
	}
	cfg := arch.Config{
		Vocab: 31, Context: 16, Layers: 4, Sharing: "none", Repeat: 1, Width: 32, Heads: 2, KVHeads: 2, HeadDim: 16, Hidden: 48,
		Activation: "swiglu", Norm: "rmsnorm", NormEps: 1e-5, Position: "rotary", RotaryTheta: 10000, RotaryShare: 1, TiedHead: true,
	}
	teacher, err := model.New(cfg, model.Init{}, 1)
	if err != nil {
		t.Fatal(err)
	}
	base := train.Defaults()
	base.BatchTokens = 32
	m, want := teacher, []int{3, 3, 6, 6}
	for i, step := range recipe.Steps {
		if step.Trains() {
			var out train.Outcome
			m, out, err = step.Train(context.Background(), m.Clone(), teacher, train.Options{Config: step.Config(base), Rows: some{31}})
			if err == nil && out.Status != train.Done {
				t.Fatalf("%+v", out)
			}
		} else {
			m, _, err = step.Compress(context.Background(), m, nil, nil)
		}
		if err != nil {
			t.Fatal(err)
		}
		factored := 0
		for _, s := range m.Slots() {
			if _, ok := s.Matrix.(*model.Kronecker); ok {
				factored++
			}
		}
		if factored != want[i] {
			t.Errorf("after %s %d matrices are sums of Kronecker products, want %d", step.Stage, factored, want[i])
		}
	}
}
