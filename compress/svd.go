package compress

import (
	"errors"
	"fmt"
	"math"

	"gonum.org/v1/gonum/mat"

	"plumb/model"
)

func init() {
	Methods.Add("svd", Method{
		About: "truncated singular value decomposition",
		New:   func() any { return &svd{Keep: 0.5} },
	})
}

// svd keeps the largest singular values of each matrix, W = U S Vᵀ, which is the
// product of two thin matrices nearest to W (Eckart and Young 1936). The roots of
// the kept values go to either side.
type svd struct {
	Keep float64 `stage:"keep"` // share of the matrix' weights that the factors hold
}

func (s *svd) Check() error {
	if !(s.Keep > 0 && s.Keep <= 1) {
		return fmt.Errorf("keep=%v: a share above 0 and up to 1 is wanted", s.Keep)
	}
	return nil
}

func (s *svd) Needs() Needs { return Nothing }

func (s *svd) Matrix(w *model.Dense, _ *Inputs) (model.Linear, Notes, error) {
	rank, err := rankFor(w.Out, w.In, s.Keep)
	if err != nil {
		return nil, nil, err
	}
	return truncated(w, matrixOf(w), rank)
}

// rankFor is the rank at which factors hold a share of the weights of a matrix:
// floor(keep·out·in / (out+in)) (papers differ only in whether keep is kept or removed).
func rankFor(out, in int, keep float64) (int, error) {
	rank := int(keep * float64(out) * float64(in) / float64(out+in))
	if rank < 1 {
		return 0, fmt.Errorf("keep=%v of a matrix [%d, %d] leaves rank 0", keep, out, in)
	}
	return min(rank, out, in), nil
}

func matrixOf(w *model.Dense) *mat.Dense {
	m := mat.NewDense(w.Out, w.In, nil)
	for i := range w.Out {
		for j, v := range w.Row(i) {
			m.Set(i, j, float64(v))
		}
	}
	return m
}

// truncated returns the rank terms of a that weigh most as factors in place of w.
func truncated(w *model.Dense, a *mat.Dense, rank int) (model.Linear, Notes, error) {
	var d mat.SVD
	if !d.Factorize(a, mat.SVDThin) {
		return nil, nil, errors.New("the singular value decomposition did not converge")
	}
	var u, v mat.Dense
	d.UTo(&u)
	d.VTo(&v)
	values := d.Values(nil)
	left, right := make([]float32, w.Out*rank), make([]float32, rank*w.In)
	kept, all := 0.0, 0.0
	for k, s := range values {
		all += s * s
		if k >= rank {
			continue
		}
		kept += s * s
		root := math.Sqrt(s)
		for i := range w.Out {
			left[i*rank+k] = float32(u.At(i, k) * root)
		}
		for j := range w.In {
			right[k*w.In+j] = float32(v.At(j, k) * root)
		}
	}
	notes := Notes{"rank": float64(rank), "kept energy": 1}
	if all > 0 {
		notes["kept energy"] = kept / all
	}
	return model.NewLowRank(left, right, w.Bias, w.Out, rank, w.In), notes, nil
}
