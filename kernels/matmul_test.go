package kernels

import (
	"fmt"
	"math"
	"math/rand/v2"
	"sync"
	"testing"
)

// onEach runs f as a subtest on every implementation of this processor.
func onEach(t *testing.T, f func(t *testing.T)) {
	was := Chosen()
	defer Use(was)
	for _, name := range Names() {
		if err := Use(name); err != nil {
			t.Fatal(err)
		}
		t.Run(name, f)
	}
}

// withWorkers runs f with n workers.
func withWorkers(n int, f func()) {
	was := Workers()
	defer SetWorkers(was)
	SetWorkers(n)
	f()
}

// A guarded slice stands between guard words, at an address that is aligned
// to 4 bytes only.
type guarded struct{ whole, data []float32 }

const guard = float32(-12345.678)

func newGuarded(n int) guarded {
	whole := make([]float32, n+35)
	for i := range whole {
		whole[i] = guard
	}
	return guarded{whole, whole[17 : 17+n : 17+n]}
}

func (g guarded) check(t *testing.T, what string) {
	t.Helper()
	for i, v := range g.whole {
		if (i < 17 || i >= 17+len(g.data)) && v != guard {
			t.Fatalf("%s: wrote element %d of %d", what, i-17, len(g.data))
		}
	}
}

func fillRandom(r *rand.Rand, x []float32) {
	for i := range x {
		x[i] = float32(r.NormFloat64())
	}
}

// sameBits fails the test at the first element that differs in any bit.
func sameBits(t *testing.T, what string, got, want []float32) {
	t.Helper()
	for i := range want {
		if math.Float32bits(got[i]) != math.Float32bits(want[i]) {
			t.Fatalf("%s: element %d is %v, want %v", what, i, got[i], want[i])
		}
	}
}

// A form is one of the products, with plain loops beside it.
type form struct {
	name       string
	run        func(dst, a, b []float32, m, k, n int)
	dst, a, b  func(m, k, n int) int // lengths
	adds       bool
	pieces     bool                                        // sums of few terms are taken in pieces
	plainTerms func(m, k, n int, each func(dst, a, b int)) // in the order of the chains
}

// plain adds the product to want.
func (f form) plain(want, a, b []float32, m, k, n int) {
	if !f.pieces || k > shortSum {
		f.plainTerms(m, k, n, func(d, i, j int) { want[d] = fma32(a[i], b[j], want[d]) })
		return
	}
	piece, terms := make([]float32, len(want)), make([]int, len(want))
	f.plainTerms(m, k, n, func(d, i, j int) {
		piece[d] = fma32(a[i], b[j], piece[d])
		if terms[d]++; terms[d]%pieceSteps == 0 || terms[d] == k {
			want[d] += piece[d]
			piece[d] = 0
		}
	})
}

func mk(m, k, n int) int { return m * k }
func mn(m, k, n int) int { return m * n }
func nk(m, k, n int) int { return n * k }

func termsForward(m, k, n int, each func(dst, a, b int)) {
	for i := range m {
		for j := range n {
			for p := range k {
				each(i*n+j, i*k+p, j*k+p)
			}
		}
	}
}

func termsBackX(m, k, n int, each func(dst, a, b int)) {
	for i := range m {
		for p := range k {
			for j := range n {
				each(i*k+p, i*n+j, j*k+p)
			}
		}
	}
}

func termsBackW(m, k, n int, each func(dst, a, b int)) {
	for j := range n {
		for p := range k {
			for i := range m {
				each(j*k+p, i*n+j, i*k+p)
			}
		}
	}
}

var forms = []form{
	{"MatMul", MatMul, mn, mk, nk, false, true, termsForward},
	{"MatMulAdd", MatMulAdd, mn, mk, nk, true, true, termsForward},
	{"MatMulBackX", MatMulBackX, mk, mn, nk, false, false, termsBackX},
	{"MatMulBackXAdd", MatMulBackXAdd, mk, mn, nk, true, false, termsBackX},
	{"MatMulBackW", MatMulBackW, nk, mn, mk, true, false, termsBackW},
}

var matMulSizes = [][3]int{
	{1, 1, 1}, {1, 5, 3}, {2, 3, 33}, {3, 16, 16}, {4, 17, 31}, {5, 4, 8}, {6, 33, 17}, {7, 8, 15},
	{8, 31, 9}, {9, 7, 47}, {13, 20, 49}, {14, 32, 32}, {15, 15, 65}, {17, 64, 5}, {28, 3, 96},
	{29, 96, 7}, {64, 16, 64}, {1, 300, 70}, {31, 259, 34}, {33, 2, 1}, {57, 1, 19},
	{3, 256, 33}, {5, 257, 5}, {171, 70, 37},
	{3, 900, 5}, {5, 3, 900}, {900, 5, 3}, {2, 3, 2100}, {3, 2100, 2}, // several blocks of steps and of columns
	{900, 48, 3}, {20, 128, 20}, {20, 80, 50}, {3, 2112, 2}, // rows that are read in place, and that are not
	{9, 1100, 5}, {30, 1024, 5}, {30, 5, 1024}, // long blocks, and rows of a that share the sets of a cache
}

// TestMatMulMatchesChains compares every product with plain loops over fma32, bit
// by bit, on every implementation, at sizes around those of vectors and tiles.
// How fast a product is BenchmarkMatMul says, as a share of Peak.
func TestMatMulMatchesChains(t *testing.T) {
	onEach(t, func(t *testing.T) {
		for _, f := range forms {
			for _, size := range matMulSizes {
				checkForm(t, f, size[0], size[1], size[2])
			}
		}
	})
}

func checkForm(t *testing.T, f form, m, k, n int) {
	t.Helper()
	r := rand.New(rand.NewPCG(uint64(m), uint64(k*1000+n)))
	dst, a, b := newGuarded(f.dst(m, k, n)), newGuarded(f.a(m, k, n)), newGuarded(f.b(m, k, n))
	fillRandom(r, dst.data)
	fillRandom(r, a.data)
	fillRandom(r, b.data)
	want := make([]float32, len(dst.data))
	if f.adds {
		copy(want, dst.data)
	}
	f.plain(want, a.data, b.data, m, k, n)
	what := fmt.Sprintf("%s %dx%dx%d", f.name, m, k, n)
	f.run(dst.data, a.data, b.data, m, k, n)
	sameBits(t, what, dst.data, want)
	dst.check(t, what)
}

func TestMatMulEmpty(t *testing.T) {
	dst := []float32{1, 2, 3, 4}
	MatMulAdd(dst, nil, nil, 2, 0, 2)
	sameBits(t, "MatMulAdd over nothing", dst, []float32{1, 2, 3, 4})
	MatMul(dst, nil, nil, 2, 0, 2)
	sameBits(t, "MatMul over nothing", dst, make([]float32, 4))
	MatMul(nil, nil, make([]float32, 6), 0, 3, 2)
}

func TestMatMulRefusesLengths(t *testing.T) {
	for _, f := range forms {
		t.Run(f.name, func(t *testing.T) {
			defer func() {
				if recover() == nil {
					t.Error("no panic")
				}
			}()
			f.run(make([]float32, 6), make([]float32, 6), make([]float32, 5), 2, 3, 2)
		})
	}
}

// TestMatMulWorkers computes products of many tasks with several numbers of
// workers and from several goroutines at once.
func TestMatMulWorkers(t *testing.T) {
	sizes := [][3]int{{600, 130, 200}, {257, 300, 97}, {70, 130, 1100}}
	for _, f := range forms {
		for _, size := range sizes {
			m, k, n := size[0], size[1], size[2]
			r := rand.New(rand.NewPCG(1, 2))
			a, b := make([]float32, f.a(m, k, n)), make([]float32, f.b(m, k, n))
			fillRandom(r, a)
			fillRandom(r, b)
			product := func() []float32 {
				dst := make([]float32, f.dst(m, k, n))
				f.run(dst, a, b, m, k, n)
				return dst
			}
			var want []float32
			withWorkers(1, func() { want = product() })
			for _, workers := range []int{2, 4} {
				withWorkers(workers, func() {
					var all sync.WaitGroup
					for range 3 {
						all.Go(func() { sameBits(t, f.name, product(), want) })
					}
					all.Wait()
				})
			}
		}
	}
}

func TestMatMulAllocatesLittle(t *testing.T) {
	x, w, dst := make([]float32, 64*96), make([]float32, 96*96), make([]float32, 64*96)
	withWorkers(1, func() {
		// The race detector makes pools forget, hence more than 0.
		if n := testing.AllocsPerRun(20, func() { MatMul(dst, x, w, 64, 96, 96) }); n > 8 {
			t.Errorf("%v allocations", n)
		}
	})
}

// BenchmarkMatMul reports the speed of products of the sizes that training and
// scoring have, on one core.
func BenchmarkMatMul(b *testing.B) {
	sizes := [][3]int{{2048, 96, 96}, {2048, 96, 256}, {2048, 256, 96}, {2048, 128, 2048}, {512, 512, 2048}, {512, 128, 128}, {1024, 48, 48}, {256, 96, 4096}, {4, 768, 768}}
	for _, f := range forms {
		for _, s := range sizes {
			m, k, n := s[0], s[1], s[2]
			r := rand.New(rand.NewPCG(1, 1))
			dst, x, y := make([]float32, f.dst(m, k, n)), make([]float32, f.a(m, k, n)), make([]float32, f.b(m, k, n))
			fillRandom(r, x)
			fillRandom(r, y)
			b.Run(fmt.Sprintf("%s/%dx%dx%d", f.name, m, k, n), func(b *testing.B) {
				reportShare(b, 2*m*k*n, func() { f.run(dst, x, y, m, k, n) })
			})
		}
	}
}
