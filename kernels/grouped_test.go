package kernels

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// groupedCase makes a matrix of random numbers.
func groupedCase(r *rand.Rand, n, k, bits, group int, zero bool) *Grouped {
	groups := Groups(k, group)
	s := GroupedSource{N: n, K: k, Bits: bits, Group: group, Scales: make([]float32, n*groups)}
	q := make([]uint8, n*k)
	for i := range q {
		q[i] = uint8(r.IntN(1 << bits))
	}
	for i := range s.Scales {
		s.Scales[i] = r.Float32() + 0.5
		if zero {
			s.Zeros = append(s.Zeros, uint8(r.IntN(1<<bits)))
		}
	}
	s.Row = func(dst []uint8, r int) { copy(dst, q[r*k:(r+1)*k]) }
	return PackGrouped(s)
}

// plainGrouped is the formula of MatMulGrouped.
func plainGrouped(dst, x []float32, w *Grouped, m int) {
	row := make([]float32, w.k)
	whole := *w
	whole.scales = slices.Repeat([]float32{1}, len(w.scales))
	for j := range w.n {
		whole.Row(row, j) // q-z
		for i := range m {
			y := &dst[i*w.n+j]
			for from := 0; from < w.k; from += fixedInputs(w.group, w.k, from) {
				n := fixedInputs(w.group, w.k, from)
				power, v := plainFixed(x[i*w.k:(i+1)*w.k], w.group, from, n)
				sum := int64(0)
				for p, v := range v {
					sum += v * int64(row[from+p])
				}
				scale := w.scales[(j/panelRows*w.groups()+from/w.group)*panelRows+j%panelRows]
				*y = fma32(float32(sum), float32(power*scale), *y)
			}
		}
	}
}

// fixedInputs is how many inputs from from on are summed in whole numbers.
func fixedInputs(group, k, from int) int {
	end := min(k, (from/group+1)*group)
	if group > 128 {
		end = min(end, from/group*group+(from%group/128+1)*128)
	}
	return end - from
}

// plainFixed returns the inputs from..from+n of x as whole numbers and what they
// are multiples of, which as many whole groups as fit 128 inputs share.
func plainFixed(x []float32, group, from, n int) (power float32, v []int64) {
	shared := x[from : from+n]
	if group <= 128 {
		block := 128 / group * group
		first, whole := from/block*block, len(x)/group*group
		shared = x[first:min(first+block, whole)]
		if from >= whole {
			shared = x[whole:]
		}
	}
	largest := float64(0)
	for _, v := range shared {
		largest = max(largest, math.Abs(float64(v)))
	}
	v = make([]int64, n)
	if largest == 0 {
		return 0, v
	}
	exponent := max(-126, math.Ilogb(largest)-22)
	if largest > math.Ldexp(8355711, exponent) {
		exponent++
	}
	for i, x := range x[from : from+n] {
		v[i] = int64(math.RoundToEven(math.Ldexp(float64(x), -exponent)))
	}
	return float32(math.Ldexp(1, exponent)), v
}

var groupedSizes = [][3]int{{1, 8, 8}, {31, 5, 5}, {33, 24, 8}, {64, 40, 16}, {96, 64, 32}, {130, 100, 64}, {161, 70, 70}, {40, 300, 48}, {33, 417, 136}, {64, 300, 300}}

func TestGroupedProductsFollowTheFormula(t *testing.T) {
	onEach(t, func(t *testing.T) {
		r := rand.New(rand.NewPCG(5, 6))
		for _, size := range groupedSizes {
			for _, bits := range []int{4, 8} {
				for _, zero := range []bool{false, true} {
					w := groupedCase(r, size[0], size[1], bits, size[2], zero)
					for _, m := range []int{1, 2, 5, 33} {
						if Chosen() == "generic" && m > 2 {
							continue
						}
						sameGrouped(t, r, w, m)
					}
				}
			}
		}
	})
}

func sameGrouped(t *testing.T, r *rand.Rand, w *Grouped, m int) {
	t.Helper()
	n, k := w.Shape()
	x, start := make([]float32, m*k), make([]float32, m*n)
	fillRandom(r, x)
	fillRandom(r, start)
	want, wantAdd := make([]float32, m*n), slices.Clone(start)
	plainGrouped(want, x, w, m)
	plainGrouped(wantAdd, x, w, m)
	for _, workers := range []int{1, 3} {
		withWorkers(workers, func() {
			what := fmt.Sprintf("%dx%dx%d, %d bits, groups of %d, zero points %v, %d workers", m, k, n, w.bits, w.group, w.zeros != nil, workers)
			got := newGuarded(m * n)
			copy(got.data, start)
			MatMulGrouped(got.data, x, w, m)
			sameBits(t, what, got.data, want)
			copy(got.data, start)
			MatMulGroupedAdd(got.data, x, w, m)
			sameBits(t, what+", added", got.data, wantAdd)
			got.check(t, what)
		})
	}
}

// Matrices that moved to one region are the same.
func TestAdjoinedMatricesAreTheSame(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 8))
	var all, moved []*Grouped
	for i, size := range groupedSizes {
		w := groupedCase(r, size[0], size[1], 4+i%2*4, size[2], i%3 == 0)
		same := *w
		all, moved = append(all, w), append(moved, &same)
	}
	Adjoin(moved)
	for i, w := range moved {
		if !slices.Equal(w.words, all[i].words) || !slices.Equal(w.scales, all[i].scales) || !slices.Equal(w.zeros, all[i].zeros) {
			t.Errorf("matrix %d changed", i)
		}
		if &w.words[0] == &all[i].words[0] {
			t.Errorf("matrix %d did not move", i)
		}
	}
}

// Where every product is as large as can be nothing overflows, and numbers of very
// different sizes, those beside the limit of a power of two and those of which
// only zeros remain follow the formula too.
func TestGroupedProductsAreExactAtTheEdges(t *testing.T) {
	onEach(t, func(t *testing.T) {
		r := rand.New(rand.NewPCG(9, 6))
		edges := []float32{8355711, 8355711.5, 8388607, -8355712, 32639, 32640, -32896, -32897, 1 << 22, 127.5, 0, 1e-30, 3e38, -1e-40, 1e-45}
		for _, bits := range []int{4, 8} {
			for _, edge := range []uint8{0, 1, 1<<bits - 1} {
				const n, k = 40, 384
				w := PackGrouped(GroupedSource{N: n, K: k, Bits: bits, Group: k, Scales: slices.Repeat([]float32{1}, n), Zeros: slices.Repeat([]uint8{1<<bits - 1 - edge}, n),
					Row: func(dst []uint8, r int) {
						for i := range dst {
							dst[i] = edge
						}
					}})
				x := make([]float32, 3*k)
				for i := range x {
					x[i] = edges[(i/128+i/k)%len(edges)] // all of a block alike
					if i >= 2*k {
						x[i] = edges[r.IntN(len(edges))]
					}
				}
				want, got := make([]float32, 3*n), make([]float32, 3*n)
				plainGrouped(want, x, w, 3)
				MatMulGrouped(got, x, w, 3)
				sameBits(t, fmt.Sprintf("%d of %d bits", edge, bits), got, want)
				for i := range 3 {
					MatMulGrouped(got[:n], x[i*k:(i+1)*k], w, 1)
					sameBits(t, fmt.Sprintf("%d of %d bits, row %d alone", edge, bits, i), got[:n], want[i*n:(i+1)*n])
				}
			}
		}
	})
}

// The fixed point is as good as float32: against products in float64, errors are
// compared with those of a chain in float32.
func TestGroupedProductsAreAsGoodAsFloat32(t *testing.T) {
	r := rand.New(rand.NewPCG(10, 6))
	const n, k = 64, 1024
	for _, bits := range []int{4, 8} {
		w := groupedCase(r, n, k, bits, 128, true)
		x, y, row := make([]float32, k), make([]float32, n), make([]float32, k)
		for i := range x {
			x[i] = float32(r.NormFloat64())
		}
		MatMulGrouped(y, x, w, 1)
		fixed, chain := 0.0, 0.0
		for j := range n {
			w.Row(row, j)
			exact, sum := 0.0, float32(0)
			for p, v := range row {
				exact += float64(v) * float64(x[p])
				sum = fma32(v, x[p], sum)
			}
			fixed += math.Pow(float64(y[j])-exact, 2)
			chain += math.Pow(float64(sum)-exact, 2)
		}
		if fixed > chain {
			t.Errorf("%d bits: the squares of errors are %.3g in fixed point, %.3g in float32", bits, fixed, chain)
		}
	}
}

// Sums of products of whole numbers are compared with those in int64.
func TestW8A8FollowsTheFormula(t *testing.T) {
	onEach(t, func(t *testing.T) {
		r := rand.New(rand.NewPCG(7, 6))
		for _, size := range [][2]int{{1, 1}, {31, 5}, {33, 24}, {64, 41}, {96, 300}} {
			n, k := size[0], size[1]
			w := groupedCase(r, n, k, 8, k, false)
			for _, m := range []int{1, 2, 3, 17, 300} {
				if Chosen() == "generic" && m > 3 || m > 17 && n != 64 {
					continue
				}
				for _, scale := range []float32{0, 0.02} {
					sameW8A8(t, r, w, m, scale)
				}
			}
		}
	})
}

func sameW8A8(t *testing.T, r *rand.Rand, w *Grouped, m int, scale float32) {
	t.Helper()
	n, k := w.Shape()
	x, start := make([]float32, m*k), make([]float32, m*n)
	fillRandom(r, x)
	fillRandom(r, start)
	clear(x[:k]) // a row of zeros
	want, wantAdd := make([]float32, m*n), make([]float32, m*n)
	plainW8A8(want, x, w, m, scale)
	for i := range want {
		wantAdd[i] = start[i] + want[i]
	}
	for _, workers := range []int{1, 3} {
		withWorkers(workers, func() {
			what := fmt.Sprintf("%dx%dx%d, scale %v, %d workers", m, k, n, scale, workers)
			got := newGuarded(m * n)
			MatMulW8A8(got.data, x, w, m, scale)
			sameBits(t, what, got.data, want)
			copy(got.data, start)
			MatMulW8A8Add(got.data, x, w, m, scale)
			sameBits(t, what+", added", got.data, wantAdd)
			got.check(t, what)
		})
	}
}

func plainW8A8(dst, x []float32, w *Grouped, m int, fixed float32) {
	numbers, scales := make([]float32, w.k), make([]float32, w.n)
	whole := *w
	whole.scales = slices.Repeat([]float32{1}, len(w.scales))
	for i := range m {
		row, largest := x[i*w.k:(i+1)*w.k], float32(0)
		for _, v := range row {
			largest = max(largest, float32(math.Abs(float64(v))))
		}
		scale, inverse := largest/127, 127/largest
		if fixed != 0 {
			scale, inverse = fixed, 1/fixed
		}
		for j := range w.n {
			whole.Row(numbers, j)
			scales[j] = w.scales[j/panelRows*panelRows+j%panelRows]
			sum := int64(0)
			for p, v := range row {
				if largest > 0 {
					sum += int64(max(-127, min(127, math.RoundToEven(float64(v*inverse))))) * int64(numbers[p])
				}
			}
			dst[i*w.n+j] = float32(float32(sum)*scale) * scales[j]
		}
	}
}

// Where every product is as large as can be, nothing saturates.
func TestW8A8IsExactAtTheEdges(t *testing.T) {
	onEach(t, func(t *testing.T) {
		for _, edge := range []uint8{0, 1, 255} {
			const n, k = 40, 2048
			w := PackGrouped(GroupedSource{N: n, K: k, Bits: 8, Group: k, Scales: slices.Repeat([]float32{1}, n),
				Row: func(dst []uint8, r int) {
					for i := range dst {
						dst[i] = edge
					}
				}})
			for _, sign := range []float32{-127, 127} {
				got := make([]float32, n)
				MatMulW8A8(got, slices.Repeat([]float32{sign}, k), w, 1, 0)
				if want := float32(sign * k * (float32(edge) - 128)); got[0] != want || got[n-1] != want {
					t.Errorf("%d of %v: %v, want %v", edge, sign, got[0], want)
				}
			}
		}
	})
}

func TestProductsWithWholeNumbersShowNaN(t *testing.T) {
	onEach(t, func(t *testing.T) {
		w := groupedCase(rand.New(rand.NewPCG(1, 1)), 8, 20, 8, 20, false)
		for _, bad := range []float64{math.NaN(), math.Inf(1), math.Inf(-1)} {
			x, y := make([]float32, 40), make([]float32, 16)
			x[3], x[21] = float32(bad), 1
			if MatMulGrouped(y, x, w, 2); y[0] == y[0] || y[8] != y[8] {
				t.Errorf("%v: rows begin with %v and %v", bad, y[0], y[8])
			}
			for _, scale := range []float32{0, 1} {
				x, y := make([]float32, 40), make([]float32, 16)
				x[3], x[21] = float32(bad), 1
				MatMulW8A8(y, x, w, 2, scale)
				if y[0] == y[0] || y[8] != y[8] {
					t.Errorf("%v, scale %v: rows begin with %v and %v", bad, scale, y[0], y[8])
				}
			}
		}
	})
}

// BenchmarkGrouped reports products with matrices of whole numbers: one row as
// a share of the bandwidth, more as a share of the peak of float32.
func BenchmarkGrouped(b *testing.B) {
	for _, s := range [][2]int{{3072, 768}, {50304, 768}} {
		n, k := s[0], s[1]
		for _, f := range []struct{ bits, group int }{{8, k}, {8, 128}, {4, 128}, {4, 32}} {
			w := groupedCase(rand.New(rand.NewPCG(1, 1)), n, k, f.bits, f.group, false)
			for _, m := range []int{1, 2, 4, 8, 166, 512} {
				if n > 10_000 && m > 8 {
					continue
				}
				benchmarkGrouped(b, fmt.Sprintf("int%dg%d", f.bits, f.group), w, m, func(dst, x []float32) { MatMulGrouped(dst, x, w, m) })
			}
			if f.group == k {
				for _, m := range []int{1, 4, 166, 512} {
					if n < 10_000 || m < 8 {
						benchmarkGrouped(b, "w8a8", w, m, func(dst, x []float32) { MatMulW8A8(dst, x, w, m, 0) })
					}
				}
			}
		}
	}
}

func benchmarkGrouped(b *testing.B, name string, w *Grouped, m int, run func(dst, x []float32)) {
	n, k := w.Shape()
	dst, x := make([]float32, m*n), make([]float32, m*k)
	fillRandom(rand.New(rand.NewPCG(1, 2)), x)
	b.Run(fmt.Sprintf("%s/%dx%dx%d", name, m, k, n), func(b *testing.B) {
		if m > 1 {
			reportShare(b, 2*m*k*n, func() { run(dst, x) })
			return
		}
		reportBandwidth(b, 4*(len(w.words)+len(w.scales)), func() { run(dst, x) })
	})
}
