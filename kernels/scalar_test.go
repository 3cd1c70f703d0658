package kernels

import (
	"math"
	"testing"
)

// ulps is how many units in the last place of want lie between got and want.
func ulps(got, want float64) float64 {
	if got == want || got != got && want != want {
		return 0
	}
	unit := math.Nextafter(math.Abs(want), math.Inf(1)) - math.Abs(want)
	return math.Abs(got-want) / unit
}

func TestScalarFunctionsAgreeWithMath(t *testing.T) {
	tests := []struct {
		name      string
		own, math func(float64) float64
		from, to  float64
		ulps      float64 // between two functions that are each within about one
		absolute  float64 // or within this
	}{
		{"exp", Exp64, math.Exp, -700, 700, 2, 0},
		{"exp near 0", Exp64, math.Exp, -1, 1, 2, 0},
		{"exp of denormals", Exp64, math.Exp, -745, -708, 0, 1e-323},
		{"log", Log64, math.Log, 1e-3, 1e6, 2, 0},
		{"log near 1", Log64, math.Log, 0.99, 1.01, 2, 0},
		{"log near 0", Log64, math.Log, 1e-307, 1e-300, 2, 0},
		{"sin", Sin, math.Sin, -10, 10, 3, 2e-16},
		{"sin of many turns", Sin, math.Sin, 0, 1e5, 3, 1e-15},
		{"cos", Cos, math.Cos, -10, 10, 3, 2e-16},
		{"cos of many turns", Cos, math.Cos, 0, 1e5, 3, 1e-15},
		{"square root as power", func(x float64) float64 { return Pow(x, 0.5) }, math.Sqrt, 0.1, 100, 16, 0},
		{"cube", func(x float64) float64 { return Pow(x, 3) }, func(x float64) float64 { return x * x * x }, -10, 10, 2, 0},
		{"frequency", func(x float64) float64 { return Pow(10000, -x) }, func(x float64) float64 { return math.Pow(10000, -x) }, 0, 1, 30, 0},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			const steps = 20011
			for i := range steps {
				x := test.from + (test.to-test.from)*float64(i)/(steps-1)
				got, want := test.own(x), test.math(x)
				if ulps(got, want) > test.ulps && math.Abs(got-want) > test.absolute {
					t.Fatalf("at %v: %v, want %v (%.1f ulps)", x, got, want, ulps(got, want))
				}
			}
		})
	}
}

func TestScalarFunctionsAtTheEdges(t *testing.T) {
	inf, nan := math.Inf(1), math.NaN()
	tests := []struct {
		name      string
		got, want float64
	}{
		{"exp -Inf", Exp64(-inf), 0},
		{"exp -800", Exp64(-800), 0},
		{"exp 0", Exp64(0), 1},
		{"exp 709.78", Exp64(709.78), math.Exp(709.78)},
		{"exp 710", Exp64(710), inf},
		{"exp Inf", Exp64(inf), inf},
		{"exp NaN", Exp64(nan), nan},
		{"log 0", Log64(0), -inf},
		{"log 1", Log64(1), 0},
		{"log of the least denormal", Log64(5e-324), -1074 * math.Ln2},
		{"log -1", Log64(-1), nan},
		{"log Inf", Log64(inf), inf},
		{"log NaN", Log64(nan), nan},
		{"sin 0", Sin(0), 0},
		{"cos 0", Cos(0), 1},
		{"sin Inf", Sin(inf), nan},
		{"cos 1e300", Cos(1e300), nan},
		{"pow x 0", Pow(nan, 0), 1},
		{"pow 2 10", Pow(2, 10), 1024},
		{"pow 2 -1", Pow(2, -1), 0.5},
		{"pow -2 3", Pow(-2, 3), -8},
		{"pow -2 0.5", Pow(-2, 0.5), nan},
		{"pow 0 0.5", Pow(0, 0.5), 0},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if ulps(test.got, test.want) > 2 {
				t.Errorf("%v, want %v", test.got, test.want)
			}
		})
	}
}
