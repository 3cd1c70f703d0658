package compress

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"plumb/model"
)

// A sparsity is what all methods that remove single weights are set by: how many
// are kept, in which pattern, and in which form the matrix is then.
type sparsity struct {
	// Keep is the share of weights that is kept, rounded to whole weights of each
	// group that is compared. A pattern says it by itself.
	Keep float64 `stage:"keep"`
	// Pattern is none, N:M for N of every M neighbouring inputs, or N:M:panel for
	// the same ones in each panel of 32 neighbouring outputs. Of the patterns only
	// that of panels saves work as well as memory.
	Pattern string `stage:"pattern"`
	// Kind of form: masked (dense with a mask, which training keeps), csr, nm, nmpanel
	// or dense; auto is masked without a pattern and that of the pattern with one.
	Kind string `stage:"form"`

	n, m  int // of the pattern; 0 without one
	panel bool
}

var sparseForms = []string{"auto", "masked", "csr", "nm", "nmpanel", "dense"}

// half is the default of all methods.
func half() sparsity { return sparsity{Keep: 0.5, Pattern: "none", Kind: "auto"} }

func (s *sparsity) Check() error {
	if !(s.Keep > 0 && s.Keep <= 1) {
		return fmt.Errorf("keep=%v: a share above 0 and up to 1 is wanted", s.Keep)
	}
	if err := oneOf("form", s.Kind, sparseForms); err != nil {
		return err
	}
	if err := s.readPattern(); err != nil {
		return err
	}
	switch {
	case s.Kind == "nm" && s.m == 0:
		return fmt.Errorf("form=nm with pattern=%s: wanted is a pattern such as 2:4", s.Pattern)
	case s.Kind == "nmpanel" && !s.panel:
		return fmt.Errorf("form=nmpanel with pattern=%s: wanted is a pattern such as 2:4:panel", s.Pattern)
	}
	return nil
}

// readPattern sets n, m and panel, and the share that follows from them.
func (s *sparsity) readPattern() error {
	if s.Pattern == "none" {
		return nil
	}
	numbers, panel := strings.CutSuffix(s.Pattern, ":panel")
	first, second, _ := strings.Cut(numbers, ":")
	n, err1 := strconv.Atoi(first)
	m, err2 := strconv.Atoi(second)
	if err1 != nil || err2 != nil || n < 1 || m < 2 || n > m || m > 256 {
		return fmt.Errorf("pattern=%s: wanted is none, N:M or N:M:panel with N up to M and M from 2 to 256, such as 2:4", s.Pattern)
	}
	keep := float64(n) / float64(m)
	if s.Keep != half().Keep && s.Keep != keep {
		return fmt.Errorf("keep=%v with pattern=%s, which keeps %v: leave keep out", s.Keep, s.Pattern, keep)
	}
	s.n, s.m, s.panel, s.Keep = n, m, panel, keep
	return nil
}

// form is the kind that is asked for.
func (s *sparsity) form() string {
	switch {
	case s.Kind != "auto":
		return s.Kind
	case s.panel:
		return "nmpanel"
	case s.m > 0:
		return "nm"
	}
	return "masked"
}

// fits reports inputs that the pattern does not divide.
func (s *sparsity) fits(in int) error {
	if s.m > 0 && in%s.m != 0 {
		return fmt.Errorf("rows of %d inputs cannot have the pattern %s: %d does not divide them; leave the matrix out with on=, or use pattern=none", in, s.Pattern, s.m)
	}
	return nil
}

// foresee is the form of a matrix that keeps so many weights, which only matters
// without a pattern.
func (s *sparsity) foresee(in, kept int) (form model.Form, known bool, err error) {
	if err := s.fits(in); err != nil {
		return nil, true, err
	}
	text := fmt.Sprintf(`{"kept":%d}`, kept)
	switch s.form() {
	case "dense":
		return nil, true, nil
	case "nm", "nmpanel":
		text = fmt.Sprintf(`{"n":%d,"m":%d}`, s.n, s.m)
	}
	empty, err := model.Forms.Get(s.form())
	if err != nil {
		return nil, true, err
	}
	form = empty()
	return form, s.form() != "csr", json.Unmarshal([]byte(text), form) // weights that are 0 by chance are not stored
}

// count is how many of n weights are kept, where they are compared with each other.
func (s *sparsity) count(n int) (int, error) {
	kept := int(s.Keep*float64(n) + 0.5)
	if kept == 0 {
		return 0, fmt.Errorf("keep=%v of %d weights leaves none", s.Keep, n)
	}
	return kept, nil
}

// mask marks the weights of a matrix with rows of in inputs that are kept, given
// the squares of their importance. Without a pattern each run of group weights is
// compared by itself. Of weights with the same importance the first are kept.
func (s *sparsity) mask(squares []float64, in, group int) ([]bool, error) {
	if err := s.fits(in); err != nil {
		return nil, err
	}
	keep := make([]bool, len(squares))
	if s.m > 0 {
		for row := 0; row < len(squares); row += s.tall() * in {
			end := min(row+s.tall()*in, len(squares))
			for at := 0; at < in; at += s.m {
				s.choose(keep[row:end], squares[row:end], in, at)
			}
		}
		return keep, nil
	}
	for from := 0; from < len(squares); from += group {
		kept, err := s.count(min(group, len(squares)-from))
		if err != nil {
			return nil, err
		}
		keepGreatest(keep[from:min(from+group, len(squares))], squares[from:min(from+group, len(squares))], kept)
	}
	return keep, nil
}

// tall is how many rows share a pattern.
func (s *sparsity) tall() int {
	if s.panel {
		return model.PanelRows
	}
	return 1
}

// choose marks the n best of the m inputs from at on in rows of in inputs that
// share them.
func (s *sparsity) choose(keep []bool, squares []float64, in, at int) {
	var together [256]float64
	sums := together[:s.m]
	for row := 0; row < len(squares); row += in {
		for i := range sums {
			sums[i] += squares[row+at+i]
		}
	}
	for range s.n {
		best := -1
		for i, v := range sums {
			if !keep[at+i] && (best < 0 || v > sums[best]) {
				best = i
			}
		}
		for row := 0; row < len(squares); row += in {
			keep[row+at+best] = true
		}
	}
}

// keepGreatest marks n of values, the first of those that are the same.
func keepGreatest(keep []bool, values []float64, n int) {
	if n == 0 {
		return
	}
	sorted := slices.Clone(values)
	slices.Sort(sorted)
	least := sorted[len(sorted)-n]
	for i, v := range values {
		if keep[i] = v > least; keep[i] {
			n--
		}
	}
	for i, v := range values {
		if v == least && n > 0 {
			keep[i] = true
			n--
		}
	}
}

// linear returns w without what keep does not mark. w is used up.
func (s *sparsity) linear(w *model.Dense, keep []bool) (model.Linear, error) {
	for i, k := range keep {
		if !k {
			w.Weight[i] = 0
		}
	}
	switch s.form() {
	case "masked":
		return model.NewMasked(w, keep)
	case "csr":
		return model.NewCSR(w)
	case "nm":
		return model.NewNM(w, s.n, s.m)
	case "nmpanel":
		return model.NewPanelNM(w, s.n, s.m)
	}
	return w, nil
}

// remove makes the matrix of the weights of w whose importance is greatest. It is
// what methods do that leave the others as they are.
func (s *sparsity) remove(w *model.Dense, squares []float64, group int) (model.Linear, Notes, error) {
	keep, err := s.mask(squares, w.In, group)
	if err != nil {
		return nil, nil, err
	}
	l, err := s.linear(w.Clone(), keep)
	return l, keptOf(keep, squares), err
}

// keptOf tells which shares of weights and of their squared importance are kept.
func keptOf(keep []bool, squares []float64) Notes {
	count, kept, all := 0, 0.0, 0.0
	for i, v := range squares {
		if all += v; keep[i] {
			kept += v
			count++
		}
	}
	return Notes{"kept": float64(count) / float64(len(keep)), "kept importance": portion(kept, all)}
}

// portion is part of whole; 0 of 0 is 1.
func portion(part, whole float64) float64 {
	if whole == 0 {
		return 1
	}
	return part / whole
}

// squaresOf are the squares of weights times those of what scale has for inputs;
// nil is 1.
func squaresOf(w *model.Dense, scale []float64) []float64 {
	squares := make([]float64, len(w.Weight))
	for row := range w.Out {
		for i, v := range w.Row(row) {
			square := float64(v) * float64(v)
			if scale != nil {
				square *= scale[i]
			}
			squares[row*w.In+i] = square
		}
	}
	return squares
}
