package compress

import (
	"fmt"

	"plumb/kernels"
	"plumb/model"
)

func init() {
	Methods.Add("awq", Method{
		About: "rounding after the weights of large inputs are made larger (Lin et al. 2024)",
		Text:  true,
		New: func() any {
			a := &awq{grid: gridOf(4), Scale: true, Tokens: 2048}
			a.Clip = "awq"
			return a
		},
	})
}

// awq multiplies the columns of weights by a power of the mean size of their
// inputs, and divides what gives the inputs; then it rounds to the nearest code
// (Lin et al. 2024, section 3.2). For each place where that can be folded away,
// the power is the one of 0, 0.05, ... 0.95 at which rounding changes the output
// of the layer least. Then ranges are clipped, group by group, where that makes
// the outputs of the matrix better; those of queries and keys are not (as in the
// authors' code, auto_clip.py).
//
// Each place is searched with all other matrices as they were before rounding, as
// in auto_scale.py; there the output is that of attention or the feed-forward
// part alone.
type awq struct {
	grid
	Scale  bool `stage:"scale"`  // search for powers
	Tokens int  `stage:"tokens"` // of the calibration text, by which powers are searched for
}

// Check is that of grids, with one more way to clip.
func (a *awq) Check() error {
	if a.Tokens < 1 {
		return fmt.Errorf("tokens=%d: at least 1 is wanted", a.Tokens)
	}
	g := a.grid
	switch g.Clip {
	case "awq":
		g.Clip = "none"
	case "mse", "none":
	default:
		return fmt.Errorf("clip=%s: awq, mse or none is wanted", g.Clip)
	}
	return g.Check()
}

func (a *awq) Needs() Needs { return Gram }

// powers is how many are tried: 0, 1/20, ... 19/20.
const powers = 20

// Prepare folds the scales.
func (a *awq) Prepare(m *model.Model, cal *Calibration) (*model.Model, Notes, error) {
	d, err := newDraft(m)
	if err != nil || !a.Scale {
		return m, nil, err
	}
	all := whichFolds(m, func(fold) bool { return true })
	if len(all) == 0 {
		return d.model, Notes{"scaled places": 0}, nil
	}
	inputs, err := inputsOf(d.model, cal, all, Moments)
	if err != nil {
		return nil, nil, err
	}
	states, err := statesOf(d.model, cal, a.Tokens)
	if err != nil {
		return nil, nil, err
	}
	mean, gain := 0.0, 0.0
	for _, f := range all {
		power, better := a.search(d, f, inputs[f.name].MeanAbs, states)
		mean += power / float64(len(all))
		gain += better / float64(len(all))
	}
	return d.model, Notes{"scaled places": float64(len(all)), "mean power": mean, "mean error kept": gain}, nil
}

// prepared implements preparing.
func (a *awq) prepared(o model.Outline, _ []string) (model.Outline, error) {
	if !a.Scale {
		return o, nil
	}
	return draftOf(o)
}

// search scales f by the best power, and returns it and what share of the error of
// plain rounding it leaves.
func (a *awq) search(d *draft, f fold, size []float64, s *states) (power, left float64) {
	want := s.outputs(d.model, f.block)
	var best, plain float64
	var bestScales []float32
	for i := range powers {
		alpha := float64(i) / powers
		scales := importance(size, alpha)
		e := a.tryOut(d, f, scales, want, s)
		if i == 0 {
			plain = e
		}
		if i == 0 || e < best {
			best, power, bestScales = e, alpha, scales
		}
	}
	d.scale(f, bestScales)
	return power, ratio(best, plain)
}

// importance returns size^alpha, 1e-4 at least, over the root of the product of
// its extremes.
func importance(size []float64, alpha float64) []float32 {
	s := make([]float64, len(size))
	least, most := 0.0, 0.0
	for j, v := range size {
		s[j] = 1e-4
		if v > 0 {
			s[j] = max(1e-4, kernels.Pow(v, alpha))
		}
		if j == 0 {
			least, most = s[0], s[0]
		}
		least, most = min(least, s[j]), max(most, s[j])
	}
	scales, middle := make([]float32, len(s)), kernels.Pow(float64(least*most), 0.5)
	for j, v := range s {
		scales[j] = float32(v / middle)
	}
	return scales
}

// tryOut returns the squared difference that rounding the matrices behind f with
// some scales makes to the outputs of the layers that run its block.
func (a *awq) tryOut(d *draft, f fold, scales []float32, want [][][]float32, s *states) float64 {
	levels := a.levels()
	var before [][]float32
	for _, slot := range f.into {
		w, in := d.weight(slot)
		before = append(before, append([]float32(nil), w...))
		for i := range w {
			w[i] *= scales[i%in]
		}
		levels.Round(w, w, in, a.group(in), levels.Grids(w, in, a.group(in), false))
		for i := range w {
			w[i] /= scales[i%in]
		}
	}
	e := squaredDistance(want, s.outputs(d.model, f.block))
	for i, slot := range f.into {
		w, _ := d.weight(slot)
		copy(w, before[i])
	}
	return e
}

func (a *awq) Matrix(w *model.Dense, in *Inputs) (model.Linear, Notes, error) {
	c := a.newCodes(w)
	if a.Clip == "awq" && !unclipped(in.Slot) {
		c.grids = clipped(c, w, in.Gram)
	} else {
		c.grids = c.levels.Grids(w.Weight, w.In, c.group, a.Clip == "mse")
	}
	c.quantise(w.Weight)
	l, err := a.linear(c, w.Bias)
	return l, nil, err
}
