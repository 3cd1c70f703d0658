package kernels

import (
	"fmt"
	"math"
)

// Levels are the whole numbers, codes, that weights are rounded to, and how they
// lie. Symmetric ones are -(2^(b-1)-1) to 2^(b-1)-1 and stand for multiples of a
// scale; the others are -2^(b-1) to 2^(b-1)-1 and stand for multiples of a scale
// beside a zero.
type Levels struct {
	Bits      int // b, 2 to 8
	Symmetric bool
	Wide      bool // scales are float32 in place of float16
}

// Limits returns the least and the greatest code.
func (l Levels) Limits() (low, high int) {
	high = 1<<(l.Bits-1) - 1
	if l.Symmetric {
		return -high, high
	}
	return -high - 1, high
}

// A Grid says what codes stand for: code q is the number Scale·(q−Zero). A group of
// zeros has the scale 0. Zero is a code.
type Grid struct{ Scale, Zero float32 }

// Value returns the number that code q stands for.
func (g Grid) Value(q int8) float32 { return float32(g.Scale * (float32(q) - g.Zero)) }

// Fit returns the grid on which no number of w, which are finite, is cut off:
//
//	symmetric   scale = max|w| / high
//	asymmetric  scale = (max−min) / (high−low), zero = round(−min/scale) + low
//
// where the range from min to max contains 0. The scale is rounded to float16
// first, so that its rounding costs at most half a step at the ends.
func (l Levels) Fit(w []float32) Grid {
	least, most := extent(w)
	return l.Over(least, most)
}

// extent returns the limits of w and 0.
func extent(w []float32) (least, most float32) {
	for _, v := range w {
		least, most = min(least, v), max(most, v)
	}
	return least, most
}

// Over is Fit for numbers from least <= 0 to most >= 0.
func (l Levels) Over(least, most float32) Grid {
	low, high := l.Limits()
	if l.Symmetric {
		return Grid{Scale: l.scale(max(-least, most) / float32(high))}
	}
	steps := float32(high - low)
	scale := l.scale(most/steps - least/steps)
	if scale == 0 {
		return Grid{}
	}
	return Grid{scale, roundWithin(-least/scale, 0, steps) + float32(low)}
}

// scale rounds v to what is stored.
func (l Levels) scale(v float32) float32 {
	if l.Wide {
		return v
	}
	return toHalf(v)
}

// The ranges that FitClipped tries: 1, 0.99, ... 0.21 of the whole.
const clipSteps, clipStep = 80, 0.01

// FitClipped returns the grid with the least sum of |w−ŵ|^2.4 among those over
// 1, 0.99, ... 0.21 of the range of w (the search of GPTQ's code, quant.py).
func (l Levels) FitClipped(w []float32) Grid {
	least, most := extent(w)
	best := l.Over(least, most)
	error := l.misfit(w, best, math.Inf(1))
	for i := 1; i < clipSteps; i++ {
		share := float32(1 - float64(clipStep*float64(i)))
		g := l.Over(least*share, most*share)
		if e := l.misfit(w, g, error); e < error {
			best, error = g, e
		}
	}
	return best
}

// Misfit returns the sum of |w−ŵ|^2.4 on the grid g, which FitClipped makes small.
func (l Levels) Misfit(w []float32, g Grid) float64 { return l.misfit(w, g, math.Inf(1)) }

// misfit stops once the sum has reached enough.
func (l Levels) misfit(w []float32, g Grid, enough float64) float64 {
	sum := 0.0
	for i, v := range w {
		e := float64(v - g.Value(l.Code(v, g)))
		square := float64(e * e)
		sum += float64(square * fifthRoot(square))
		if i%16 == 15 && sum >= enough {
			break
		}
	}
	return sum
}

// fifthRoot returns x^(1/5) for x >= 0, within 1e-7 of itself: three steps of
// Newton's method from a fifth of the exponent.
func fifthRoot(x float64) float64 {
	if x < 1e-300 {
		return 0
	}
	r := math.Float64frombits(math.Float64bits(x)/5 + 1023<<52/5*4)
	for range 3 {
		square := float64(r * r)
		r = float64(0.8*r) + float64(0.2*x)/float64(square*square)
	}
	return r
}

// Code returns the code of v on g: round(v/scale) + zero, halves to even, cut to
// the limits. All codes of a group without scale are its zero.
func (l Levels) Code(v float32, g Grid) int8 {
	if g.Scale == 0 {
		return int8(g.Zero)
	}
	low, high := l.Limits()
	return int8(roundWithin(v/g.Scale, float32(low)-g.Zero, float32(high)-g.Zero) + g.Zero)
}

// roundWithin cuts v to whole limits below 2²² and rounds it, halves to even.
func roundWithin(v, low, high float32) float32 {
	const shift = 3 << 22 // beside it, neighbours of float32 are 1 apart
	return min(max(v, low), high) + shift - shift
}

// Grids fits a grid to every group of neighbours in a row of w [rows, in]; it
// returns them [rows, groups]. The last group of a row is shorter where group
// does not divide in. clip searches for grids with FitClipped.
func (l Levels) Grids(w []float32, in, group int, clip bool) []Grid {
	fit := l.Fit
	if clip {
		fit = l.FitClipped
	}
	grids := make([]Grid, len(w)/in*groupsOf(in, group))
	l.inGroups("Grids", grids, len(w), in, group, func(g *Grid, from, to int) { *g = fit(w[from:to]) })
	return grids
}

// Quantise sets codes to those of w [rows, in] on the grids of its groups
// [rows, groups]. It panics if lengths do not fit.
func (l Levels) Quantise(codes []int8, w []float32, in, group int, grids []Grid) {
	mustFit(len(codes) == len(w), "Levels.Quantise")
	l.inGroups("Quantise", grids, len(w), in, group, func(g *Grid, from, to int) {
		for i := from; i < to; i++ {
			codes[i] = l.Code(w[i], *g)
		}
	})
}

// Dequantise sets w [rows, in] to what codes stand for. It panics if lengths do
// not fit.
func (l Levels) Dequantise(w []float32, codes []int8, in, group int, grids []Grid) {
	mustFit(len(codes) == len(w), "Levels.Dequantise")
	l.inGroups("Dequantise", grids, len(w), in, group, func(g *Grid, from, to int) {
		for i := from; i < to; i++ {
			w[i] = g.Value(codes[i])
		}
	})
}

// Round sets dst to what is left of w [rows, in] on the grids of its groups: the
// values of its codes. dst may be w.
func (l Levels) Round(dst, w []float32, in, group int, grids []Grid) {
	mustFit(len(dst) == len(w), "Levels.Round")
	l.inGroups("Round", grids, len(w), in, group, func(g *Grid, from, to int) {
		for i := from; i < to; i++ {
			dst[i] = g.Value(l.Code(w[i], *g))
		}
	})
}

// groupsOf is how many groups a row has.
func groupsOf(in, group int) int { return (in + group - 1) / group }

// inGroups calls do with every grid and the place of its group in n numbers, on
// several goroutines.
func (l Levels) inGroups(name string, grids []Grid, n, in, group int, do func(g *Grid, from, to int)) {
	if l.Bits < 2 || l.Bits > 8 || in < 1 || group < 1 || n%in != 0 || len(grids) != n/in*groupsOf(in, group) {
		panic(fmt.Sprintf("kernels: Levels.%s: %d bits and %d grids for %d numbers in rows of %d and groups of %d", name, l.Bits, len(grids), n, in, group))
	}
	groups, each := groupsOf(in, group), max(1, (1<<13)/group)
	parallel((len(grids)+each-1)/each, func(task int) {
		for i := task * each; i < min((task+1)*each, len(grids)); i++ {
			row, first := i/groups*in, i%groups*group
			do(&grids[i], row+first, row+min(first+group, in))
		}
	})
}

// toHalf returns the float16 nearest to v >= 0, halves to even, at most the
// largest finite one.
func toHalf(v float32) float32 {
	const least, most = 1.0 / (1 << 14), 65504 // normal float16s
	switch {
	case !(v < most):
		return most
	case v < least: // beside 0.5 neighbours are 2^-24 apart, as subnormals are
		return v + 0.5 - 0.5
	}
	b := math.Float32bits(v)
	b += 0xfff + b>>13&1
	return math.Float32frombits(b &^ 0x1fff)
}
