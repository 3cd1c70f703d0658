package kernels

import (
	"fmt"
	"math"
	"runtime"
	"slices"
	"time"
)

// A Checked says how one implementation compares with the one in pure Go.
type Checked struct {
	Name   string   `json:"name"`
	Chosen bool     `json:"chosen"` // kernels run on it
	Cases  int      `json:"cases"`
	Differ []string `json:"differ,omitempty"` // cases with other bits than generic
	GFLOPs float64  `json:"gflops"`           // of a small matrix product on one core, in 10⁹ operations a second
	Peak   float64  `json:"peak_gflops"`      // of a loop of nothing but multiply-adds, see Peak
}

// Check puts every implementation that this processor runs through the same
// cases, on one core, measures its speed, and restores what was chosen. It
// takes about a tenth of a second for each.
func Check() []Checked {
	chosen, workers := Chosen(), Workers()
	SetWorkers(1)
	defer func() {
		SetWorkers(workers)
		mustUse(chosen)
	}()
	cases := checkCases()
	mustUse(isaNames[generic])
	want := make([][]float32, len(cases))
	for i, c := range cases {
		want[i] = c.run()
	}
	var all []Checked
	for _, name := range Names() {
		mustUse(name)
		checked := Checked{Name: name, Chosen: name == chosen, Cases: len(cases), GFLOPs: productSpeed() / 1e9, Peak: Peak() / 1e9}
		for i, c := range cases {
			if !slices.EqualFunc(c.run(), want[i], sameBit) {
				checked.Differ = append(checked.Differ, c.name)
			}
		}
		all = append(all, checked)
	}
	return all
}

// mustUse switches to an implementation that Names lists.
func mustUse(name string) {
	if err := Use(name); err != nil {
		panic("kernels.Check: " + err.Error())
	}
}

func sameBit(a, b float32) bool { return math.Float32bits(a) == math.Float32bits(b) }

// A checkCase runs kernels on fixed input and returns all that they wrote.
type checkCase struct {
	name string
	run  func() []float32
}

// checkCases lists small inputs around the widths of vectors: products of all
// orientations, attention, and what works on rows, forward and backward.
func checkCases() []checkCase {
	var cases []checkCase
	for _, size := range [][3]int{{1, 1, 1}, {1, 64, 17}, {5, 15, 16}, {7, 33, 31}, {16, 16, 48}, {19, 70, 65}} {
		m, k, n := size[0], size[1], size[2]
		cases = append(cases, checkCase{fmt.Sprintf("products %d×%d×%d", m, k, n), func() []float32 { return checkProducts(m, k, n) }})
	}
	for _, t := range []int{1, 17, 70} {
		cases = append(cases, checkCase{fmt.Sprintf("attention over %d tokens", t), func() []float32 { return checkAttention(t, Heads{}) }})
		cases = append(cases, checkCase{fmt.Sprintf("attention over a window of %d tokens", t), func() []float32 {
			return checkAttention(t, Heads{Window: 11, SoftCap: 0.5})
		}})
	}
	for _, width := range []int{1, 15, 16, 17, 64, 100} {
		cases = append(cases, checkCase{fmt.Sprintf("rows of %d", width), func() []float32 { return checkRows(width) }})
	}
	return cases
}

// checkProducts runs the matrix product in all its orientations.
func checkProducts(m, k, n int) []float32 {
	x, w, dy := noise(m*k, 1), noise(n*k, 2), noise(m*n, 3)
	y, dx, dw := make([]float32, m*n), make([]float32, m*k), make([]float32, n*k)
	MatMul(y, x, w, m, k, n)
	MatMulAdd(y, x, w, m, k, n)
	MatMulBackX(dx, dy, w, m, k, n)
	MatMulBackXAdd(dx, dy, w, m, k, n)
	MatMulBackW(dw, dy, x, m, k, n)
	return slices.Concat(y, dx, dw)
}

// checkAttention runs causal attention over two sequences of t tokens, forward
// and backward, with grouped heads of a width that is no multiple of a vector's.
func checkAttention(t int, h Heads) []float32 {
	const batch = 2
	h.Query, h.KV, h.Dim, h.Scale = 4, 2, 20, 0.25
	queries, keys := batch*t*h.Query*h.Dim, batch*t*h.KV*h.Dim
	q, k, v, dout := noise(queries, 1), noise(keys, 2), noise(keys, 3), noise(queries, 4)
	out, lse := make([]float32, queries), make([]float32, batch*t*h.Query)
	dq, dk, dv := make([]float32, queries), make([]float32, keys), make([]float32, keys)
	AttentionBatch(out, lse, q, k, v, h, batch, t)
	AttentionBackBatch(dq, dk, dv, dout, q, k, v, out, lse, h, batch, t)
	return slices.Concat(out, lse, dq, dk, dv)
}

// checkRows runs what works on rows, on 3 rows of width.
func checkRows(width int) []float32 {
	const rows = 3
	n := rows * width
	x, y, gain, bias := noise(n, 4), noise(n, 5), noise(width, 6), noise(width, 7)
	var all []float32
	kernel := func(outputs int, run func(out [][]float32)) {
		out := make([][]float32, outputs)
		for i := range out {
			out[i] = make([]float32, n)
		}
		run(out)
		all = append(all, slices.Concat(out...)...)
	}
	kernel(1, func(o [][]float32) { RMSNorm(o[0], x, gain, 1e-5) })
	kernel(2, func(o [][]float32) { RMSNormBack(o[0], o[1][:width], y, x, gain, 1e-5) })
	kernel(1, func(o [][]float32) { LayerNorm(o[0], x, gain, bias, 1e-5) })
	kernel(3, func(o [][]float32) { LayerNormBack(o[0], o[1][:width], o[2][:width], y, x, gain, 1e-5) })
	kernel(1, func(o [][]float32) { SwiGLU(o[0], x, y) })
	kernel(3, func(o [][]float32) { SwiGLUBack(o[0], o[1], o[2], y, x, y) })
	kernel(1, func(o [][]float32) { GeGLU(o[0], x, y) })
	kernel(3, func(o [][]float32) { GeGLUBack(o[0], o[1], o[2], y, x, y) })
	kernel(1, func(o [][]float32) { GELUTanh(o[0], x) })
	kernel(1, func(o [][]float32) { GELUTanhBack(o[0], y, x) })
	kernel(1, func(o [][]float32) { GELUErf(o[0], x) })
	kernel(1, func(o [][]float32) { GELUErfBack(o[0], y, x) })
	kernel(1, func(o [][]float32) { copy(o[0], x); SoftCap(o[0], 0.7) })
	kernel(1, func(o [][]float32) { copy(o[0], x); SoftCapBack(o[0], y, 0.7) })
	kernel(1, func(o [][]float32) { Softmax(o[0], x, rows) })
	kernel(1, func(o [][]float32) {
		copy(o[0], x)
		CrossEntropy(o[0], make([]float64, rows), []int32{0, -1, int32(width - 1)}, 0.5)
	})
	kernel(3, func(o [][]float32) {
		copy(o[0], x)
		step := AdamW{LearningRate: 1e-2, Beta1: 0.9, Beta2: 0.95, Eps: 1e-8, Decay: 0.1, GradScale: 1, Correction1: 0.1, Correction2: 0.05}
		step.Step(o[0], noise(n, 8), o[1], o[2])
	})
	return all
}

// noise returns n numbers in (-1, 1) that depend on seed alone.
func noise(n int, seed uint32) []float32 {
	values, state := make([]float32, n), seed*2654435761+1
	for i := range values {
		state = state*1664525 + 1013904223
		values[i] = float32(int32(state)>>8) / (1 << 23)
	}
	return values
}

// productSpeed times a matrix product that fits a second-level cache and
// returns the best of several, in operations a second of CPU time.
func productSpeed() float64 {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	const m, k, n = 128, 256, 256
	x, w, y := noise(m*k, 1), noise(n*k, 2), make([]float32, m*n)
	best := math.Inf(1)
	for begin := cpuTime(); cpuTime()-begin < 60*time.Millisecond; {
		start := cpuTime()
		MatMul(y, x, w, m, k, n)
		best = min(best, (cpuTime() - start).Seconds())
	}
	return 2 * m * k * n / best
}
