package plots

import (
	"slices"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

func init() { Kinds.Add("bars", bars) }

// bars draws the rows of the table below each other as horizontal bars, one a
// column, with the 95 % interval over seeds: methods side by side. Bars begin
// at the chance level where there is one, and at zero otherwise, so that their
// lengths may be compared. Each metric has a panel of its own.
func bars(in Input) (*Figure, error) {
	t := in.Table
	if err := checkTable(t); err != nil {
		return nil, err
	}
	names := make([]string, len(t.Rows))
	for i := range t.Rows {
		names[i] = shortened(t.RowLabel(i), columnWidth/3, textSize)
	}
	x, err := newScale("category", names)
	if err != nil {
		return nil, err
	}
	labels := seriesLabels(t)
	var panels []panel
	key := &legendKey{}
	for _, metric := range tableMetrics(t) {
		chart := newLineChart(t, metric, x, labels)
		p, err := chart.barPanel()
		if err != nil {
			return nil, err
		}
		panels = append(panels, p)
		key.collect(chart)
	}
	entries := key.entries()
	for i := range key.series {
		entries[i].line, entries[i].marked, entries[i].bar = false, false, true
	}
	return arrange(t.Title, in.View.Width, panels, entries, key.note()), nil
}

// barPanel has categories downwards and the metric to the right.
func (chart *lineChart) barPanel() (panel, error) {
	base := 0.0
	if chart.chance != nil {
		base = *chart.chance
	}
	extent := newSpan()
	for _, s := range chart.series {
		for _, p := range s.points {
			if p.cell.HasValue() {
				extent.show(p.cell.Interval.Low, p.cell.Interval.High)
				extent.show(p.cell.Values...)
			}
		}
	}
	if err := extent.check(chart.metric); err != nil {
		return panel{}, err
	}
	extent.show(base)
	wide := extent.padded(0.05)
	if base == 0 && extent.low == 0 {
		wide.low = 0
	}
	p := panel{x: axis{label: axisLabel(chart.metric, chart.unit), low: wide.low, high: wide.high, grid: true}}
	p.x.ticks = linearTicks(wide.low, wide.high, 6)
	n := len(chart.x.values)
	p.y = axis{low: -0.5, high: float64(n) - 0.5}
	for i, name := range chart.x.values {
		p.y.ticks = append(p.y.ticks, plot.Tick{Value: float64(n - 1 - i), Label: name})
	}
	p.layers = []layer{chart.bars(base, n)}
	return p, nil
}

// bars draws the bars of every row, the first column on top.
func (chart *lineChart) bars(base float64, rows int) layer {
	return func(c draw.Canvas, x, y func(float64) vg.Length) {
		m := len(chart.series)
		thick := 0.8 / float64(m)
		for k, s := range chart.series {
			for i, p := range s.points {
				row := slices.Index(chart.x.at, p.x)
				if row < 0 {
					row = i
				}
				middle := float64(rows-1-row) + 0.4 - (float64(k)+0.5)*thick
				drawBar(c, s.look, p, x(base), x, y(middle-0.45*thick), y(middle+0.45*thick))
			}
		}
		style := draw.LineStyle{Color: gray, Width: thinWidth}
		if chart.chance != nil {
			style = chanceStyle()
		}
		c.StrokeLine2(style, x(base), c.Min.Y, x(base), c.Max.Y)
	}
}

// drawBar draws one bar from base, its error bar, or the cross of a lost trial.
func drawBar(c draw.Canvas, l look, p point, base vg.Length, x func(float64) vg.Length, bottom, top vg.Length) {
	middle := (bottom + top) / 2
	if p.cell.HasValue() {
		end := x(p.number)
		box := vg.Rectangle{Min: vg.Point{X: min(base, end), Y: bottom}, Max: vg.Point{X: max(base, end), Y: top}}
		c.SetColor(faded(l.color, 0.75))
		c.Fill(box.Path())
		low, high := x(p.cell.Interval.Low), x(p.cell.Interval.High)
		if high > low {
			style := draw.LineStyle{Color: ink, Width: 0.7}
			reach := min(capWidth, (top-bottom)/2)
			c.StrokeLine2(style, low, middle, high, middle)
			c.StrokeLine2(style, low, middle-reach, low, middle+reach)
			c.StrokeLine2(style, high, middle-reach, high, middle+reach)
		}
	}
	if p.cell.Word != "" {
		drawCross(c, vg.Point{X: base + 5, Y: middle}, l.color)
	}
}
