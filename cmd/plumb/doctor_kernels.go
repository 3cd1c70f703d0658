package main

import (
	"context"
	"fmt"
	"math"
	"slices"
	"time"

	"plumb/kernels"
)

// A kernelCheck compares one implementation with the one in pure Go.
type kernelCheck struct {
	Name   string   `json:"name"`
	Chosen bool     `json:"chosen"`
	Cases  int      `json:"cases"`
	Differ []string `json:"differ,omitempty"` // cases with other bits than generic
	GFLOPs float64  `json:"gflops"`           // of the matrix product, on one core
}

// A kernelCase runs one kernel on fixed input and returns all that it wrote.
type kernelCase struct {
	name string
	run  func() []float32
}

// checkKernels puts every implementation that this processor runs through all
// cases, on one core, and restores what was chosen.
func checkKernels(ctx context.Context) ([]kernelCheck, error) {
	chosen, workers := kernels.Chosen(), kernels.Workers()
	kernels.SetWorkers(1)
	defer func() {
		kernels.SetWorkers(workers)
		mustUse(chosen)
	}()
	cases := kernelCases()
	mustUse("generic")
	var want [][]float32
	for _, c := range cases {
		want = append(want, c.run())
	}
	var checks []kernelCheck
	for _, name := range kernels.Names() {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		mustUse(name)
		check := kernelCheck{Name: name, Chosen: name == chosen, Cases: len(cases), GFLOPs: productSpeed()}
		for i, c := range cases {
			if !sameBits(c.run(), want[i]) {
				check.Differ = append(check.Differ, c.name)
			}
		}
		checks = append(checks, check)
	}
	return checks, nil
}

// mustUse switches to an implementation that kernels.Names listed.
func mustUse(name string) {
	if err := kernels.Use(name); err != nil {
		panic("plumb: " + err.Error())
	}
}

func sameBits(a, b []float32) bool {
	for i := range a {
		if math.Float32bits(a[i]) != math.Float32bits(b[i]) {
			return false
		}
	}
	return len(a) == len(b)
}

// kernelCases lists small inputs around the widths of vectors: products of all
// orientations, attention and its gradients, norms, activations, softmax and the
// optimiser.
func kernelCases() []kernelCase {
	var cases []kernelCase
	for _, size := range []struct{ m, k, n int }{{1, 1, 1}, {1, 64, 17}, {5, 15, 16}, {7, 33, 31}, {16, 16, 48}, {19, 70, 65}} {
		m, k, n := size.m, size.k, size.n
		cases = append(cases, kernelCase{fmt.Sprintf("products %d×%d×%d", m, k, n), func() []float32 { return products(m, k, n) }})
	}
	for _, t := range []int{1, 17, 70} {
		cases = append(cases, kernelCase{fmt.Sprintf("attention over %d tokens", t), func() []float32 { return attention(t) }})
	}
	for _, width := range []int{1, 15, 16, 17, 64, 100} {
		cases = append(cases, kernelCase{fmt.Sprintf("rows of %d", width), func() []float32 { return rowKernels(width) }})
	}
	return cases
}

// products runs the matrix product in all its orientations.
func products(m, k, n int) []float32 {
	x, w, dy := noise(m*k, 1), noise(n*k, 2), noise(m*n, 3)
	y, dx, dw := make([]float32, m*n), make([]float32, m*k), make([]float32, n*k)
	kernels.MatMul(y, x, w, m, k, n)
	kernels.MatMulAdd(y, x, w, m, k, n)
	kernels.MatMulBackX(dx, dy, w, m, k, n)
	kernels.MatMulBackXAdd(dx, dy, w, m, k, n)
	kernels.MatMulBackW(dw, dy, x, m, k, n)
	return slices.Concat(y, dx, dw)
}

// attention runs causal attention over two sequences of t tokens, forward and
// backward, with grouped heads of a width that is no multiple of a vector's.
func attention(t int) []float32 {
	const batch = 2
	h := kernels.Heads{Query: 4, KV: 2, Dim: 20, Scale: 0.25}
	queries, keys := batch*t*h.Query*h.Dim, batch*t*h.KV*h.Dim
	q, k, v, dout := noise(queries, 1), noise(keys, 2), noise(keys, 3), noise(queries, 4)
	out, lse := make([]float32, queries), make([]float32, batch*t*h.Query)
	dq, dk, dv := make([]float32, queries), make([]float32, keys), make([]float32, keys)
	kernels.AttentionBatch(out, lse, q, k, v, h, batch, t)
	kernels.AttentionBackBatch(dq, dk, dv, dout, q, k, v, out, lse, h, batch, t)
	return slices.Concat(out, lse, dq, dk, dv)
}

// rowKernels runs what works on rows, on 3 rows of width.
func rowKernels(width int) []float32 {
	n := 3 * width
	x, other, gain, bias := noise(n, 4), noise(n, 5), noise(width, 6), noise(width, 7)
	var all []float32
	kernel := func(run func(dst []float32)) {
		dst := make([]float32, n)
		run(dst)
		all = append(all, dst...)
	}
	kernel(func(dst []float32) { kernels.RMSNorm(dst, x, gain, 1e-5) })
	kernel(func(dst []float32) { kernels.LayerNorm(dst, x, gain, bias, 1e-5) })
	kernel(func(dst []float32) { kernels.SwiGLU(dst, x, other) })
	kernel(func(dst []float32) { kernels.GeGLU(dst, x, other) })
	kernel(func(dst []float32) { kernels.GELUTanh(dst, x) })
	kernel(func(dst []float32) { kernels.GELUErf(dst, x) })
	kernel(func(dst []float32) { kernels.Softmax(dst, x, 3) })
	kernel(func(dst []float32) {
		copy(dst, x)
		step := kernels.AdamW{LearningRate: 1e-2, Beta1: 0.9, Beta2: 0.95, Eps: 1e-8, Decay: 0.1, GradScale: 1, Correction1: 0.1, Correction2: 0.05}
		step.Step(dst, noise(n, 8), make([]float32, n), make([]float32, n))
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

// productSpeed times a matrix product that fits the second-level cache and
// returns the best rate of several, in 10⁹ operations a second.
func productSpeed() float64 {
	const m, k, n = 128, 256, 256
	x, w, y := noise(m*k, 1), noise(n*k, 2), make([]float32, m*n)
	best := math.Inf(1)
	for begin := time.Now(); time.Since(begin) < 60*time.Millisecond; {
		start := time.Now()
		kernels.MatMul(y, x, w, m, k, n)
		best = min(best, time.Since(start).Seconds())
	}
	return 2 * m * k * n / best / 1e9
}
