package compress

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"gonum.org/v1/gonum/mat"

	"plumb/internal/registry"
	"plumb/kernels"
	"plumb/model"
)

// ranks is the rule by which methods that write a matrix as a sum of terms say
// how many of them they keep.
type ranks struct {
	Keep float64 `stage:"keep"` // share that is kept, of what the rule says
	// Rank is the rule. With "keep" every matrix keeps that share of its weights;
	// with "energy" as few terms as hold that share of its energy, the squares of
	// its (scaled) singular values; with "global" and "search" the matrices
	// together keep that share of their weights, see globalRanks and searchRanks.
	Rank string `stage:"rank"`
}

var rankRules = []string{"keep", "energy", "global", "search"}

func (r *ranks) Check() error {
	if !(r.Keep > 0 && r.Keep <= 1) {
		return fmt.Errorf("keep=%v: a share above 0 and up to 1 is wanted", r.Keep)
	}
	return oneOf("rank", r.Rank, rankRules)
}

// oneOf reports a setting that is none of known.
func oneOf(name, value string, known []string) error {
	if slices.Contains(known, value) {
		return nil
	}
	return fmt.Errorf("%s=%s: wanted is one of %s%s", name, value, strings.Join(known, ", "), registry.Hint(value, known))
}

// A splitter is a method that writes a matrix as a sum of terms of rank 1.
type splitter interface {
	Needs() Needs
	split(w *model.Dense, in *Inputs) (*terms, error)
}

// terms are a matrix as left·right, the most valuable first. Leaving one out
// costs the square of its value.
type terms struct {
	left, right *mat.Dense // [out, k], [k, in]
	values      []float64
	lifted      float64 // what was added to the diagonal of a Gram matrix
}

// reduce replaces w by as many of its terms as the rule keeps of one matrix.
func (r *ranks) reduce(s splitter, w *model.Dense, in *Inputs) (model.Linear, Notes, error) {
	rank := 0
	if r.Rank != "energy" {
		var err error
		if rank, err = rankFor(w.Out, w.In, r.Keep); err != nil {
			return nil, nil, err
		}
		if r.Keep == 1 {
			return dense(w, min(w.Out, w.In))
		}
	}
	t, err := s.split(w, in)
	if err != nil {
		return nil, nil, err
	}
	if r.Rank == "energy" {
		rank = t.rankOf(r.Keep)
	}
	return t.at(w, rank)
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

// Form implements Foreseer for ranks that the shape decides.
func (r *ranks) Form(out, in int) (form model.Form, known bool, err error) {
	rank, err := rankFor(out, in, r.Keep)
	switch {
	case r.Rank != "keep":
		return model.LowRankForm(max(1, rank)), false, nil
	case err != nil || r.Keep == 1 || breaksEven(out, in, rank):
		return nil, true, err
	}
	return model.LowRankForm(rank), true, nil
}

// breaksEven reports whether factors of a rank are as large as the matrix.
func breaksEven(out, in, rank int) bool { return rank*(out+in) >= out*in }

// dense returns w itself, where factors of that rank would be larger.
func dense(w *model.Dense, rank int) (model.Linear, Notes, error) {
	return w.Clone(), Notes{"rank": float64(rank), "kept energy": 1, "stays dense": 1}, nil
}

// energy is the sum of the squares of values.
func (t *terms) energy(values []float64) float64 {
	sum := 0.0
	for _, v := range values {
		sum += v * v
	}
	return sum
}

// rankOf is how many terms hold a share of the energy, at least one.
func (t *terms) rankOf(share float64) int {
	want, sum := share*t.energy(t.values), 0.0
	for k, v := range t.values {
		if sum += v * v; sum >= want {
			return k + 1
		}
	}
	return max(1, len(t.values))
}

// at returns the first terms in place of w, or w where they are as large.
func (t *terms) at(w *model.Dense, rank int) (model.Linear, Notes, error) {
	if breaksEven(w.Out, w.In, rank) {
		return dense(w, rank)
	}
	left, right := make([]float32, w.Out*rank), make([]float32, rank*w.In)
	for k := range rank {
		for i := range w.Out {
			left[i*rank+k] = float32(t.left.At(i, k))
		}
		for j := range w.In {
			right[k*w.In+j] = float32(t.right.At(k, j))
		}
	}
	if !kernels.AllFinite(left) || !kernels.AllFinite(right) {
		return nil, nil, errors.New("the factors hold a NaN or Inf: the inputs of this matrix spread too far")
	}
	notes := Notes{"rank": float64(rank), "kept energy": 1}
	if all := t.energy(t.values); all > 0 {
		notes["kept energy"] = t.energy(t.values[:rank]) / all
	}
	if t.lifted > 0 {
		notes["added to the diagonal"] = t.lifted
	}
	return model.NewLowRank(left, right, w.Bias, w.Out, rank, w.In), notes, nil
}
