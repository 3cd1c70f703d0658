package kernels

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
)

// packedSizes are matrices [n, k] around the edges of panels and blocks.
var packedSizes = [][2]int{{1, 1}, {31, 5}, {32, 8}, {33, 7}, {64, 16}, {81, 48}, {100, packedSteps + 3}}

// Products with a packed matrix have the bits of those with the matrix itself,
// for every number of rows, whichever instruction set packed it.
func TestPackedProductsAreThoseOfTheMatrix(t *testing.T) {
	onEach(t, func(t *testing.T) {
		r := rand.New(rand.NewPCG(5, 6))
		for _, size := range packedSizes {
			n, k := size[0], size[1]
			w := make([]float32, n*k)
			fillRandom(r, w)
			packed := Pack(slices.Clone(w), n, k)
			row := make([]float32, k)
			for i := range n {
				packed.Row(row, i)
				sameBits(t, fmt.Sprintf("row %d of %dx%d", i, n, k), row, w[i*k:(i+1)*k])
			}
			for m := 1; m <= 40; m++ {
				if Chosen() != "generic" || m < 4 && n < 100 {
					samePacked(t, r, w, packed, m)
				}
			}
			if Chosen() != "generic" {
				samePacked(t, r, w, packed, packedRows+1)
				samePacked(t, r, w, packed, 2*packedRows+5)
			}
		}
	})
}

// samePacked multiplies m rows with both forms of a matrix.
func samePacked(t *testing.T, r *rand.Rand, w []float32, packed *Packed, m int) {
	t.Helper()
	n, k := packed.Shape()
	x, start := make([]float32, m*k), make([]float32, m*n)
	fillRandom(r, x)
	fillRandom(r, start)
	want, wantAdd, got := slices.Clone(start), slices.Clone(start), make([]float32, m*n)
	MatMul(want, x, w, m, k, n)
	MatMulAdd(wantAdd, x, w, m, k, n)
	for _, workers := range []int{1, 3} {
		withWorkers(workers, func() {
			what := fmt.Sprintf("%dx%dx%d, %d workers", m, k, n, workers)
			copy(got, start)
			MatMulPacked(got, x, packed, m)
			sameBits(t, what, got, want)
			copy(got, start)
			MatMulPackedAdd(got, x, packed, m)
			sameBits(t, what+", added", got, wantAdd)
		})
	}
}

func TestEmbeddingPackedCopiesRows(t *testing.T) {
	const n, k = 70, 9
	w := make([]float32, n*k)
	fillRandom(rand.New(rand.NewPCG(1, 2)), w)
	packed := Pack(slices.Clone(w), n, k)
	ids := []int32{69, 0, 31, 32, 63, 64, 5, 5}
	want, got := make([]float32, len(ids)*k), make([]float32, len(ids)*k)
	Embedding(want, w, ids)
	EmbeddingPacked(got, packed, ids)
	sameBits(t, "packed", got, want)
}

// BenchmarkMatMulPacked reports products of the row counts of decoding, of
// short continuations and of scoring.
func BenchmarkMatMulPacked(b *testing.B) {
	for _, s := range [][2]int{{64, 64}, {768, 768}, {3072, 768}, {768, 3072}, {50257, 768}} {
		n, k := s[0], s[1]
		w := make([]float32, n*k)
		fillRandom(rand.New(rand.NewPCG(1, 1)), w)
		packed := Pack(w, n, k)
		for _, m := range []int{1, 2, 4, 8, 14, 166, 512, 1024} {
			if n > 10_000 && m > 256 {
				continue
			}
			dst, x := make([]float32, m*n), make([]float32, m*k)
			fillRandom(rand.New(rand.NewPCG(1, 2)), x)
			b.Run(fmt.Sprintf("%dx%dx%d", m, k, n), func(b *testing.B) {
				reportShare(b, 2*m*k*n, func() { MatMulPacked(dst, x, packed, m) })
			})
		}
	}
}
