package plots

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"plumb/results"
)

func init() { Kinds.Add("lines", lines) }

// A series is one line of a panel: a column of the table, or published numbers.
type series struct {
	label     string
	look      look
	points    []point
	published bool
	shift     vg.Length // to the right of its place on the axis
}

// A point is one cell.
type point struct {
	x      float64 // in the axis's coordinates
	cell   results.Cell
	number float64 // the cell's mean, or the published number
}

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
	var panels []panel
	key := &legendKey{}
	for _, metric := range tableMetrics(t) {
		chart := newLineChart(t, metric, x, labels)
		if in.View.Reference != "" {
			if err := chart.addPublished(in.View.Reference, t.RowKeys[0], len(labels)); err != nil {
				return nil, err
			}
		}
		p, err := chart.panel(t.RowKeys[0])
		if err != nil {
			return nil, err
		}
		panels = append(panels, p)
		key.collect(chart)
	}
	return arrange(t.Title, in.View.Width, panels, key.entries(), key.note()), nil
}

func checkTable(t *results.Table) error {
	if t == nil || len(t.Rows) == 0 {
		return fmt.Errorf("there is no table to draw")
	}
	return nil
}

// tableMetrics lists the metrics of the table in order of its columns.
func tableMetrics(t *results.Table) (metrics []string) {
	for j := range t.Cols {
		for i := range t.Rows {
			if m := t.Cells[i][j].Metric; m != "" && !slices.Contains(metrics, m) {
				metrics = append(metrics, m)
			}
		}
	}
	return metrics
}

// seriesLabel names column j by its keys other than the metric.
func seriesLabel(t *results.Table, j int) string {
	var parts []string
	for k, key := range t.ColKeys {
		if key != "metric" {
			value := t.Cols[j].Values[k]
			if value == "" {
				value = "(no " + key + ")"
			}
			if _, err := strconv.ParseFloat(value, 64); err == nil || value == "none" {
				value = key + " " + value
			}
			parts = append(parts, value)
		}
	}
	return strings.Join(parts, ", ")
}

// seriesLabels lists the names of all columns, each once.
func seriesLabels(t *results.Table) (labels []string) {
	for j := range t.Cols {
		if label := seriesLabel(t, j); !slices.Contains(labels, label) {
			labels = append(labels, label)
		}
	}
	return labels
}

// A lineChart is what one panel shows.
type lineChart struct {
	metric, unit string
	x            scale
	series       []series
	chance       *float64
	lost         bool
}

func newLineChart(t *results.Table, metric string, x scale, labels []string) *lineChart {
	chart := &lineChart{metric: metric, x: x}
	for j := range t.Cols {
		s := series{label: seriesLabel(t, j)}
		s.look = lookOf(slices.Index(labels, s.label))
		for i := range t.Rows {
			c := t.Cells[i][j]
			if c.Metric != metric {
				continue
			}
			chart.unit = c.Unit
			chart.lost = chart.lost || c.Word != ""
			s.points = append(s.points, point{x: x.at[i], cell: c, number: c.Interval.Mean})
		}
		if len(s.points) > 0 {
			chart.series = append(chart.series, s)
			if h := t.Cols[j]; h.Metric == metric && h.Chance != nil {
				chart.chance = h.Chance
			}
		}
	}
	return chart
}

// addPublished adds lines from a table in results/reference: "FILE" or
// "FILE:COLUMN". Without a column it is the one named like the metric's task.
// A table with a column family has a line for each.
func (chart *lineChart) addPublished(reference, rowKey string, used int) error {
	file, column, named := strings.Cut(reference, ":")
	p, err := results.ReadPublished(file)
	if err != nil {
		return err
	}
	if !slices.Contains(p.Columns, rowKey) {
		return fmt.Errorf("%s has no column %q for the axis (have %s)", p.Name, rowKey, strings.Join(p.Columns, ", "))
	}
	if !named {
		column, _, _ = strings.Cut(chart.metric, "/")
	}
	if !slices.Contains(p.Columns, column) {
		if !named {
			return nil // nothing was published for this metric
		}
		return fmt.Errorf("%s has no column %q (have %s)", p.Name, column, strings.Join(p.Columns, ", "))
	}
	for _, s := range chart.publishedSeries(p, rowKey, column) {
		s.look = lookOf(used)
		s.look.hollow = true
		used++
		chart.series = append(chart.series, s)
	}
	return nil
}

func (chart *lineChart) publishedSeries(p results.Published, rowKey, column string) (all []series) {
	for _, row := range p.Rows {
		label := strings.TrimSuffix(p.Name, ".csv")
		if family := row["family"]; family != "" {
			label += " " + family
		}
		label += " (published)"
		y, err := strconv.ParseFloat(row[column], 64)
		x, ok := chart.x.place(row[rowKey])
		if err != nil || !ok {
			continue
		}
		if chart.unit == "share" {
			y /= 100 // papers print percent
		}
		i := slices.IndexFunc(all, func(s series) bool { return s.label == label })
		if i < 0 {
			all, i = append(all, series{label: label, published: true}), len(all)
		}
		all[i].points = append(all[i].points, point{x: x, number: y})
	}
	return all
}

// panel finds the ranges and makes the layers.
func (chart *lineChart) panel(rowKey string) (panel, error) {
	xs, ys := newSpan(), newSpan()
	var published []float64
	for _, s := range chart.series {
		for _, p := range s.points {
			xs.show(p.x)
			if p.cell.HasValue() {
				ys.show(p.cell.Interval.Low, p.cell.Interval.High)
				ys.show(p.cell.Values...)
			} else if s.published {
				ys.show(p.number)
				published = append(published, p.x)
			}
		}
	}
	if err := ys.check(chart.metric); err != nil {
		return panel{}, err
	}
	if chart.chance != nil {
		ys.show(*chart.chance)
	}
	ys = ys.padded(0.07)
	result := panel{x: chart.x.axis(rowKey, xs, published), y: axis{label: axisLabel(chart.metric, chart.unit), low: ys.low, high: ys.high, grid: true}}
	result.y.ticks = linearTicks(ys.low, ys.high, 6)
	result.layers = chart.layers()
	return result, nil
}

func axisLabel(metric, unit string) string {
	if unit == "" {
		return metric
	}
	return metric + " (" + unit + ")"
}

// dodge is the distance between the marks of neighbouring series at one value.
const dodge = 3.6 * vg.Length(1)

// layers draws chance, then the lines, then error bars and marks on top. The
// table's series stand beside each other at every value, so that no bar hides
// another.
func (chart *lineChart) layers() (layers []layer) {
	if chart.chance != nil {
		layers = append(layers, chanceLine(*chart.chance))
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
		layers = append(layers, chart.series[i].line())
	}
	for _, s := range chart.series {
		layers = append(layers, s.marks())
	}
	return layers
}

func chanceLine(level float64) layer {
	return func(c draw.Canvas, _, y func(float64) vg.Length) {
		c.StrokeLine2(chanceStyle(), c.Min.X, y(level), c.Max.X, y(level))
	}
}

func chanceStyle() draw.LineStyle {
	return draw.LineStyle{Color: gray, Width: thinWidth * 1.6, Dashes: []vg.Length{2, 2}}
}

// line joins the values of neighbouring rows; a missing one leaves a gap.
func (s series) line() layer {
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
func (s series) marks() layer {
	return func(c draw.Canvas, x, y func(float64) vg.Length) {
		for _, p := range s.points {
			at := vg.Point{X: x(p.x) + s.shift, Y: y(p.number)}
			switch {
			case s.published:
				s.look.draw(c, at, markRadius*0.8)
				continue
			case p.cell.HasValue():
				s.seeds(c, p, at.X, y)
				errorBar(c, s.look, at.X, y(p.cell.Interval.Low), y(p.cell.Interval.High))
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

// errorBar is upright, with caps; nothing where there is no interval.
func errorBar(c draw.Canvas, l look, x, low, high vg.Length) {
	if high <= low {
		return
	}
	style := draw.LineStyle{Color: l.color, Width: 0.8}
	c.StrokeLine2(style, x, low, x, high)
	c.StrokeLine2(style, x-capWidth, low, x+capWidth, low)
	c.StrokeLine2(style, x-capWidth, high, x+capWidth, high)
}

// A legendKey gathers what the panels show into one legend.
type legendKey struct {
	series       []entry
	chance, lost bool
	spreads      map[results.Spread]bool
}

func (k *legendKey) collect(chart *lineChart) {
	k.chance = k.chance || chart.chance != nil
	k.lost = k.lost || chart.lost
	for _, s := range chart.series {
		e := entry{label: s.label, look: s.look, line: true, marked: true}
		if s.published {
			e.look.color = faded(s.look.color, 0.6)
		}
		if s.label != "" && !slices.ContainsFunc(k.series, func(x entry) bool { return x.label == e.label }) {
			k.series = append(k.series, e)
		}
		for _, p := range s.points {
			k.see(p.cell)
		}
	}
}

func (k *legendKey) see(c results.Cell) {
	if k.spreads == nil {
		k.spreads = map[results.Spread]bool{}
	}
	if c.HasValue() {
		k.spreads[c.Interval.Spread] = true
	}
}

func (k *legendKey) entries() []entry {
	entries := k.series
	if k.chance {
		style := chanceStyle()
		entries = append(entries, entry{label: "chance", line: true, thin: true, look: look{color: gray, dashes: style.Dashes}})
	}
	if k.lost {
		entries = append(entries, entry{label: "diverged or failed", cross: true})
	}
	return entries
}

// note says what the error bars are.
func (k *legendKey) note() string {
	var parts []string
	if k.spreads[results.SpreadT] {
		parts = append(parts, "Error bars: 95 % interval over seeds (Student's t).")
	}
	if k.spreads[results.SpreadRange] {
		parts = append(parts, "With two seeds: their range.")
	}
	if k.spreads[results.SpreadNone] {
		parts = append(parts, "One seed: no error bar.")
	}
	return strings.Join(parts, " ")
}
