package compress

import (
	"fmt"

	"plumb/model"
)

func init() {
	Methods.Add("sparsegpt", Method{
		About: "weights become zero that the others of their row best make up for (Frantar and Alistarh 2023)",
		Text:  true,
		New:   func() any { return &sparsegpt{sparsity: half(), Damp: 0.01, Block: 128} },
	})
}

// sparsegpt removes the weights of least w²/U_jj², where UᵀU is the inverse of the
// curvature, and lets those of later inputs make up for each (Frantar and Alistarh
// 2023, algorithm 1). Weights are compared within a block of inputs of all rows, or
// in a pattern, and always as those before them have left them. Panels keep the
// inputs with the greatest sum. Weights of inputs that are always 0 become 0.
type sparsegpt struct {
	sparsity
	Damp  float64 `stage:"damp"`  // added to the diagonal of the curvature, share of its mean
	Block int     `stage:"block"` // inputs whose weights are compared, and after which later ones are brought up to date
}

func (p *sparsegpt) Check() error {
	switch {
	case !(p.Damp >= 0):
		return fmt.Errorf("damp=%v: 0 or more is wanted", p.Damp)
	case p.Block < 1:
		return fmt.Errorf("block=%d: 1 or more is wanted", p.Block)
	}
	return p.sparsity.Check()
}

func (p *sparsegpt) Needs() Needs { return Gram }

// Form implements Foreseer.
func (p *sparsegpt) Form(out, in int) (model.Form, bool, error) {
	kept := 0
	for from := 0; from < in; from += p.Block {
		n, err := p.count(out * min(p.Block, in-from))
		if err != nil {
			return nil, true, err
		}
		kept += n
	}
	return p.foresee(in, kept)
}

func (p *sparsegpt) Matrix(w *model.Dense, in *Inputs) (model.Linear, Notes, error) {
	if err := p.fits(w.In); err != nil {
		return nil, nil, err
	}
	h, err := newHessian(in, p.Damp, nil)
	if err != nil {
		return nil, nil, err
	}
	r := &removal{sparsegpt: p, h: h, w: w.Clone(), keep: make([]bool, len(w.Weight)), all: make([]float64, w.Out), lost: make([]float64, w.Out)}
	dead := r.bury()
	each := p.Block
	if p.m > 0 {
		each = (p.Block + p.m - 1) / p.m * p.m // of whole patterns
	}
	for from := 0; from < w.In; from += each {
		if err := r.block(from, min(from+each, w.In)); err != nil {
			return nil, nil, err
		}
	}
	l, err := p.linear(r.w, r.keep)
	return l, r.notes(dead), err
}

// A removal is a matrix on its way to a sparse one.
type removal struct {
	*sparsegpt
	h         *hessian
	w         *model.Dense // as it is by now
	keep      []bool       // [out, in]
	all, lost []float64    // [out] sums of w²/U_jj², of all weights and of those removed
}

// bury removes the weights of dead inputs and counts these.
func (r *removal) bury() (dead int) {
	for i, d := range r.h.dead {
		if !d {
			continue
		}
		dead++
		for row := range r.w.Out {
			r.w.Row(row)[i] = 0
		}
	}
	return dead
}

// block removes weights of the inputs from from to to, then tells all later ones.
func (r *removal) block(from, to int) error {
	if r.m == 0 {
		if err := r.compare(from, to); err != nil {
			return err
		}
	}
	width, tall := to-from, r.tall()
	errs := make([]float32, r.w.Out*width)
	inRows((r.w.Out+tall-1)/tall, func(first, last int) {
		for i := first; i < last; i++ {
			r.rows(i*tall, min(i*tall+tall, r.w.Out), from, to, errs)
		}
	})
	r.h.spread(r.w.Weight, errs, r.w.Out, from, to)
	return nil
}

// square is how much is lost with a weight.
func (r *removal) square(row, i int) float64 {
	w, u := float64(r.w.Row(row)[i]), float64(r.h.factor[i*r.w.In+i])
	return w * w / (u * u)
}

// compare marks what is kept of a block, where there is no pattern.
func (r *removal) compare(from, to int) error {
	width := to - from
	squares, keep := make([]float64, r.w.Out*width), make([]bool, r.w.Out*width)
	kept, err := r.count(len(squares))
	if err != nil {
		return err
	}
	for i := range squares {
		squares[i] = r.square(i/width, from+i%width)
	}
	keepGreatest(keep, squares, kept)
	for row := range r.w.Out {
		copy(r.keep[row*r.w.In+from:row*r.w.In+to], keep[row*width:(row+1)*width])
	}
	return nil
}

// rows removes weights of the rows from first to last, which share a pattern if
// there is one, input by input.
func (r *removal) rows(first, last, from, to int, errs []float32) {
	in := r.w.In
	keep := r.keep[first*in : last*in]
	var squares []float64
	if r.m > 0 {
		squares = make([]float64, len(keep))
	}
	for p := from; p < to; p++ {
		if r.m > 0 && p%r.m == 0 {
			for row := first; row < last; row++ {
				for i := p; i < p+r.m; i++ {
					squares[(row-first)*in+i] = r.square(row, i)
				}
			}
			r.choose(keep, squares, in, p)
		}
		for row := first; row < last; row++ {
			errs[row*(to-from)+p-from] = r.weight(row, p, to)
		}
	}
}

// weight removes the weight of input p if it is not kept, lets those up to input
// to make up for it, and returns its error in units of U_pp.
func (r *removal) weight(row, p, to int) float32 {
	w, u := r.w.Row(row), r.h.factor[p*r.w.In:(p+1)*r.w.In]
	square := r.square(row, p)
	r.all[row] += square
	if r.keep[row*r.w.In+p] {
		return 0
	}
	r.lost[row] += square
	err := w[p] / u[p]
	w[p] = 0
	for j := p + 1; j < to; j++ {
		w[j] -= float32(err * u[j])
	}
	return err
}

func (r *removal) notes(dead int) Notes {
	kept, all, lost := 0, 0.0, 0.0
	for _, k := range r.keep {
		if k {
			kept++
		}
	}
	for row := range r.all {
		all += r.all[row]
		lost += r.lost[row]
	}
	return Notes{
		"kept": float64(kept) / float64(len(r.keep)), "kept importance": portion(all-lost, all),
		"dead inputs": float64(dead),
	}
}
