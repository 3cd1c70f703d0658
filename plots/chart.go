package plots

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/vg"

	"plumb/results"
)

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
	bar    errorBar
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
	shares       bool // all values are in [0, 1], and what is drawn keeps to it
	extent       span // of all that is drawn, here and in panels alike
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

// measure finds what every chart covers. Charts of the same unit and chance
// cover the same, so that their panels can be compared.
func measure(charts []*lineChart) error {
	for _, chart := range charts {
		if err := chart.measure(); err != nil {
			return err
		}
	}
	for _, chart := range charts {
		for _, other := range charts {
			if chart.alike(other) {
				chart.extent.show(other.extent.low, other.extent.high)
			}
		}
	}
	return nil
}

func (chart *lineChart) alike(other *lineChart) bool {
	same := chart.unit != "" && chart.unit == other.unit && chart.shares == other.shares
	if chart.chance == nil || other.chance == nil {
		return same && chart.chance == other.chance
	}
	return same && *chart.chance == *other.chance
}

// measure cuts the error bars of shares and finds the chart's own extent.
func (chart *lineChart) measure() error {
	values := newSpan()
	for _, s := range chart.series {
		for _, p := range s.points {
			if p.cell.HasValue() || s.published {
				values.show(p.number)
				values.show(p.cell.Values...)
			}
		}
	}
	chart.shares = chart.unit == "share" && values.low >= 0 && values.high <= 1
	for _, s := range chart.series {
		for i, p := range s.points {
			if p.cell.HasValue() {
				s.points[i].bar = newErrorBar(p.cell.Interval, chart.shares)
				values.show(s.points[i].bar.low, s.points[i].bar.high)
			}
		}
	}
	if err := values.check(chart.metric); err != nil {
		return err
	}
	if chart.chance != nil {
		values.show(*chart.chance)
	}
	chart.extent = values
	return nil
}

// beyond is how far the axis of shares may go beyond 0 and 1, so that marks
// are whole.
const beyond = 0.03

// padded is the chart's extent with room on both sides.
func (chart *lineChart) padded(share float64) span {
	wide := chart.extent.padded(share)
	if chart.shares {
		wide.low, wide.high = max(wide.low, -beyond), min(wide.high, 1+beyond)
	}
	return wide
}

// ticks are round numbers on the axis of the metric.
func (chart *lineChart) ticks(wide span, most int) []plot.Tick {
	if chart.shares {
		wide.low, wide.high = max(wide.low, 0), min(wide.high, 1)
	}
	return linearTicks(wide.low, wide.high, most)
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
