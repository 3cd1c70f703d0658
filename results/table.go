package results

import (
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"

	"plumb/internal/registry"
)

// A Table is what a View shows of some records, before it has any form: the
// writers in Formats and the figures of package plots draw from it. Bold and
// footnotes were decided on unrounded values.
type Table struct {
	Name    string    // of the view; names files
	Title   string    // one line
	Caption []string  // what the numbers are: metric, unit, chance, seeds, n, what is bold
	RowKeys []string  // the keys whose values name the rows, such as layers
	ColKeys []string  // likewise for columns; empty when there is one column
	Rows    []Heading // in order
	Cols    []Heading
	Cells   [][]Cell // [row][column]
	Notes   []Note   // footnotes, in the order of their marks; those without a mark hold for the whole table
}

// A Heading names a row or a column.
type Heading struct {
	Values []string // one for each of RowKeys or ColKeys
	Metric string   // when every cell has the same one
	Chance *float64 // of that metric, where it is known
	Better string   // "higher", "lower" or "": which value of that metric is better
}

// A Cell is one number of a table with all that is known about it.
type Cell struct {
	Metric   string
	Unit     string
	Interval Interval   // over seeds; N is 0 when there is no value
	StdErr   *float64   // of a single seed's value, over its items; only when there is one seed
	Word     string     // instead of a value: "diverged", "failed", "invalid", "not available"; empty with neither is a missing cell
	Origin   Origin     // of the value, where records say
	Verdict  Verdict    // of a timing: Invalid where that of any record behind it is
	Seeds    []uint64   // whose values are in the mean
	Values   []float64  // one for each of Seeds
	N        int        // items, tokens or runs behind a seed's value; the smallest over seeds
	Lost     int        // trials that have no value because they diverged or failed
	Best     bool       // the best of those it is compared with
	Tied     bool       // not significantly worse than the best
	Versus   Comparison // with the best cell; Method is empty where there was none
	Marks    []string   // of footnotes
	Decimals int        // digits behind the point when printed; negative for counts and for four significant digits
}

// A Note is a footnote. Mark is empty when it holds for the whole table.
type Note struct{ Mark, Text string }

// HasValue says whether the cell has a number.
func (c Cell) HasValue() bool { return c.Interval.N > 0 }

// Bold says whether the cell is the best or not significantly worse.
func (c Cell) Bold() bool { return c.Best || c.Tied }

// missing stands where nothing was measured.
const missing = "–"

// Text is the cell without emphasis and footnote marks: mean ± half the 95 %
// interval, mean [low, high] for two seeds, mean (standard error) for one; a timing that
// cannot be quoted says so.
func (c Cell) Text() string {
	if !c.HasValue() {
		if c.Word == "" {
			return missing
		}
		return c.Word
	}
	number := func(v float64) string { return formatNumber(v, c.Decimals) }
	text := number(c.Interval.Mean)
	switch {
	case c.Decimals < 0 && c.Interval.Half() == 0: // a count that no seed changes
	case c.Interval.Spread == SpreadT:
		text += " ± " + number(c.Interval.Half())
	case c.Interval.Spread == SpreadRange:
		text += " [" + number(c.Interval.Low) + ", " + number(c.Interval.High) + "]"
	case c.StdErr != nil:
		text += " (" + number(*c.StdErr) + ")"
	}
	if c.Lost > 0 {
		text += fmt.Sprintf(", %d %s", c.Lost, c.Word)
	}
	if c.Verdict == Invalid {
		text += " " + string(Invalid)
	}
	return text
}

// Label is the heading in one line, with what is better and the chance level
// when the heading is that of a metric.
func (h Heading) Label(keys []string) string {
	parts := make([]string, 0, len(h.Values)+1)
	for i, value := range h.Values {
		if value == "" {
			value = "(no " + keys[i] + ")"
		}
		if keys[i] == "metric" {
			value = h.metricLabel()
		}
		parts = append(parts, value)
	}
	if len(keys) == 0 {
		return h.metricLabel()
	}
	return strings.Join(parts, ", ")
}

func (h Heading) metricLabel() string {
	label := h.Metric + arrow(h.Better)
	if h.Chance != nil {
		label += fmt.Sprintf(" (chance %.3f)", *h.Chance)
	}
	return label
}

func arrow(better string) string {
	switch better {
	case "higher":
		return " ↑"
	case "lower":
		return " ↓"
	}
	return ""
}

// RowLabel and ColLabel are the headings' texts; Corner names what the rows are.
func (t *Table) RowLabel(i int) string { return t.Rows[i].Label(t.RowKeys) }

// ColLabel is the text above column j.
func (t *Table) ColLabel(j int) string { return t.Cols[j].Label(t.ColKeys) }

// Corner is the text above the row labels.
func (t *Table) Corner() string {
	corner := strings.Join(t.RowKeys, ", ")
	if len(t.ColKeys) > 0 {
		corner += " / " + strings.Join(t.ColKeys, ", ")
	}
	return corner
}

// A Style says how a table may look where the format leaves a choice.
type Style struct {
	Color bool // text: bold by terminal codes; otherwise best values carry a star
}

// A Format writes a table.
type Format func(w io.Writer, t *Table, style Style) error

// Formats holds the ways to write a table by name.
var Formats = registry.New[Format]("table format")

// Write writes t in the format called name: text, markdown, latex, csv, html or json.
func (t *Table) Write(w io.Writer, name string, style Style) error {
	format, err := Formats.Get(name)
	if err != nil {
		return err
	}
	return format(w, t, style)
}

// Better says which values of a metric are better, "higher" or "lower", by its
// unit and name, and "" where neither is.
func Better(metric, unit string) string {
	name := metric[strings.LastIndex(metric, "/")+1:]
	switch {
	case unit == "share" && (strings.HasPrefix(name, "acc") || strings.HasPrefix(name, "exact") || strings.HasPrefix(name, "f1")):
		return "higher"
	case strings.HasPrefix(unit, "nats/") || strings.HasPrefix(unit, "bits/") || strings.HasSuffix(name, "perplexity"):
		return "lower"
	case unit == "seconds" || unit == "s" || unit == "ms/token" || strings.HasPrefix(unit, "J"):
		return "lower"
	case unit == "tokens/s" || unit == "FLOP/s":
		return "higher"
	}
	return ""
}

// forms says how the numbers of a unit are printed: with a fixed number of
// digits behind the point at least, or as counts. Other units have four
// significant digits, so that a learning rate of 0.0005 stays one.
var forms = map[string]int{
	"share": 3, "percent": 1, "seconds": 1, "s": 1, "tokens/s": 1,
	"bytes": asCount, "params": asCount, "parameters": asCount, "weights": asCount, "tokens": asCount, "items": asCount,
	"FLOPs": asCount, "flops": asCount, "MACs": asCount, "operations/token": asCount, "FLOPs/token": asCount, "bytes/token": asCount,
	"layers": asCount, "blocks": asCount, "channels": asCount, "heads": asCount,
}

const (
	asCount       = -1 // with a suffix k, M, G, T
	asSignificant = -2 // with four significant digits
	maxDecimals   = 6
)

// formOf returns the digits behind the point, asCount or asSignificant.
func formOf(unit string) int {
	if form, ok := forms[unit]; ok {
		return form
	}
	if strings.HasPrefix(unit, "nats/") || strings.HasPrefix(unit, "bits/") {
		return 3
	}
	return asSignificant
}

// decimalsFor returns enough digits that the smallest error shows one that is
// not zero.
func decimalsFor(unit string, errors []float64) int {
	decimals := formOf(unit)
	if decimals < 0 {
		return decimals
	}
	for _, e := range errors {
		for e > 0 && decimals < maxDecimals && e < 0.95*math.Pow10(-decimals) {
			decimals++
		}
	}
	return decimals
}

// formatNumber prints v with so many decimals, or in the form that they stand for.
func formatNumber(v float64, decimals int) string {
	switch {
	case decimals == asCount:
		return formatCount(v)
	case decimals == asSignificant || math.Abs(v) >= 1e7:
		return strconv.FormatFloat(v, 'g', 4, 64)
	}
	return strconv.FormatFloat(v, 'f', decimals, 64)
}

// formatCount prints a count below ten thousand as it is, and a larger one
// with four digits and a suffix: 1.251M, 163.2M.
func formatCount(v float64) string {
	if math.Abs(v) < 1e4 {
		return strconv.FormatFloat(v, 'f', -1, 64)
	}
	suffixes := []string{"", "k", "M", "G", "T", "P", "E"}
	i := 0
	for math.Abs(v) >= 999.95 && i < len(suffixes)-1 {
		v, i = v/1000, i+1
	}
	decimals := 3
	for limit := 9.9995; decimals > 1 && math.Abs(v) >= limit; limit *= 10 {
		decimals--
	}
	return strconv.FormatFloat(v, 'f', decimals, 64) + suffixes[i]
}
