package plots

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

func init() { Kinds.Add("lines", lines) }

// lines draws the table's metric against its rows, one line a column, with the
// 95 % interval over seeds as error bars and the seeds themselves as small dots. Each
// metric of the table has a panel of its own.
func lines(in Input) (*Figure, error) {
	t := in.Table
	if err := checkTable(t); err != nil {
		return nil, err
	}
	if len(t.RowKeys) != 1 || t.RowKeys[0] == "metric" {
		return nil, fmt.Errorf("lines need one key as rows, which becomes the axis, and not %q", strings.Join(t.RowKeys, ", "))
	}
	values := make([]string, len(t.Rows))
	for i, row := range t.Rows {
		values[i] = row.Values[0]
	}
	x, err := newScale(in.View.Axis, values)
	if err != nil {
		return nil, err
	}
	labels := seriesLabels(t)
	var charts []*lineChart
	for _, metric := range tableMetrics(t) {
		chart := newLineChart(t, metric, x, labels)
		if in.View.Reference != "" {
			if err := chart.addPublished(in.View.Reference, t.RowKeys[0], len(labels)); err != nil {
				return nil, err
			}
		}
		charts = append(charts, chart)
	}
	if err := measure(charts); err != nil {
		return nil, err
	}
	var panels []panel
	key := &legendKey{}
	for _, chart := range charts {
		panels = append(panels, chart.panel(t.RowKeys[0]))
		key.collect(chart)
	}
	return arrange(t.Title, in.View.Width, panels, key.entries(), key.note()), nil
}

// panel finds the ranges and makes the drawings.
func (chart *lineChart) panel(rowKey string) panel {
	xs := newSpan()
	var published []float64
	for _, s := range chart.series {
		for _, p := range s.points {
			xs.show(p.x)
			if s.published {
				published = append(published, p.x)
			}
		}
	}
	ys := chart.padded(0.07)
	result := panel{x: chart.x.axis(rowKey, xs, published), y: axis{label: axisLabel(chart.metric, chart.unit), low: ys.low, high: ys.high, grid: true}}
	result.y.ticks = chart.ticks(ys, 6)
	result.drawings = chart.drawings()
	return result
}

func axisLabel(metric, unit string) string {
	if unit == "" {
		return metric
	}
	return metric + " (" + unit + ")"
}

// dodge is the distance between the marks of neighbouring series at one value.
const dodge = 3.6 * vg.Length(1)

// drawings draws chance, then the lines, then error bars and marks on top. The
// table's series stand beside each other at every value, so that no bar hides
// another.
func (chart *lineChart) drawings() (drawings []drawing) {
	if chart.chance != nil {
		drawings = append(drawings, chanceLine(*chart.chance))
	}
	own := 0
	for _, s := range chart.series {
		if !s.published {
			own++
		}
	}
	for i := range chart.series {
		if !chart.series[i].published {
			chart.series[i].shift = dodge * vg.Length(float64(i)-float64(own-1)/2)
		}
		drawings = append(drawings, chart.series[i].line())
	}
	for _, s := range chart.series {
		drawings = append(drawings, s.marks())
	}
	return drawings
}

func chanceLine(level float64) drawing {
	return func(c draw.Canvas, _, y func(float64) vg.Length) {
		c.StrokeLine2(chanceStyle(), c.Min.X, y(level), c.Max.X, y(level))
	}
}

func chanceStyle() draw.LineStyle {
	return draw.LineStyle{Color: gray, Width: thinWidth * 1.6, Dashes: []vg.Length{2, 2}}
}

// line joins the values of neighbouring rows; a missing one leaves a gap.
func (s series) line() drawing {
	return func(c draw.Canvas, x, y func(float64) vg.Length) {
		style := draw.LineStyle{Color: s.look.color, Width: lineWidth, Dashes: s.look.dashes}
		if s.published {
			style.Color, style.Width = faded(s.look.color, 0.6), 0.8
		}
		var run []vg.Point
		for _, p := range append(slices.Clone(s.points), point{number: math.NaN()}) {
			if p.cell.HasValue() || s.published && !math.IsNaN(p.number) {
				run = append(run, vg.Point{X: x(p.x) + s.shift, Y: y(p.number)})
				continue
			}
			if len(run) > 1 {
				c.StrokeLines(style, run)
			}
			run = nil
		}
	}
}

// marks draws error bars, the seeds as small dots, the means, and a cross at
// the foot of the panel for cells that lost a trial.
func (s series) marks() drawing {
	return func(c draw.Canvas, x, y func(float64) vg.Length) {
		for _, p := range s.points {
			at := vg.Point{X: x(p.x) + s.shift, Y: y(p.number)}
			switch {
			case s.published:
				s.look.draw(c, at, markRadius*0.8)
				continue
			case p.cell.HasValue():
				s.seeds(c, p, at.X, y)
				p.bar.draw(c, draw.LineStyle{Color: s.look.color, Width: 0.8}, capWidth, func(v float64, aside vg.Length) vg.Point {
					return vg.Point{X: at.X + aside, Y: y(v)}
				})
				s.look.draw(c, at, markRadius)
			}
			if p.cell.Word != "" {
				drawCross(c, vg.Point{X: at.X, Y: c.Min.Y + 4}, s.look.color)
			}
		}
	}
}

func (s series) seeds(c draw.Canvas, p point, x vg.Length, y func(float64) vg.Length) {
	if len(p.cell.Values) < 2 {
		return
	}
	c.SetColor(faded(s.look.color, 0.45))
	for _, v := range p.cell.Values {
		c.Fill(circle(vg.Point{X: x, Y: y(v)}, 1.1))
	}
}
