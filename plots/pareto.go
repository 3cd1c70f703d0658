package plots

import (
	"cmp"
	"fmt"
	"math"
	"slices"

	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"plumb/results"
)

func init() { Kinds.Add("pareto", pareto) }

// pareto draws the table's rows as points, its first metric to the right and its
// second upwards, with intervals over seeds both ways, and joins those that no
// other row beats in both: the front. Less of the first metric is better unless
// it says otherwise; a row that lacks either is left out.
func pareto(in Input) (*Figure, error) {
	t := in.Table
	if err := checkTable(t); err != nil {
		return nil, err
	}
	metrics := tableMetrics(t)
	if len(metrics) < 2 {
		return nil, fmt.Errorf("a pareto figure needs two metrics, what is paid and what is got, and has %d", len(metrics))
	}
	x, y := columnOf(t, metrics[0]), columnOf(t, metrics[1])
	points := markers(t, x, y)
	if len(points) == 0 {
		return nil, fmt.Errorf("nothing to draw: no row has both %s and %s", metrics[0], metrics[1])
	}
	front := frontOf(points, t.Cols[x].Better == "higher", t.Cols[y].Better == "higher")
	log := in.View.Axis == "log"
	xs, ys := newSpan(), newSpan()
	for i := range points {
		if log && points[i].x.Interval.Low <= 0 {
			return nil, fmt.Errorf("a logarithmic axis cannot show %v; use axis = \"linear\"", points[i].x.Interval.Low)
		}
		xs.show(place(points[i].x.Interval.Low, log), place(points[i].x.Interval.High, log))
		ys.show(points[i].y.Interval.Low, points[i].y.Interval.High)
	}
	if err := cmp.Or(xs.check(metrics[0]), ys.check(metrics[1])); err != nil {
		return nil, err
	}
	xs, ys = xs.padded(0.12), ys.padded(0.07)
	p := panel{
		x: axis{label: axisLabel(metrics[0], points[0].x.Unit), low: xs.low, high: xs.high, grid: true},
		y: axis{label: axisLabel(metrics[1], points[0].y.Unit), low: ys.low, high: ys.high, grid: true, ticks: linearTicks(ys.low, ys.high, 6)},
	}
	p.x.ticks = linearTicks(xs.low, xs.high, 6)
	if log {
		p.x.label += ", powers of ten"
	}
	p.drawings = []drawing{frontLine(points, front, log), pointMarks(points, front, log)}
	return arrange(t.Title, in.View.Width, []panel{p}, nil, "line: rows that none beats in both"), nil
}

// A marker is one row of a pareto figure.
type marker struct {
	label string
	x, y  results.Cell
}

func columnOf(t *results.Table, metric string) int {
	return slices.IndexFunc(t.Cols, func(h results.Heading) bool { return h.Metric == metric })
}

func markers(t *results.Table, x, y int) (points []marker) {
	for i := range t.Rows {
		if a, b := t.Cells[i][x], t.Cells[i][y]; a.HasValue() && b.HasValue() {
			points = append(points, marker{t.RowLabel(i), a, b})
		}
	}
	return points
}

// frontOf lists the points that none beats in both, in the order of x.
func frontOf(points []marker, moreX, moreY bool) (front []int) {
	better := func(a, b float64, more bool) bool { return more && a >= b || !more && a <= b }
	for i, p := range points {
		beaten := slices.ContainsFunc(points, func(q marker) bool {
			px, py, qx, qy := p.x.Interval.Mean, p.y.Interval.Mean, q.x.Interval.Mean, q.y.Interval.Mean
			return (px != qx || py != qy) && better(qx, px, moreX) && better(qy, py, moreY)
		})
		if !beaten {
			front = append(front, i)
		}
	}
	slices.SortStableFunc(front, func(a, b int) int { return cmp.Compare(points[a].x.Interval.Mean, points[b].x.Interval.Mean) })
	return front
}

func place(v float64, log bool) float64 {
	if log {
		return math.Log10(v)
	}
	return v
}

func frontLine(points []marker, front []int, log bool) drawing {
	return func(c draw.Canvas, x, y func(float64) vg.Length) {
		var run []vg.Point
		for _, i := range front {
			run = append(run, vg.Point{X: x(place(points[i].x.Interval.Mean, log)), Y: y(points[i].y.Interval.Mean)})
		}
		if len(run) > 1 {
			c.StrokeLines(draw.LineStyle{Color: gray, Width: lineWidth}, run)
		}
	}
}

// pointMarks draws intervals, marks and names; names of the front are dark.
func pointMarks(points []marker, front []int, log bool) drawing {
	return func(c draw.Canvas, x, y func(float64) vg.Length) {
		for i, p := range points {
			l, name := lookOf(0), textStyle(smallSize, gray)
			if slices.Contains(front, i) {
				name = textStyle(smallSize, ink)
			} else {
				l.hollow = true
			}
			at := vg.Point{X: x(place(p.x.Interval.Mean, log)), Y: y(p.y.Interval.Mean)}
			style := draw.LineStyle{Color: l.color, Width: 0.8}
			newErrorBar(p.y.Interval, false).draw(c, style, capWidth, func(v float64, aside vg.Length) vg.Point {
				return vg.Point{X: at.X + aside, Y: y(v)}
			})
			newErrorBar(p.x.Interval, false).draw(c, style, capWidth, func(v float64, aside vg.Length) vg.Point {
				return vg.Point{X: x(place(v, log)), Y: at.Y + aside}
			})
			l.draw(c, at, markRadius)
			c.FillText(name, vg.Point{X: at.X + 4, Y: at.Y + 2}, p.label)
		}
	}
}
