package kernels

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
)

// sparseCase returns a dense matrix [n, k] in which about one of each weights is
// not 0, in the same columns for so many rows.
func sparseCase(r *rand.Rand, n, k, each, rows int) []float32 {
	w := make([]float32, n*k)
	for first := 0; first < n; first += rows {
		for c := range k {
			if r.IntN(each) == 0 {
				for row := first; row < min(n, first+rows); row++ {
					w[row*k+c] = float32(r.NormFloat64())
				}
			}
		}
	}
	return w
}

// listed lists the weights of w that are not 0.
func listed(w []float32, n, k int) *Listed {
	var weights []float32
	var columns []int32
	starts := []int32{0}
	for r := range n {
		for c, v := range w[r*k : (r+1)*k] {
			if v != 0 {
				weights, columns = append(weights, v), append(columns, int32(c))
			}
		}
		starts = append(starts, int32(len(weights)))
	}
	return NewListed(weights, columns, starts, n, k)
}

// picked keeps kept columns of each panel of w, and returns the matrix without
// the others.
func picked(r *rand.Rand, n, k, kept int) ([]float32, *Picked) {
	w, weights := make([]float32, n*k), make([]float32, n*kept)
	fillRandom(r, weights)
	var columns []int32
	for first := 0; first < n; first += panelRows {
		of := r.Perm(k)[:kept]
		slices.Sort(of)
		for i, c := range of {
			columns = append(columns, int32(c))
			for row := first; row < min(n, first+panelRows); row++ {
				w[row*k+c] = weights[row*kept+i]
			}
		}
	}
	return w, PackPicked(weights, columns, n, kept, k)
}

var sparseSizes = [][2]int{{1, 1}, {3, 7}, {32, 8}, {33, 20}, {70, 100}, {131, 1000}}

// Products that skip zeros give the bits of chains that do not.
func TestSparseProductsAreThoseOfTheMatrix(t *testing.T) {
	onEach(t, func(t *testing.T) {
		r := rand.New(rand.NewPCG(9, 6))
		for _, size := range sparseSizes {
			n, k := size[0], size[1]
			for _, each := range []int{1, 4, 20} {
				w := sparseCase(r, n, k, each, 1)
				l := listed(w, n, k)
				sameSparse(t, r, fmt.Sprintf("listed, one of %d", each), w, n, k, l.Row,
					func(dst, x []float32, m int) { MatMulListed(dst, x, l, m) },
					func(dst, x []float32, m int) { MatMulListedAdd(dst, x, l, m) })
				w, p := picked(r, n, k, (k+each-1)/each)
				sameSparse(t, r, fmt.Sprintf("picked, one of %d", each), w, n, k, p.Row,
					func(dst, x []float32, m int) { MatMulPicked(dst, x, p, m) },
					func(dst, x []float32, m int) { MatMulPickedAdd(dst, x, p, m) })
			}
		}
	})
}

func sameSparse(t *testing.T, r *rand.Rand, what string, w []float32, n, k int, row func([]float32, int), set, add func(dst, x []float32, m int)) {
	t.Helper()
	read := make([]float32, k)
	for i := range n {
		row(read, i)
		sameBits(t, what, read, w[i*k:(i+1)*k])
	}
	for _, m := range []int{1, 2, 7, 31, 40, packedRows + 3} {
		if Chosen() == "generic" && m > 2 && m != 7 || m > 40 && k > 20 {
			continue
		}
		x, want, start := make([]float32, m*k), make([]float32, m*n), make([]float32, m*n)
		fillRandom(r, x)
		fillRandom(r, start)
		wantAdd := slices.Clone(start)
		chains, by := shapes[current()], matrix{w, 1, k}
		chains.multiply(by, k, n, false, nil, factor{matrix{want, n, 1}, matrix{x, k, 1}, m})
		chains.multiply(by, k, n, true, nil, factor{matrix{wantAdd, n, 1}, matrix{x, k, 1}, m})
		for _, workers := range []int{1, 3} {
			withWorkers(workers, func() {
				what := fmt.Sprintf("%s, %dx%dx%d, %d workers", what, m, k, n, workers)
				got := newGuarded(m * n)
				set(got.data, x, m)
				sameBits(t, what, got.data, want)
				copy(got.data, start)
				add(got.data, x, m)
				sameBits(t, what+", added", got.data, wantAdd)
				got.check(t, what)
			})
		}
	}
}

// BenchmarkSparse reports products that skip weights in operations of the dense
// matrix, so that what is skipped counts.
func BenchmarkSparse(b *testing.B) {
	const n, k = 3072, 768
	r := rand.New(rand.NewPCG(1, 1))
	_, half := picked(r, n, k, k/2)
	tenth := listed(sparseCase(r, n, k, 10, 1), n, k)
	fifth := listed(sparseCase(r, n, k, 5, 1), n, k)
	for _, m := range []int{1, 4, 166, 512} {
		dst, x := make([]float32, m*n), make([]float32, m*k)
		fillRandom(r, x)
		for _, c := range []struct {
			name string
			run  func()
		}{
			{"picked half", func() { MatMulPicked(dst, x, half, m) }},
			{"listed tenth", func() { MatMulListed(dst, x, tenth, m) }},
			{"listed fifth", func() { MatMulListed(dst, x, fifth, m) }},
		} {
			b.Run(fmt.Sprintf("%s/%dx%dx%d", c.name, m, k, n), func(b *testing.B) { reportShare(b, 2*m*k*n, c.run) })
		}
	}
}
