package compress

import (
	"fmt"
	"sync"

	"plumb/kernels"
	"plumb/model"
)

// A grid is what all methods that round weights to codes of few bits are set by.
// Rounding goes to the nearest code, halves to the even one, and scales are
// float16; see kernels.Levels for the formulas.
type grid struct {
	Bits      int    `stage:"bits"`      // 2 to 8
	Symmetric bool   `stage:"symmetric"` // codes lie around 0; otherwise beside a zero that is stored
	Group     int    `stage:"group"`     // inputs that share a scale; 0: all of a row. The last group of a row may be shorter
	Clip      string `stage:"clip"`      // mse: the range with the least sum of |w-w'|^2.4; none: all of it
}

// gridOf is the grid of so many bits that all methods begin with: equal settings
// take equal bytes.
func gridOf(bits int) grid { return grid{Bits: bits, Symmetric: true, Clip: "none"} }

func (g *grid) Check() error {
	switch {
	case g.Bits < 2 || g.Bits > 8:
		return fmt.Errorf("bits=%d: 2 to 8 are possible", g.Bits)
	case g.Group < 0 || g.Group%8 != 0:
		return fmt.Errorf("group=%d: a multiple of 8 is wanted, or 0 for a scale for each row", g.Group)
	case g.Clip != "none" && g.Clip != "mse":
		return fmt.Errorf("clip=%s: mse or none is wanted", g.Clip)
	}
	return nil
}

func (g *grid) levels() kernels.Levels { return kernels.Levels{Bits: g.Bits, Symmetric: g.Symmetric} }

// group is how many inputs of a row of so many share a scale.
func (g *grid) group(in int) int {
	if g.Group == 0 {
		return in
	}
	return min(g.Group, in)
}

// fit returns the grid of one group.
func (g *grid) fit(w []float32) kernels.Grid {
	if g.Clip == "mse" {
		return g.levels().FitClipped(w)
	}
	return g.levels().Fit(w)
}

// codes is a matrix [out, in] in codes: every group of inputs of a row has its grid.
type codes struct {
	levels         kernels.Levels
	out, in, group int
	q              []int8         // [out, in]
	grids          []kernels.Grid // [out, groups]
}

// newCodes returns codes for a matrix like w, still to be filled in.
func (g *grid) newCodes(w *model.Dense) *codes {
	c := &codes{levels: g.levels(), out: w.Out, in: w.In, group: g.group(w.In), q: make([]int8, len(w.Weight))}
	c.grids = make([]kernels.Grid, w.Out*c.groups())
	return c
}

func (c *codes) groups() int { return (c.in + c.group - 1) / c.group }

// nearest returns the codes nearest to w on grids that are fitted to it.
func (g *grid) nearest(w *model.Dense) *codes {
	c := g.newCodes(w)
	c.grids = c.levels.Grids(w.Weight, c.in, c.group, g.Clip == "mse")
	c.quantise(w.Weight)
	return c
}

// quantise finds the codes of w on the grids that c has.
func (c *codes) quantise(w []float32) { c.levels.Quantise(c.q, w, c.in, c.group, c.grids) }

// values are what the codes stand for, [out, in].
func (c *codes) values() []float32 {
	w := make([]float32, len(c.q))
	c.levels.Dequantise(w, c.q, c.in, c.group, c.grids)
	return w
}

// Form implements Foreseer.
func (g *grid) Form(_, in int) (model.Form, bool, error) {
	return model.IntForm(g.Bits, g.storedGroup(in), !g.Symmetric, true), true, nil
}

// storedGroup is what the form has for group: 0 for whole rows.
func (g *grid) storedGroup(in int) int {
	if g.group(in) == in {
		return 0
	}
	return g.Group
}

// linear returns the matrix in the form that stores codes, which counts them from
// 0 up.
func (g *grid) linear(c *codes, bias []float32) (model.Linear, error) {
	middle := 1 << (g.Bits - 1)
	q, scales := make([]uint8, len(c.q)), make([]float32, len(c.grids))
	for i, v := range c.q {
		q[i] = uint8(int(v) + middle)
	}
	var zeros []uint8
	if !g.Symmetric {
		zeros = make([]uint8, len(c.grids))
	}
	for i, one := range c.grids {
		scales[i] = one.Scale
		if zeros != nil {
			zeros[i] = uint8(int(one.Zero) + middle)
		}
	}
	return model.NewIntGroups(g.Bits, g.storedGroup(c.in), q, scales, zeros, true, bias, c.out, c.in)
}

// inRows calls do for parts of n rows, on as many goroutines as kernels use. What
// it does for a row must not depend on other rows.
func inRows(n int, do func(from, to int)) {
	if kernels.Workers() == 1 {
		do(0, n) // here, where the time of the thread is taken
		return
	}
	var all sync.WaitGroup
	each := max(1, (n+kernels.Workers()-1)/kernels.Workers())
	for from := 0; from < n; from += each {
		all.Go(func() { do(from, min(from+each, n)) })
	}
	all.Wait()
}
