package kernels

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

func TestArgMax(t *testing.T) {
	onEach(t, func(t *testing.T) {
		r := rand.New(rand.NewPCG(3, 4))
		for _, n := range []int{1, 2, 15, 16, 17, 1023, 1024, 1025, 5000} {
			x := make([]float32, n)
			fillRandom(r, x)
			want := slices.Index(x, slices.Max(x))
			if got := ArgMax(x); got != want {
				t.Errorf("%d numbers: %d, want %d", n, got, want)
			}
			x[n/2], x[n-1] = 9, 9
			if got := ArgMax(x); got != n/2 {
				t.Errorf("%d numbers, two largest: %d, want %d", n, got, n/2)
			}
		}
		least, nan := float32(math.Inf(-1)), float32(math.NaN())
		for _, test := range []struct {
			x    []float32
			want int
		}{{nil, 0}, {[]float32{nan, nan}, 0}, {[]float32{least, least}, 0}, {[]float32{nan, least, -1, nan}, 2}} {
			if got := ArgMax(test.x); got != test.want {
				t.Errorf("%v: %d, want %d", test.x, got, test.want)
			}
		}
	})
}
