package kernels

import (
	"fmt"
	"math/rand/v2"
	"testing"
)

// held are the products that panels serve.
var held = []struct {
	name  string
	whole func(dst, x, w []float32, m, k, n int)
	kept  func(p *Panels) func(dst, x, w []float32, m, k, n int)
	back  bool
}{
	{"MatMul", MatMul, func(p *Panels) func(dst, x, w []float32, m, k, n int) { return p.MatMul }, false},
	{"MatMulAdd", MatMulAdd, func(p *Panels) func(dst, x, w []float32, m, k, n int) { return p.MatMulAdd }, false},
	{"MatMulBackX", MatMulBackX, func(p *Panels) func(dst, x, w []float32, m, k, n int) { return p.MatMulBackX }, true},
	{"MatMulBackXAdd", MatMulBackXAdd, func(p *Panels) func(dst, x, w []float32, m, k, n int) { return p.MatMulBackXAdd }, true},
}

// Products with kept panels have the bits of those without, whichever comes first,
// with one block and with several, on one implementation after the other and with
// rows that change the blocks.
func TestPanelsChangeNothing(t *testing.T) {
	for _, size := range [][2]int{{1, 1}, {33, 17}, {70, 900}, {900, 70}, {2100, 5}, {5, 2100}} {
		n, k := size[0], size[1]
		w := make([]float32, n*k)
		r := rand.New(rand.NewPCG(uint64(n), uint64(k)))
		fillRandom(r, w)
		p := placedPanels(n, k)
		onEach(t, func(t *testing.T) {
			for _, m := range []int{3, 30, 3} {
				checkPanels(t, r, p, w, m, k, n)
			}
			w[n*k/2]++
			p.Forget()
			checkPanels(t, r, p, w, 2, k, n)
		})
	}
}

// A result that is larger than the caches is computed by longer blocks.
func TestPanelsOfOtherBlocks(t *testing.T) {
	const n, k = 2100, 600
	w := make([]float32, n*k)
	r := rand.New(rand.NewPCG(1, 2))
	fillRandom(r, w)
	p := placedPanels(n, k)
	for _, m := range []int{3, 520, 3} {
		checkPanels(t, r, p, w, m, k, n)
	}
}

func placedPanels(n, k int) *Panels {
	return Place(func(a *Arena) *Panels { return NewPanels(a, n, k) })
}

func checkPanels(t *testing.T, r *rand.Rand, p *Panels, w []float32, m, k, n int) {
	t.Helper()
	for _, f := range held {
		from, to := m*k, m*n
		if f.back {
			from, to = to, from
		}
		x, want := make([]float32, from), make([]float32, to)
		fillRandom(r, x)
		fillRandom(r, want)
		got := newGuarded(to)
		copy(got.data, want)
		f.whole(want, x, w, m, k, n)
		f.kept(p)(got.data, x, w, m, k, n)
		what := fmt.Sprintf("%s %dx%dx%d", f.name, m, k, n)
		sameBits(t, what, got.data, want)
		got.check(t, what)
	}
}

// Panels of another matrix are refused.
func TestPanelsRefuseOtherShapes(t *testing.T) {
	for _, f := range held {
		t.Run(f.name, func(t *testing.T) {
			defer func() {
				if recover() == nil {
					t.Error("no panic")
				}
			}()
			f.kept(placedPanels(40, 20))(make([]float32, 60), make([]float32, 60), make([]float32, 400), 3, 20, 20)
		})
	}
}

// Gradients of several matrices of one x are those of each, however many there are.
func TestGradientsOfSeveralMatrices(t *testing.T) {
	onEach(t, func(t *testing.T) {
		r := rand.New(rand.NewPCG(3, 4))
		const m, k = 410, 40
		x := make([]float32, m*k)
		fillRandom(r, x)
		var of []WeightGradient
		var want [][]float32
		for _, n := range []int{1, 33, 0, 70, 16} {
			g := WeightGradient{DW: make([]float32, n*k), DY: make([]float32, m*n), N: n}
			fillRandom(r, g.DW)
			fillRandom(r, g.DY)
			one := append([]float32(nil), g.DW...)
			MatMulBackW(one, g.DY, x, m, k, n)
			of, want = append(of, g), append(want, one)
		}
		MatMulBackWs(x, m, k, of...)
		for i, g := range of {
			sameBits(t, fmt.Sprintf("matrix %d", i), g.DW, want[i])
		}
	})
}
