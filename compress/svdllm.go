package compress

import (
	"cmp"
	"errors"
	"fmt"
	"slices"

	"gonum.org/v1/gonum/mat"

	"plumb/model"
)

func init() {
	Methods.Add("svdllm", Method{
		About: "singular values of the matrix times whitened inputs (SVD-LLM, Wang et al. 2024)",
		Text:  true,
		New:   func() any { return &svdllm{ranks: ranks{Keep: 0.5, Rank: "keep"}, From: "original"} },
	})
}

// svdllm decomposes W·S, where S is the Cholesky factor of the inputs' Gram
// matrix X Xᵀ. What a dropped value adds to the squared error of the outputs is
// then its square exactly (Wang et al. 2024, theorem 3.2). Where the Gram matrix
// is not positive definite, 1e-6 minus its least eigenvalue is added to its
// diagonal, and ten times as much as often as that does not suffice.
//
// Squared errors are ruled by inputs that are common and large: what is rare may be
// lost altogether. Damp adds to the diagonal, so that more of it is seen; a large one
// makes svd of it.
type svdllm struct {
	ranks
	Damp float64 `stage:"damp"`   // added to the diagonal of the Gram matrix, share of its mean
	From string  `stage:"inputs"` // whose inputs: those of the original model, or of the compressed one as far as it has come
}

func (s *svdllm) Check() error {
	if !(s.Damp >= 0) {
		return fmt.Errorf("damp=%v: 0 or more is wanted", s.Damp)
	}
	return cmp.Or(oneOf("inputs", s.From, sights), s.ranks.Check())
}

func (s *svdllm) Needs() Needs { return Gram }

// Original implements Onlooker.
func (s *svdllm) Original() bool { return s.From == "original" }

func (s *svdllm) Matrix(w *model.Dense, in *Inputs) (model.Linear, Notes, error) {
	return s.reduce(s, w, in)
}

func (s *svdllm) Plan(m *model.Model, cal *Calibration, places []model.Slot) (*Plan, error) {
	return s.plan(s, m, cal, places)
}

func (s *svdllm) split(w *model.Dense, in *Inputs) (*terms, error) {
	whitening, lifted, err := choleskyOf(damped(in.Gram, w.In, s.Damp), w.In)
	if err != nil {
		return nil, err
	}
	plain := matrixOf(w)
	var a mat.Dense
	a.Mul(plain, whitening)
	t, err := splitColumns(plain, &a)
	if err == nil {
		t.lifted = lifted
	}
	return t, err
}

// damped adds a share of the mean of its diagonal to the diagonal of gram [n, n].
func damped(gram []float64, n int, share float64) []float64 {
	if share == 0 {
		return gram
	}
	sum := 0.0
	for i := range n {
		sum += gram[i*n+i]
	}
	gram = slices.Clone(gram)
	for i := range n {
		gram[i*n+i] += float64(share * sum / float64(n))
	}
	return gram
}

// choleskyOf returns the lower Cholesky factor of gram [n, n], and what had to
// be added to its diagonal.
func choleskyOf(gram []float64, n int) (*mat.TriDense, float64, error) {
	g := mat.NewSymDense(n, nil)
	for i := range n {
		for j := i; j < n; j++ {
			g.SetSym(i, j, gram[i*n+j])
		}
	}
	var c mat.Cholesky
	var lower mat.TriDense
	if c.Factorize(g) {
		c.LTo(&lower)
		return &lower, 0, nil
	}
	var e mat.EigenSym
	if !e.Factorize(g, false) {
		return nil, 0, errors.New("the eigenvalues of the inputs' Gram matrix did not converge")
	}
	lift := 1e-6 - min(0, e.Values(nil)[0])
	for range 40 {
		lifted := mat.NewSymDense(n, nil)
		lifted.CopySym(g)
		for i := range n {
			lifted.SetSym(i, i, g.At(i, i)+lift)
		}
		if c.Factorize(lifted) {
			c.LTo(&lower)
			return &lower, lift, nil
		}
		lift *= 10
	}
	return nil, 0, errors.New("the inputs' Gram matrix is not positive definite, and no sum with a multiple of the identity is: the calibration text is broken")
}
