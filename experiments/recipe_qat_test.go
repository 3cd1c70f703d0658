package experiments

import (
	"context"
	"slices"
	"strings"
	"testing"

	"plumb/arch"
	"plumb/kernels"
	"plumb/model"
	"plumb/train"
)

// some is text that repeats itself.
type some struct{ vocab int32 }

func (s some) Row(i int64, dst []int32) {
	for j := range dst {
		dst[j] = int32(i+3*int64(j)) % s.vocab
	}
}

// Rounding to nearest behind qat, with the same settings, leaves the weights that
// training saw rounded, and nothing else changes.
func TestRoundingBehindRoundedTraining(t *testing.T) {
	tests := []struct {
		settings string
		levels   kernels.Levels
		group    int
		clip     bool
	}{
		{"bits=4 group=16", kernels.Levels{Bits: 4, Symmetric: true}, 16, false},
		{"bits=3 group=8 symmetric=false clip=mse", kernels.Levels{Bits: 3}, 8, true},
	}
	for _, test := range tests {
		t.Run(test.settings, func(t *testing.T) {
			recipe, err := ReadRecipe("qat tokens=320 " + test.settings + " | rtn " + test.settings)
			if err != nil {
				t.Fatal(err)
			}
			m, err := model.New(arch.Config{
				Vocab: 31, Context: 16, Layers: 1, Sharing: "none", Repeat: 1, Width: 32, Heads: 2, KVHeads: 2, HeadDim: 16, Hidden: 48,
				Activation: "swiglu", Norm: "rmsnorm", NormEps: 1e-5, Position: "rotary", RotaryTheta: 10000, RotaryShare: 1, TiedHead: true,
			}, model.Init{}, 1)
			if err != nil {
				t.Fatal(err)
			}
			base := train.Defaults()
			base.BatchTokens = 32
			qat := recipe.Steps[0]
			trained, out, err := qat.Train(context.Background(), m, nil, train.Options{Config: qat.Config(base), Rows: some{31}})
			if err != nil || out.Status != train.Done {
				t.Fatalf("%+v, %v", out, err)
			}
			rounded, _, err := recipe.Steps[1].Compress(context.Background(), trained, nil, nil)
			if err != nil {
				t.Fatal(err)
			}
			for i, s := range rounded.Slots() {
				was := model.Expand(trained.Slots()[i].Matrix)
				want := slices.Clone(was.Weight)
				if strings.HasPrefix(s.Name, "blocks.") {
					test.levels.Round(want, want, was.In, test.group, test.levels.Grids(want, was.In, test.group, test.clip))
				}
				if !slices.Equal(model.Expand(s.Matrix).Weight, want) {
					t.Errorf("%s has other weights than training saw", s.Name)
				}
			}
		})
	}
}
