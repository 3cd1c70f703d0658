package plots

import (
	"slices"
	"strings"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

func init() { Kinds.Add("bars", bars) }

// bars draws the rows of the table below each other as horizontal bars, one a
// column, with the 95 % interval over seeds: methods side by side. Bars begin
// at the chance level where there is one, and at zero otherwise, so that their
// lengths may be compared; values too much alike for that are marks. Each
// metric has a panel of its own, and the leftmost of a row names the bars.
func bars(in Input) (*Figure, error) {
	t := in.Table
	if err := checkTable(t); err != nil {
		return nil, err
	}
	names := make([]string, len(t.Rows))
	for i := range t.Rows {
		names[i] = wrapped(t.RowLabel(i), namesWidth(in.View.Width), textSize)
	}
	x, err := newScale("category", names)
	if err != nil {
		return nil, err
	}
	labels := seriesLabels(t)
	var charts []*lineChart
	for _, metric := range tableMetrics(t) {
		charts = append(charts, newLineChart(t, metric, x, labels))
	}
	if err := measure(charts); err != nil {
		return nil, err
	}
	var panels []panel
	key, filled := &legendKey{}, false
	for _, chart := range charts {
		p, base := chart.barPanel()
		p.y.label = rowsLabel(t.RowKeys)
		filled = filled || base != nil
		panels = append(panels, p)
		key.collect(chart)
	}
	entries := key.entries()
	for i := range key.series {
		entries[i].line, entries[i].marked, entries[i].bar = false, !filled, filled
	}
	return arrange(t.Title, in.View.Width, panels, entries, key.note()), nil
}

// namesWidth is how much of a figure names of rows may take before they are broken.
func namesWidth(width string) vg.Length {
	if width == "page" {
		return pageWidth / 4
	}
	return columnWidth / 3
}

// rowsLabel says what the rows are, unless their names do.
func rowsLabel(keys []string) string {
	return strings.Join(slices.DeleteFunc(slices.Clone(keys), func(key string) bool {
		return key == "name" || key == "metric" || key == "trial"
	}), ", ")
}

// barPanel has categories downwards and the metric to the right. Bars begin at
// base; without one there are marks.
func (chart *lineChart) barPanel() (p panel, base *float64) {
	base = chart.baseline(chart.extent)
	if base != nil {
		chart.extent.show(*base)
	}
	wide := chart.padded(0.05)
	if base != nil && *base == 0 && chart.extent.low == 0 {
		wide.low = 0
	}
	p = panel{x: axis{label: axisLabel(chart.metric, chart.unit), low: wide.low, high: wide.high, grid: true}}
	for most := 6; most > 1; most-- {
		p.x.options = append(p.x.options, chart.ticks(wide, most))
	}
	n := len(chart.x.values)
	p.y = axis{low: -0.5, high: float64(n) - 0.5, once: true}
	row := leastBar * vg.Length(len(chart.series)) / 0.8
	for i, name := range chart.x.values {
		p.y.ticks = append(p.y.ticks, plot.Tick{Value: float64(n - 1 - i), Label: name})
		row = max(row, textStyle(textSize, ink).Height(name)+2)
	}
	p.least = vg.Length(n) * row
	p.drawings = []drawing{chart.bars(base, n)}
	return p, base
}

// leastBar is the least thickness of a bar with its share of the gaps.
const leastBar = 4 * vg.Length(1)

// baseline is where bars begin: at chance, or at zero. It is nil where bars
// from zero would all look alike, the smallest being more than half of the
// largest; then marks take their place.
func (chart *lineChart) baseline(extent span) *float64 {
	zero := 0.0
	switch {
	case chart.chance != nil:
		return chart.chance
	case extent.low > 0.5*extent.high || extent.high < 0.5*extent.low:
		return nil
	}
	return &zero
}

// bars draws the bars of every row, the first column on top.
func (chart *lineChart) bars(base *float64, rows int) drawing {
	return func(c draw.Canvas, x, y func(float64) vg.Length) {
		thick := 0.8 / float64(len(chart.series))
		for k, s := range chart.series {
			for _, p := range s.points {
				middle := float64(rows-1) - p.x + 0.4 - (float64(k)+0.5)*thick
				drawBar(c, s.look, p, base, x, y(middle-0.45*thick), y(middle+0.45*thick))
			}
		}
		style := draw.LineStyle{Color: gray, Width: thinWidth}
		if chart.chance != nil {
			style = chanceStyle()
		}
		if base != nil {
			c.StrokeLine2(style, x(*base), c.Min.Y, x(*base), c.Max.Y)
		}
	}
}

// drawBar draws one bar from base, with a line where it ends, so that a bar of
// no length is seen; or a mark where base is nil. Then comes its error bar, and
// behind it the cross of a lost trial.
func drawBar(c draw.Canvas, l look, p point, base *float64, x func(float64) vg.Length, bottom, top vg.Length) {
	middle, right := (bottom+top)/2, c.Min.X
	if base != nil {
		right = x(*base)
	}
	if p.cell.HasValue() {
		mean := x(p.number)
		if base != nil {
			from := x(*base)
			c.SetColor(faded(l.color, 0.75))
			c.Fill(vg.Rectangle{Min: vg.Point{X: min(from, mean), Y: bottom}, Max: vg.Point{X: max(from, mean), Y: top}}.Path())
			c.StrokeLine2(draw.LineStyle{Color: l.color, Width: lineWidth}, mean, bottom, mean, top)
		}
		p.bar.draw(c, draw.LineStyle{Color: ink, Width: 0.7}, min(capWidth, (top-bottom)/2), func(v float64, aside vg.Length) vg.Point {
			return vg.Point{X: x(v), Y: middle + aside}
		})
		if base == nil {
			l.draw(c, vg.Point{X: mean, Y: middle}, markRadius)
		}
		right = max(right, mean, x(p.bar.high))
	}
	if p.cell.Word != "" {
		drawCross(c, vg.Point{X: min(right+5, c.Max.X-3), Y: middle}, l.color)
	}
}
