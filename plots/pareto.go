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

func init() { Kinds.Add("pareto", pareto) }

// pareto draws the table's rows as points, its first metric to the right and its
// second upwards, with intervals over seeds both ways, and joins those that no
// other row beats in both: the front. Less of the first metric is better unless
// it says otherwise; a row that lacks either is left out. A timing that cannot be
// quoted is hollow and neither on the front nor beats anything.
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
	p.least = min(mostHigh, leastHigh*vg.Length(len(points)))
	p.drawings = []drawing{frontLine(points, front, log), pointMarks(points, front, log), pointNames(points, front, log, in.View.Width)}
	return arrange(t.Title, in.View.Width, []panel{p}, nil, paretoNote(points)), nil
}

// A panel of many names is higher, so that there is room for all.
const (
	leastHigh = 0.4 * vg.Centimeter // for each name
	mostHigh  = 14 * vg.Centimeter
)

// paretoNote says what the line, the error bars and hollow marks are.
func paretoNote(points []marker) string {
	key, timed, doubtful := &legendKey{}, false, false
	for _, p := range points {
		key.see(p.x)
		key.see(p.y)
		timed = timed || p.x.Interval.Spread == results.SpreadQuartiles || p.y.Interval.Spread == results.SpreadQuartiles
		doubtful = doubtful || p.doubtful()
	}
	parts := []string{"Line and dark names: rows that none beats in both."}
	if note := key.note(); note != "" {
		parts = append(parts, note)
	}
	if timed {
		parts = append(parts, "Of timings: quartiles of the repetitions.")
	}
	if doubtful {
		parts = append(parts, "Hollow: an INVALID timing, which is on no front.")
	}
	return strings.Join(parts, " ")
}

// A marker is one row of a pareto figure.
type marker struct {
	label string
	x, y  results.Cell
}

// doubtful says whether the row has a timing that cannot be quoted.
func (m marker) doubtful() bool {
	return m.x.Verdict == results.Invalid || m.y.Verdict == results.Invalid
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

// frontOf lists the points that can be quoted and that none such beats in both, in the order of x.
func frontOf(points []marker, moreX, moreY bool) (front []int) {
	better := func(a, b float64, more bool) bool { return more && a >= b || !more && a <= b }
	for i, p := range points {
		beaten := slices.ContainsFunc(points, func(q marker) bool {
			px, py, qx, qy := p.x.Interval.Mean, p.y.Interval.Mean, q.x.Interval.Mean, q.y.Interval.Mean
			return !q.doubtful() && (px != qx || py != qy) && better(qx, px, moreX) && better(qy, py, moreY)
		})
		if !beaten && !p.doubtful() {
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

// placesOf are where the points lie on a canvas.
func placesOf(points []marker, log bool, x, y func(float64) vg.Length) []vg.Point {
	places := make([]vg.Point, len(points))
	for i, p := range points {
		places[i] = vg.Point{X: x(place(p.x.Interval.Mean, log)), Y: y(p.y.Interval.Mean)}
	}
	return places
}

// pointMarks draws intervals and marks; those that are beaten are pale.
func pointMarks(points []marker, front []int, log bool) drawing {
	return func(c draw.Canvas, x, y func(float64) vg.Length) {
		for i, at := range placesOf(points, log, x, y) {
			p, l := points[i], lookOf(0)
			l.hollow = p.doubtful()
			if !slices.Contains(front, i) {
				l.color = faded(l.color, 0.55)
			}
			style := draw.LineStyle{Color: l.color, Width: 0.8}
			newErrorBar(p.y.Interval, false).draw(c, style, capWidth, func(v float64, aside vg.Length) vg.Point {
				return vg.Point{X: at.X + aside, Y: y(v)}
			})
			newErrorBar(p.x.Interval, false).draw(c, style, capWidth, func(v float64, aside vg.Length) vg.Point {
				return vg.Point{X: x(place(v, log)), Y: at.Y + aside}
			})
			l.draw(c, at, markRadius)
		}
	}
}

// pointNames writes the names of the points where there is room; those of the
// front are dark.
func pointNames(points []marker, front []int, log bool, width string) drawing {
	return func(c draw.Canvas, x, y func(float64) vg.Length) {
		nameLabels(points, front, log, width, c.Rectangle, x, y).draw(c)
	}
}

// nameLabels places the names within area.
func nameLabels(points []marker, front []int, log bool, width string, area vg.Rectangle, x, y func(float64) vg.Length) *labelling {
	l := &labelling{area: area}
	places := placesOf(points, log, x, y)
	for i, p := range points {
		style := textStyle(smallSize, gray)
		if slices.Contains(front, i) {
			style = textStyle(smallSize, ink)
		}
		l.labels = append(l.labels, label{text: shortened(p.label, namesWidth(width), smallSize), style: style, mark: places[i]})
		l.bars = append(l.bars,
			[2]vg.Point{{X: places[i].X, Y: y(p.y.Interval.Low)}, {X: places[i].X, Y: y(p.y.Interval.High)}},
			[2]vg.Point{{X: x(place(p.x.Interval.Low, log)), Y: places[i].Y}, {X: x(place(p.x.Interval.High, log)), Y: places[i].Y}})
	}
	for k := 1; k < len(front); k++ {
		l.line = append(l.line, [2]vg.Point{places[front[k-1]], places[front[k]]})
	}
	l.place()
	return l
}
