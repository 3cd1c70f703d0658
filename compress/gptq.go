package compress

import (
	"cmp"
	"errors"
	"fmt"
	"slices"

	"plumb/model"
)

func init() {
	Methods.Add("gptq", Method{
		About: "rounding that later weights of a row make up for (Frantar et al. 2022)",
		Text:  true,
		New:   func() any { return &gptq{grid: gridOf(4), Damp: 0.01, Block: 128} },
	})
}

// gptq rounds the weights of all rows input by input. What the rounding of one
// changes in the outputs for the calibration text is made up for, as far as can
// be, by the weights of inputs that are still to come (Frantar et al. 2022,
// algorithm 1). Scales are fitted to the weights as they are when their group
// begins. That matrices see what those before them, already rounded, leave ("true
// sequential") is how every method is applied; see Options.
type gptq struct {
	grid
	Damp   float64 `stage:"damp"`   // added to the diagonal of the curvature, share of its mean
	Block  int     `stage:"block"`  // inputs after which later ones are brought up to date; changes rounding errors only
	Order  bool    `stage:"order"`  // inputs of greatest curvature first ("act-order")
	Static bool    `stage:"static"` // scales of groups are fitted before anything is rounded
}

func (g *gptq) Check() error {
	switch {
	case !(g.Damp >= 0):
		return fmt.Errorf("damp=%v: 0 or more is wanted", g.Damp)
	case g.Block < 1:
		return fmt.Errorf("block=%d: 1 or more is wanted", g.Block)
	case g.Order && g.Group != 0 && !g.Static:
		return errors.New("order=true with groups needs static=true: a group is of neighbours, which are not rounded one after another")
	}
	return g.grid.Check()
}

func (g *gptq) Needs() Needs { return Gram }

func (g *gptq) Matrix(w *model.Dense, in *Inputs) (model.Linear, Notes, error) {
	c, notes, err := g.round(w, in)
	if err != nil {
		return nil, nil, err
	}
	l, err := g.linear(c, w.Bias)
	return l, notes, err
}

// round finds the codes.
func (g *gptq) round(w *model.Dense, in *Inputs) (*codes, Notes, error) {
	order := g.order(in)
	h, err := newHessian(in, g.Damp, order)
	if err != nil {
		return nil, nil, err
	}
	r := &rounding{gptq: g, codes: g.newCodes(w), h: h, order: order, w: make([]float32, len(w.Weight))}
	if g.fitsBefore() {
		r.grids = r.levels.Grids(w.Weight, w.In, r.group, g.Clip == "mse")
	}
	dead := 0
	for p, i := range order {
		if h.dead[p] {
			dead++
			continue
		}
		for row := range w.Out {
			r.w[row*w.In+p] = w.Weight[row*w.In+i]
		}
	}
	each := r.blockSize()
	for from := 0; from < w.In; from += each {
		r.block(from, min(from+each, w.In))
	}
	return r.codes, Notes{"dead inputs": float64(dead)}, nil
}

// fitsBefore reports whether scales do not wait for their group.
func (g *gptq) fitsBefore() bool { return g.Group == 0 || g.Static }

// order lists the inputs as they are rounded.
func (g *gptq) order(in *Inputs) []int {
	order := make([]int, in.in)
	for i := range order {
		order[i] = i
	}
	if g.Order {
		slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(in.Gram[b*in.in+b], in.Gram[a*in.in+a]) })
	}
	return order
}

// A rounding is a matrix on its way to codes.
type rounding struct {
	*gptq
	*codes
	h     *hessian
	order []int
	w     []float32 // [out, in] weights as they are by now, inputs in order
}

// blockSize makes blocks of whole groups, so that the weights of a group are up to
// date when it begins.
func (r *rounding) blockSize() int {
	if r.fitsBefore() {
		return r.Block
	}
	return (r.Block + r.codes.group - 1) / r.codes.group * r.codes.group
}

// block rounds the inputs from from to to in every row, then tells all later ones.
func (r *rounding) block(from, to int) {
	width := to - from
	errs := make([]float32, r.out*width)
	inRows(r.out, func(first, last int) {
		for row := first; row < last; row++ {
			r.row(row, from, to, errs[row*width:(row+1)*width])
		}
	})
	r.h.spread(r.w, errs, r.out, from, to)
}

// row rounds the inputs of a block in one row:
//
//	err = (w_p − ŵ_p)/U_pp,  w_j −= err·U_pj for the j of the block after p
func (r *rounding) row(row, from, to int, errs []float32) {
	w := r.w[row*r.in : (row+1)*r.in]
	for p := from; p < to; p++ {
		i := r.order[p]
		at := row*r.groups() + i/r.codes.group
		if !r.fitsBefore() && p%r.codes.group == 0 {
			r.grids[at] = r.fit(w[p:min(p+r.codes.group, r.in)])
		}
		g := r.grids[at]
		q := r.levels.Code(w[p], g)
		r.q[row*r.in+i] = q
		u := r.h.factor[p*r.in : (p+1)*r.in]
		err := (w[p] - g.Value(q)) / u[p]
		errs[p-from] = err
		for j := p + 1; j < to; j++ {
			w[j] -= float32(err * u[j])
		}
	}
}
