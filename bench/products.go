package bench

import (
	"fmt"
	"slices"
	"strings"

	"plumb/arch"
	"plumb/kernels"
)

var kernelsSection = section{
	name:   "kernels",
	about:  "what training steps are made of, at their sizes, on one core: products and attention as shares of the peak, work on rows as shares of what memory delivers",
	shapes: []string{"1m", "10m", "124m"},
	groups: func(r *runner, s Shape) []group {
		return []group{productGroup(s), attentionGroup(s), rowGroup(s)}
	},
}

// A product is a matrix [n, k] that rows tokens are multiplied with.
type product struct {
	names      []string // of the matrices of this size
	rows, n, k int
}

// products lists the sizes of the matrices of s, each once.
func products(s Shape) (all []product) {
	add := func(name string, rows, n, k int) {
		at := slices.IndexFunc(all, func(p product) bool { return p.rows == rows && p.n == n && p.k == k })
		if at < 0 {
			all, at = append(all, product{nil, rows, n, k}), len(all)
		}
		all[at].names = append(all[at].names, name)
	}
	for _, t := range s.Tensors() {
		if name, ok := strings.CutPrefix(t.Name, "block."); ok && t.Group == arch.Body && t.Rows > headFew && t.Cols > headFew {
			add(name, s.tokens(), t.Rows, t.Cols)
		}
	}
	add("head", headRows(s), s.Vocab, s.Width)
	return all
}

// headRows is how many tokens go through the output matrix at a time in training.
func headRows(s Shape) int { return min(s.LogitRows(), s.tokens()) }

// headFew is more rows than arch lists of norms and biases, which are no matrices.
const headFew = 4

func productGroup(s Shape) group {
	g := group{section: "kernels", shape: s.Name}
	all := products(s)
	for _, p := range all {
		g.costs = append(g.costs, p.operations(), p.operations(), p.operations())
	}
	g.open = func() (probes []probe, drop func(), err error) {
		for _, p := range all {
			probes = append(probes, p.probes(s.Name)...)
		}
		return probes, func() {}, nil
	}
	return g
}

func (p product) operations() float64 { return 2 * float64(p.rows) * float64(p.n) * float64(p.k) }

// probes times the product, its gradient by the input and that by the weights.
func (p product) probes(shape string) []probe {
	x, y, w := noise(p.rows*p.k, 1), noise(p.rows*p.n, 2), noise(p.n*p.k, 3)
	dw := make([]float32, p.n*p.k)
	name := func(which string) string {
		return fmt.Sprintf("%s %s, %d×%d·%d", strings.Join(p.names, " "), which, p.rows, p.k, p.n)
	}
	return []probe{
		counted(shape, name("forward"), p.operations(), func() { kernels.MatMul(y, x, w, p.rows, p.k, p.n) }),
		counted(shape, name("by input"), p.operations(), func() { kernels.MatMulBackX(x, y, w, p.rows, p.k, p.n) }),
		counted(shape, name("by weights"), p.operations(), func() { kernels.MatMulBackW(dw, y, x, p.rows, p.k, p.n) }),
	}
}

// counted is a kernel on one core, whose operations are a share of the peak.
func counted(shape, name string, operations float64, do func()) probe {
	return probe{
		Line:  Line{Section: "kernels", Shape: shape, Name: name, Workers: 1, Unit: "FLOP", Work: operations, Limit: PeakLimit},
		Task:  task(1, do),
		needs: operations,
	}
}

// attentionGroup times attention over the sequences of a step. Operations are
// those below the diagonal, and twice as many backward.
func attentionGroup(s Shape) group {
	operations := 2 * float64(s.Batch*s.Heads*s.HeadDim) * float64(s.Context*s.Context)
	return group{section: "kernels", shape: s.Name, costs: []float64{operations, 2 * operations}, open: func() ([]probe, func(), error) {
		h := kernels.Heads{Query: s.Heads, KV: s.KVHeads, Dim: s.HeadDim, Scale: 0.125}
		queries, keys := s.tokens()*s.Heads*s.HeadDim, s.tokens()*s.KVHeads*s.HeadDim
		q, k, v, dout := noise(queries, 1), noise(keys, 2), noise(keys, 3), noise(queries, 4)
		out, lse := make([]float32, queries), make([]float32, s.tokens()*s.Heads)
		dq, dk, dv := make([]float32, queries), make([]float32, keys), make([]float32, keys)
		size := fmt.Sprintf("%d×%d tokens, %d heads of %d", s.Batch, s.Context, s.Heads, s.HeadDim)
		return []probe{
			counted(s.Name, "attention forward, "+size, operations, func() { kernels.AttentionBatch(out, lse, q, k, v, h, s.Batch, s.Context) }),
			counted(s.Name, "attention backward, "+size, 2*operations, func() {
				kernels.AttentionBackBatch(dq, dk, dv, dout, q, k, v, out, lse, h, s.Batch, s.Context)
			}),
		}, func() {}, nil
	}}
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
