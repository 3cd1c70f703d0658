package plots

import (
	"slices"
	"strings"

	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"plumb/results"
)

// An entry is one line of the legend.
type entry struct {
	label  string
	look   look
	line   bool // a dash of the series' line
	marked bool // the series' mark
	bar    bool // a filled box
	cross  bool // the sign of a trial without a value
	thin   bool // the line is a thin gray one
}

const (
	sampleWidth  = 18 * vg.Length(1) // of a line before an entry
	boxWidth     = 8 * vg.Length(1)  // of a box or a cross
	sampleGap    = 3 * vg.Length(1)
	entryGap     = 10 * vg.Length(1)
	legendHeight = 11 * vg.Length(1) // of a row
)

// legend is entries set in rows below the panels, and a note below them.
type legend struct {
	rows [][]entry
	note []string
}

// newLegend breaks entries into rows no wider than width, and the note into lines.
func newLegend(entries []entry, note string, width vg.Length) legend {
	var l legend
	style := textStyle(textSize, ink)
	used := vg.Length(0)
	for _, e := range entries {
		e.label = shortened(e.label, width-e.sample()-sampleGap, style.Font.Size)
		need := e.sample() + sampleGap + style.Width(e.label)
		if len(l.rows) == 0 || used+entryGap+need > width {
			l.rows, used = append(l.rows, nil), -entryGap
		}
		last := len(l.rows) - 1
		l.rows[last] = append(l.rows[last], e)
		used += entryGap + need
	}
	l.note = broken(note, width, smallSize)
	return l
}

// shortened cuts text that is wider than width and ends it with an ellipsis.
func shortened(s string, width vg.Length, size font.Length) string {
	style := textStyle(size, ink)
	if style.Width(s) <= width {
		return s
	}
	runes := []rune(s)
	for len(runes) > 1 && style.Width(string(runes)+"…") > width {
		runes = runes[:len(runes)-1]
	}
	return strings.TrimRight(string(runes), " ,") + "…"
}

// broken splits text at spaces into lines no wider than width.
func broken(s string, width vg.Length, size font.Length) (lines []string) {
	style := textStyle(size, ink)
	line := ""
	for _, word := range strings.FieldsFunc(s, func(r rune) bool { return r == ' ' }) {
		longer := word
		if line != "" {
			longer = line + " " + word
		}
		if line != "" && style.Width(longer) > width {
			lines = append(lines, line)
			longer = word
		}
		line = longer
	}
	if line != "" {
		lines = append(lines, line)
	}
	return lines
}

func (l legend) height() vg.Length {
	h := vg.Length(len(l.rows))*legendHeight + vg.Length(len(l.note))*(smallSize+1.5)
	if h > 0 {
		h += 3
	}
	return h
}

// draw sets the legend at the bottom of the figure, rows from left to right.
func (l legend) draw(c draw.Canvas) {
	y := c.Min.Y + l.height() - 3
	for _, row := range l.rows {
		y -= legendHeight
		x := c.Min.X
		for _, e := range row {
			x = e.draw(c, vg.Point{X: x, Y: y})
		}
	}
	style := textStyle(smallSize, gray)
	for _, line := range l.note {
		y -= smallSize + 1.5
		c.FillText(style, vg.Point{X: c.Min.X, Y: y}, line)
	}
}

// sample is the width of the picture before the entry.
func (e entry) sample() vg.Length {
	if e.line {
		return sampleWidth
	}
	return boxWidth
}

// draw sets one entry and returns where the next begins.
func (e entry) draw(c draw.Canvas, at vg.Point) vg.Length {
	middle := at.Y + legendHeight/2 - 0.5
	from, to := at.X, at.X+e.sample()
	center := vg.Point{X: (from + to) / 2, Y: middle}
	if e.line {
		style := draw.LineStyle{Color: e.look.color, Width: lineWidth, Dashes: e.look.dashes}
		if e.thin {
			style.Width = thinWidth * 1.6
		}
		c.StrokeLine2(style, from, middle, to, middle)
	}
	if e.bar {
		c.SetColor(e.look.color)
		c.Fill(vg.Rectangle{Min: vg.Point{X: from, Y: middle - 3}, Max: vg.Point{X: to, Y: middle + 3}}.Path())
	}
	if e.marked {
		e.look.draw(c, center, markRadius)
	}
	if e.cross {
		drawCross(c, center, gray)
	}
	style := textStyle(textSize, ink)
	style.YAlign = draw.YCenter
	c.FillText(style, vg.Point{X: to + sampleGap, Y: middle}, e.label)
	return to + sampleGap + style.Width(e.label) + entryGap
}

// A legendKey gathers what the panels show into one legend.
type legendKey struct {
	series       []entry
	chance, lost bool
	cut          bool // an error bar has an open end
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
			k.cut = k.cut || p.bar.openLow || p.bar.openHigh
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
	if k.cut {
		parts = append(parts, "Open ends, without a cap: cut at 0 or 1, where shares end.")
	}
	if k.spreads[results.SpreadRange] {
		parts = append(parts, "With two seeds: their range.")
	}
	if k.spreads[results.SpreadNone] {
		parts = append(parts, "One seed: no error bar.")
	}
	return strings.Join(parts, " ")
}
