package kernels

import (
	"math"
	"math/big"
	"math/rand/v2"
	"testing"
)

// exactFMA rounds a*b + c once, by arithmetic of any precision.
func exactFMA(a, b, c float32) float32 {
	exact := func(x float32) *big.Float { return new(big.Float).SetPrec(2000).SetFloat64(float64(x)) }
	p := new(big.Float).SetPrec(2000).Mul(exact(a), exact(b))
	sum, _ := p.Add(p, exact(c)).Float32()
	return sum
}

func TestFMA32RoundsOnce(t *testing.T) {
	special := []struct {
		name    string
		a, b, c float32
	}{
		{"rounded twice by a float64 FMA", 0x1p-12 * (1 + 0x1p-23), 0x1p-12 * (1 - 0x1p-23), 1 + 0x1p-23},
		{"the same below zero", -0x1p-12 * (1 + 0x1p-23), 0x1p-12 * (1 - 0x1p-23), -1 - 0x1p-23},
		{"denormal", 0x1p-75, 0x1.000002p-74, 0x1p-149},
		{"denormal halfway", 0x1p-75, 0x1p-75, 0x1.8p-148},
		{"cancels", 3, 5, -15},
		{"large", 0x1p127, 1.5, -0x1p100},
	}
	for _, s := range special {
		t.Run(s.name, func(t *testing.T) { checkFMA(t, s.a, s.b, s.c) })
	}
	r := rand.New(rand.NewPCG(11, 12))
	for range 200_000 {
		bits := func() float32 { return math.Float32frombits(r.Uint32()&0x807FFFFF | uint32(100+r.IntN(55))<<23) }
		a, b := bits(), bits()
		c := float32(float64(a) * float64(b) * math.Ldexp(1+r.Float64(), r.IntN(60)-30))
		checkFMA(t, a, b, c)
		checkFMA(t, a, b, math.Float32frombits(r.Uint32()%(1<<23))) // denormal
		checkFMA(t, a*0x1p-60, b*0x1p-60, math.Float32frombits(r.Uint32()%(1<<23)))
	}
}

func checkFMA(t *testing.T, a, b, c float32) {
	t.Helper()
	if got, want := fma32(a, b, c), exactFMA(a, b, c); got != want {
		t.Fatalf("fma32(%x, %x, %x) is %x, want %x", a, b, c, got, want)
	}
}

func TestFMA32Special(t *testing.T) {
	inf, nan := float32(math.Inf(1)), float32(math.NaN())
	tests := []struct {
		name          string
		a, b, c, want float32
	}{
		{"infinite", inf, 2, 1, inf},
		{"infinite term", 2, 2, -inf, -inf},
		{"overflow", 0x1p127, 2, 1, inf},
		{"infinite less infinite", inf, 1, -inf, nan},
		{"not a number", nan, 1, 1, nan},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got := fma32(test.a, test.b, test.c)
			if got != test.want && !(got != got && test.want != test.want) {
				t.Errorf("%v, want %v", got, test.want)
			}
		})
	}
}
