package compress

import (
	"strings"

	"plumb/kernels"
	"plumb/model"
)

// The shares of the range that clipping tries: 1, 0.975, ... 0.5.
const clipTries, clipStep = 21, 0.025

// unclipped reports whether a slot is one whose ranges awq leaves alone, because
// the outputs of queries and keys are multiplied with each other.
func unclipped(slot string) bool {
	return strings.HasSuffix(slot, ".attention.q") || strings.HasSuffix(slot, ".attention.k")
}

// clipped fits a grid to each group of w with the range [−p·m, p·m], m the greatest
// |w| of the group, whose p gives the outputs of the group least error on inputs
// with this Gram matrix [in, in].
func clipped(c *codes, w *model.Dense, gram []float64) []kernels.Grid {
	grids := make([]kernels.Grid, w.Out*c.groups())
	for g := range c.groups() {
		from, to := g*c.group, min((g+1)*c.group, w.In)
		clipGroup(c, w, gram, from, to, func(row int) *kernels.Grid { return &grids[row*c.groups()+g] })
	}
	return grids
}

// clipGroup does one group of all rows.
func clipGroup(c *codes, w *model.Dense, gram []float64, from, to int, grid func(row int) *kernels.Grid) {
	n := to - from
	block := make([]float32, n*n)
	for i := range n {
		for j := range n {
			block[i*n+j] = float32(gram[(from+i)*w.In+from+j])
		}
	}
	change, product := make([]float32, w.Out*n), make([]float32, w.Out*n)
	tried, best := make([]kernels.Grid, w.Out), make([]float64, w.Out)
	for try := range clipTries {
		inRows(w.Out, func(first, last int) {
			for r := first; r < last; r++ {
				tried[r] = shrunk(c.levels, w.Row(r)[from:to], float32(1-clipStep*float64(try)))
				for i, v := range w.Row(r)[from:to] {
					change[r*n+i] = v - tried[r].Value(c.levels.Code(v, tried[r]))
				}
			}
		})
		kernels.MatMul(product, change, block, w.Out, n, n)
		for r := range w.Out {
			e := dot(change[r*n:(r+1)*n], product[r*n:(r+1)*n])
			if try == 0 || e < best[r] {
				best[r], *grid(r) = e, tried[r]
			}
		}
	}
}

// shrunk is the grid of w cut off at a share of its greatest size.
func shrunk(l kernels.Levels, w []float32, share float32) kernels.Grid {
	var least, most float32
	for _, v := range w {
		least, most = min(least, v), max(most, v)
	}
	limit := max(-least, most) * share
	return l.Over(max(least, -limit), min(most, limit))
}

func dot(a, b []float32) float64 {
	sum := 0.0
	for i, v := range a {
		sum += float64(v) * float64(b[i]) // exact before it is added
	}
	return sum
}
