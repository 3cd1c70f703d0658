package plots

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"

	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"plumb/results"
)

func init() { Kinds.Add("curves", curves) }

// A bundle is the curves of one line of the figure: one for each seed.
type bundle struct {
	label  string
	values []string // of the view's keys
	look   look
	seeds  [][]lossPoint
	mean   []lossPoint
}

// A lossPoint is a loss in nats per token after so many tokens.
type lossPoint struct{ tokens, loss float64 }

// maxPoints is how many points of a curve are drawn; neighbours are averaged.
const maxPoints = 150

// curves draws loss against tokens, one colour for each value of the view's
// rows and columns, every seed as a thin line and their mean as a thick one.
// The training loss is drawn when the view's metric speaks of training, and
// the validation loss otherwise.
func curves(in Input) (*Figure, error) {
	loss, label := validLoss, "validation loss (nats/token)"
	if strings.Contains(in.View.Metric, "train") {
		loss, label = trainLoss, "training loss (nats/token)"
	}
	bundles := bundlesOf(in, loss)
	xs, ys, cut := curveSpans(bundles, in.View.Axis)
	if err := cmp.Or(xs.check("curve"), ys.check("curve")); err != nil {
		return nil, err
	}
	p, err := curvePanel(in.View.Axis, bundles, xs, ys)
	if err != nil {
		return nil, err
	}
	p.y.label = label
	var entries []entry
	several := false
	for _, b := range bundles {
		entries = append(entries, entry{label: b.label, look: b.look, line: true})
		several = several || len(b.seeds) > 1
	}
	note := ""
	if several {
		note = "Thick: mean over seeds. Thin: single seeds."
	}
	if cut {
		note += fmt.Sprintf(" The first %.0f %% of the tokens run above the panel.", 100*beginning)
	}
	title := in.View.Title
	if title == "" {
		title = label + " against tokens"
	}
	return arrange(title, in.View.Width, []panel{p}, entries, note), nil
}

// beginning is the share of the tokens whose falling loss may leave the panel.
const beginning = 0.03

// curveSpans is what the curves cover. On a linear axis the steep beginning
// would press everything else flat, so it may run out of the panel; cut says
// that it does.
func curveSpans(bundles []*bundle, kind string) (xs, ys span, cut bool) {
	xs, ys = newSpan(), newSpan()
	all := newSpan()
	each := func(do func(p lossPoint)) {
		for _, b := range bundles {
			for _, seed := range b.seeds {
				for _, p := range seed {
					do(p)
				}
			}
		}
	}
	each(func(p lossPoint) { xs.show(p.tokens); all.show(p.loss) })
	each(func(p lossPoint) {
		if p.tokens >= beginning*xs.high {
			ys.show(p.loss)
		}
	})
	if kind == "log" || all.high-all.low < 1.25*(ys.high-ys.low) {
		return xs, all, false
	}
	return xs, span{min(ys.low, all.low), ys.high}, true
}

// bundlesOf groups the curves of the view by the values of its row and column
// keys, in the table's order where there is a table.
func bundlesOf(in Input, loss func(results.Point) *float64) []*bundle {
	keys := slices.DeleteFunc(results.KeysOf(in.View.Rows+","+in.View.Cols), func(k string) bool { return k == "metric" || k == "seed" })
	chosen := slices.DeleteFunc(slices.Clone(in.Curves), func(c results.Curve) bool { return !in.View.AdmitsCurve(c) })
	slices.SortStableFunc(chosen, func(a, b results.Curve) int {
		return cmp.Or(cmp.Compare(a.Seed, b.Seed), cmp.Compare(a.Trial, b.Trial))
	})
	var bundles []*bundle
	for _, c := range chosen {
		points := lossPoints(c, loss)
		if len(points) == 0 {
			continue
		}
		values := make([]string, len(keys))
		for i, key := range keys {
			values[i] = c.Keys[key]
		}
		i := slices.IndexFunc(bundles, func(b *bundle) bool { return slices.Equal(b.values, values) })
		if i < 0 {
			bundles, i = append(bundles, &bundle{values: values, label: curveLabel(keys, values)}), len(bundles)
		}
		bundles[i].seeds = append(bundles[i].seeds, points)
	}
	slices.SortStableFunc(bundles, func(a, b *bundle) int {
		return slices.CompareFunc(a.values, b.values, results.CompareNatural)
	})
	for i, b := range bundles {
		b.look = lookOf(i)
		b.mean = meanCurve(b.seeds)
	}
	return bundles
}

func curveLabel(keys, values []string) string {
	var parts []string
	for i, key := range keys {
		parts = append(parts, key+" "+values[i])
	}
	return strings.Join(parts, ", ")
}

func validLoss(p results.Point) *float64 { return p.Valid }
func trainLoss(p results.Point) *float64 { return p.Train }

// lossPoints are the points of c that have the loss.
func lossPoints(c results.Curve, loss func(results.Point) *float64) (points []lossPoint) {
	for _, p := range c.Points {
		if v := loss(p); v != nil && !math.IsNaN(*v) && !math.IsInf(*v, 0) {
			points = append(points, lossPoint{float64(p.Tokens), *v})
		}
	}
	return points
}

// meanCurve is the mean over seeds at the tokens at which all of them have a loss.
func meanCurve(seeds [][]lossPoint) (mean []lossPoint) {
	sums, counts := map[float64]float64{}, map[float64]int{}
	for _, seed := range seeds {
		for _, p := range seed {
			sums[p.tokens] += p.loss
			counts[p.tokens]++
		}
	}
	for _, p := range seeds[0] {
		if counts[p.tokens] == len(seeds) {
			mean = append(mean, lossPoint{p.tokens, sums[p.tokens] / float64(len(seeds))})
		}
	}
	return mean
}

// thinned averages neighbours on paper, in maxPoints steps of the axis, since
// more would be drawn on top of each other.
func thinned(points []lossPoint, place func(float64) float64) (out []lossPoint) {
	if len(points) <= maxPoints {
		return points
	}
	first, last := place(points[0].tokens), place(points[len(points)-1].tokens)
	step := func(p lossPoint) int { return int((place(p.tokens) - first) / (last - first) * (maxPoints - 1)) }
	var sum lossPoint
	n := 0.0
	for i, p := range points {
		sum.tokens, sum.loss, n = sum.tokens+p.tokens, sum.loss+p.loss, n+1
		if i == len(points)-1 || step(points[i+1]) != step(p) {
			out = append(out, lossPoint{sum.tokens / n, sum.loss / n})
			sum, n = lossPoint{}, 0
		}
	}
	return out
}

// curvePanel has tokens on a linear or, when asked for, a logarithmic axis.
func curvePanel(kind string, bundles []*bundle, xs, ys span) (panel, error) {
	place := func(tokens float64) float64 { return tokens }
	p := panel{x: axis{label: "tokens", low: 0, high: xs.high * 1.03, grid: true}}
	switch kind {
	case "log":
		if xs.low <= 0 {
			return p, fmt.Errorf("a logarithmic axis cannot show a loss at %v tokens; use axis = \"linear\"", xs.low)
		}
		place = math.Log10
		wide := span{math.Log10(xs.low), math.Log10(xs.high)}.padded(0.03)
		p.x.low, p.x.high = wide.low, wide.high
		p.x.ticks = logTicks(xs.low, xs.high, 6)
	case "category":
		return p, fmt.Errorf("tokens are no categories; use axis = \"linear\" or \"log\"")
	default:
		if p.x.high <= 0 {
			p.x.high = 1
		}
		p.x.ticks = linearTicks(0, p.x.high, 6)
		for i := range p.x.ticks {
			p.x.ticks[i].Label = shortNumber(p.x.ticks[i].Value)
		}
	}
	wide := ys.padded(0.05)
	p.y = axis{low: wide.low, high: wide.high, grid: true, ticks: linearTicks(wide.low, wide.high, 6)}
	for _, b := range bundles {
		p.drawings = append(p.drawings, b.thin(place))
	}
	for _, b := range bundles {
		p.drawings = append(p.drawings, b.thick(place))
	}
	return p, nil
}

func (b *bundle) thin(place func(float64) float64) drawing {
	return func(c draw.Canvas, x, y func(float64) vg.Length) {
		if len(b.seeds) < 2 {
			return
		}
		style := draw.LineStyle{Color: faded(b.look.color, 0.45), Width: 0.4}
		for _, seed := range b.seeds {
			c.StrokeLines(style, c.ClipLinesXY(onPaper(seed, place, x, y))...)
		}
	}
}

func (b *bundle) thick(place func(float64) float64) drawing {
	return func(c draw.Canvas, x, y func(float64) vg.Length) {
		style := draw.LineStyle{Color: b.look.color, Width: lineWidth, Dashes: b.look.dashes}
		c.StrokeLines(style, c.ClipLinesXY(onPaper(b.mean, place, x, y))...)
	}
}

func onPaper(points []lossPoint, place func(float64) float64, x, y func(float64) vg.Length) []vg.Point {
	points = thinned(points, place)
	out := make([]vg.Point, len(points))
	for i, p := range points {
		out[i] = vg.Point{X: x(place(p.tokens)), Y: y(p.loss)}
	}
	return out
}
