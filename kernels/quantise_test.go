package kernels

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// Codes by hand, from the formulas; halves go to the even neighbour.
func TestCodes(t *testing.T) {
	tests := []struct {
		name  string
		l     Levels
		w     []float32
		grid  Grid
		codes []int8
	}{
		{"symmetric 8", Levels{8, true, false}, []float32{-127, 0.5, 1.5, 2.5, 126.4, 64}, Grid{1, 0}, []int8{-127, 0, 2, 2, 126, 64}},
		{"symmetric 4", Levels{4, true, false}, []float32{7, -3.5, -2.5, 0.4}, Grid{1, 0}, []int8{7, -4, -2, 0}},
		{"symmetric 2", Levels{2, true, false}, []float32{-2, 1, 0.9, 1.1}, Grid{2, 0}, []int8{-1, 0, 0, 1}},
		{"asymmetric 4", Levels{4, false, false}, []float32{-5, 10, 0.5, 2.5}, Grid{1, -3}, []int8{-8, 7, -3, -1}},
		{"asymmetric, all above 0", Levels{2, false, false}, []float32{3, 1, 2}, Grid{1, -2}, []int8{1, -1, 0}},
		{"asymmetric, all below 0", Levels{2, false, false}, []float32{-3, -1, -2}, Grid{1, 1}, []int8{-2, 0, -1}},
		{"zeros", Levels{3, false, false}, []float32{0, 0}, Grid{0, 0}, []int8{0, 0}},
		{"zeros", Levels{3, true, false}, []float32{0, 0}, Grid{0, 0}, []int8{0, 0}},
		{"below float16", Levels{8, true, false}, []float32{1e-9, 0}, Grid{0, 0}, []int8{0, 0}},
		{"a float32 scale", Levels{8, true, true}, []float32{127e-9, -64e-9}, Grid{float32(127e-9) / 127, 0}, []int8{127, -64}},
		{"beyond float16", Levels{2, true, false}, []float32{3e38, -65504}, Grid{65504, 0}, []int8{1, -1}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			g := test.l.Fit(test.w)
			codes := make([]int8, len(test.w))
			test.l.Quantise(codes, test.w, len(test.w), len(test.w), []Grid{g})
			if g != test.grid || !slices.Equal(codes, test.codes) {
				t.Errorf("grid %v, codes %v; want %v, %v", g, codes, test.grid, test.codes)
			}
		})
	}
}

// A number within the range is at most half a step from what it becomes, and
// what has been rounded stays as it is.
func TestRoundIsNear(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for bits := 2; bits <= 8; bits++ {
		for _, symmetric := range []bool{true, false} {
			l, w := Levels{bits, symmetric, false}, make([]float32, 5*72) // groups of 32, 32 and 8
			for i := range w {
				w[i] = float32(random.NormFloat64() * 0.02)
			}
			once, twice := make([]float32, len(w)), make([]float32, len(w))
			grids := l.Grids(w, 72, 32, false)
			l.Round(once, w, 72, 32, grids)
			for i, g := range grids {
				for j := i/3*72 + i%3*32; j < i/3*72+min(72, (i%3+1)*32); j++ {
					// the ends may lie beyond the rounded scale, and the rounded zero, by half a step
					if d := math.Abs(float64(once[j] - w[j])); d > 1.01*float64(g.Scale) {
						t.Fatalf("%+v: %v becomes %v with scale %v", l, w[j], once[j], g.Scale)
					}
				}
			}
			codes := make([]int8, len(w))
			l.Quantise(codes, once, 72, 32, grids)
			l.Dequantise(twice, codes, 72, 32, grids)
			if !slices.Equal(once, twice) {
				t.Errorf("%+v: numbers of the grid move", l)
			}
		}
	}
}

func TestClippingIsNeverWorse(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	better := 0
	for bits := 2; bits <= 8; bits++ {
		for _, symmetric := range []bool{true, false} {
			l, w := Levels{bits, symmetric, false}, make([]float32, 64)
			for i := range w {
				w[i] = float32(random.NormFloat64())
			}
			plain, clipped := l.Misfit(w, l.Fit(w)), l.Misfit(w, l.FitClipped(w))
			if clipped > plain {
				t.Errorf("%+v: %v, clipped %v", l, plain, clipped)
			}
			if clipped < plain {
				better++
			}
		}
	}
	if better < 7 {
		t.Errorf("clipping helps %d of 14 times", better)
	}
}

func TestFifthRoot(t *testing.T) {
	for x := 1e-40; x < 1e40; x *= 7.3 {
		if got, want := fifthRoot(x), math.Pow(x, 0.2); math.Abs(got/want-1) > 1e-7 {
			t.Errorf("%v: %v, want %v", x, got, want)
		}
	}
	if fifthRoot(0) != 0 {
		t.Error("of 0 it is", fifthRoot(0))
	}
}

func TestToHalf(t *testing.T) {
	tests := []struct{ v, want float32 }{
		{1, 1}, {0, 0}, {65504, 65504}, {65519, 65504}, {1e30, 65504}, {1 + 1.0/2048, 1}, {1 + 3.0/2048, 1 + 1.0/512},
		{1.0 / (1 << 24), 1.0 / (1 << 24)}, {1.0 / (1 << 25), 0}, {3.0 / (1 << 25), 1.0 / (1 << 23)}, {0.1, 0.0999755859375},
	}
	for _, test := range tests {
		if got := toHalf(test.v); got != test.want {
			t.Errorf("%v: %v, want %v", test.v, got, test.want)
		}
	}
}

func TestQuantisationDoesNotDependOnWorkers(t *testing.T) {
	defer SetWorkers(Workers())
	random := rand.New(rand.NewPCG(5, 6))
	w := make([]float32, 96*512)
	for i := range w {
		w[i] = float32(random.NormFloat64())
	}
	l, one, many := Levels{4, false, false}, make([]float32, len(w)), make([]float32, len(w))
	SetWorkers(1)
	l.Round(one, w, 512, 128, l.Grids(w, 512, 128, true))
	SetWorkers(3)
	l.Round(many, w, 512, 128, l.Grids(w, 512, 128, true))
	if !slices.Equal(one, many) {
		t.Error("three workers give other bits than one")
	}
}
