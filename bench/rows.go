package bench

import (
	"fmt"

	"plumb/kernels"
)

// rowGroup times what works on rows, by the bytes that must be read and written
// once. Rows that fit a cache are faster than memory, and some of the work is
// bound by arithmetic, so that shares only compare.
func rowGroup(s Shape) group {
	lines := rowLines(s)
	g := group{section: "kernels", shape: s.Name, costs: make([]float64, len(lines))}
	g.open = func() (probes []probe, drop func(), err error) {
		for _, l := range lines {
			probes = append(probes, l.probe(s.Name))
		}
		return probes, func() {}, nil
	}
	return g
}

// A rowLine is work on rows × width numbers, each array of which counts as
// often as it is read or written.
type rowLine struct {
	name        string
	rows, width int
	passes      int // arrays read or written
	make        func(n int) Task
}

func (l rowLine) probe(shape string) probe {
	bytes := 4 * float64(l.passes) * float64(l.rows) * float64(l.width)
	return probe{
		Line: Line{
			Section: "kernels", Shape: shape, Name: fmt.Sprintf("%s, %d×%d", l.name, l.rows, l.width), Workers: 1,
			Unit: "B", Work: bytes, Limit: MemoryLimit,
		},
		Task:  l.make(l.rows * l.width),
		needs: bytes,
	}
}

func rowLines(s Shape) []rowLine {
	t, c, f := s.tokens(), s.Width, s.Hidden
	return []rowLine{
		{"norm forward", t, c, 2, func(n int) Task {
			x, dst, gain := noise(n, 1), make([]float32, n), ones(c)
			return task(1, func() { kernels.RMSNorm(dst, x, gain, 1e-5) })
		}},
		{"norm backward", t, c, 4, func(n int) Task {
			x, dy, dx, gain, dgain := noise(n, 1), noise(n, 2), make([]float32, n), ones(c), make([]float32, c)
			return task(1, func() { kernels.RMSNormBack(dx, dgain, dy, x, gain, 1e-5) })
		}},
		{"activation forward", t, f, 3, func(n int) Task {
			gate, up, dst := noise(n, 1), noise(n, 2), make([]float32, n)
			return task(1, func() { kernels.SwiGLU(dst, gate, up) })
		}},
		{"activation backward", t, f, 6, func(n int) Task {
			gate, up, dy, dst, dgate, dup := noise(n, 1), noise(n, 2), noise(n, 3), make([]float32, n), make([]float32, n), make([]float32, n)
			return task(1, func() { kernels.SwiGLUBack(dst, dgate, dup, dy, gate, up) })
		}},
		{"rotary", t, s.Heads * s.HeadDim, 2, func(n int) Task {
			x, table, positions := noise(n, 1), kernels.NewRotaryTable(s.Context, s.RotaryChannels(), 1e4), make([]int32, t)
			for i := range positions {
				positions[i] = int32(i % s.Context)
			}
			return task(1, func() { kernels.Rotary(x, positions, s.Heads, s.HeadDim, table) })
		}},
		{"residual sum", t, c, 3, func(n int) Task {
			x, dst := noise(n, 1), noise(n, 2)
			return task(1, func() { kernels.Add(dst, x) })
		}},
		{"cross-entropy and its gradient", headRows(s), s.Vocab, 2, crossEntropyTask(headRows(s))},
		{"optimiser", 1, s.Params().Total, 8, optimiserTask},
		{"gradient norm", 1, s.Params().Total, 1, func(n int) Task {
			g := noise(n, 1)
			return task(1, func() { kernels.SumSquares(g) })
		}},
	}
}

func crossEntropyTask(rows int) func(n int) Task {
	return func(n int) Task {
		logits, losses, targets := noise(n, 1), make([]float64, rows), make([]int32, rows)
		return task(1, func() { kernels.CrossEntropy(logits, losses, targets, 1) })
	}
}

// optimiserTask fills gradients and moments anew before each repetition: left
// alone they would fade into numbers that processors are slow with.
func optimiserTask(n int) Task {
	w, g, m, v := noise(n, 1), noise(n, 2), make([]float32, n), make([]float32, n)
	step := kernels.AdamW{LearningRate: 1e-3, Beta1: 0.9, Beta2: 0.95, Eps: 1e-8, Decay: 0.1, GradScale: 1, Correction1: 1, Correction2: 1}
	t := task(1, func() { step.Step(w, g, m, v) })
	one := t.Before
	t.Before = func() {
		one()
		for i := range m {
			m[i], v[i] = 0.1, 0.1
		}
	}
	return t
}
