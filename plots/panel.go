package plots

import (
	"fmt"
	"image/color"
	"math"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// A panel is one pair of axes with what is drawn between them.
type panel struct {
	x, y     axis
	drawings []drawing // drawn in order, in the panel's coordinates
}

// An axis has its range in the coordinates that are drawn (logarithms on a
// logarithmic axis) and its ticks in the same.
type axis struct {
	label     string
	low, high float64
	ticks     []plot.Tick
	grid      bool // thin lines across the panel at the ticks
}

// A drawing draws into the data area; x and y turn coordinates into places.
type drawing func(c draw.Canvas, x, y func(float64) vg.Length)

// Plot is part of plot.Plotter.
func (l drawing) Plot(c draw.Canvas, p *plot.Plot) {
	x, y := p.Transforms(&c)
	l(c, x, y)
}

// plot makes gonum's plot of the panel, which lays out axes and labels.
func (p panel) plot() *plot.Plot {
	g := plot.New()
	g.BackgroundColor = nil
	g.TextHandler = fonts()
	style := func(a *plot.Axis, from axis) {
		a.Min, a.Max = from.low, from.high
		a.Padding = 0
		a.LineStyle = draw.LineStyle{Color: gray, Width: thinWidth}
		a.Label.Text = from.label
		a.Label.Padding = 2
		a.Tick.LineStyle, a.Tick.Length = a.LineStyle, 2.5
		a.Tick.Marker = plot.ConstantTicks(from.ticks)
		label, tick := textStyle(textSize, ink), textStyle(textSize, ink)
		label.XAlign, label.YAlign = a.Label.TextStyle.XAlign, a.Label.TextStyle.YAlign
		tick.XAlign, tick.YAlign = a.Tick.Label.XAlign, a.Tick.Label.YAlign
		a.Label.TextStyle, a.Tick.Label = label, tick
	}
	style(&g.X, p.x)
	style(&g.Y, p.y)
	g.Add(p.gridLines())
	for _, l := range p.drawings {
		g.Add(l)
	}
	return g
}

func (p panel) gridLines() drawing {
	return func(c draw.Canvas, x, y func(float64) vg.Length) {
		style := draw.LineStyle{Color: light, Width: thinWidth}
		for _, tick := range p.y.ticks {
			if p.y.grid && tick.Label != "" && tick.Value > p.y.low && tick.Value <= p.y.high {
				c.StrokeLine2(style, c.Min.X, y(tick.Value), c.Max.X, y(tick.Value))
			}
		}
		for _, tick := range p.x.ticks {
			if p.x.grid && tick.Label != "" && tick.Value > p.x.low && tick.Value <= p.x.high {
				c.StrokeLine2(style, x(tick.Value), c.Min.Y, x(tick.Value), c.Max.Y)
			}
		}
	}
}

// A span grows to hold the values it is shown.
type span struct{ low, high float64 }

func newSpan() span { return span{math.Inf(1), math.Inf(-1)} }

func (s *span) show(values ...float64) {
	for _, v := range values {
		s.low, s.high = min(s.low, v), max(s.high, v)
	}
}

// check refuses spans that cannot be drawn: nothing shown, or no numbers.
func (s span) check(what string) error {
	if s.low > s.high {
		return fmt.Errorf("nothing to draw: no %s has a value", what)
	}
	if math.IsNaN(s.low+s.high) || math.IsInf(s.high-s.low, 0) {
		return fmt.Errorf("%s runs from %v to %v, which cannot be drawn", what, s.low, s.high)
	}
	return nil
}

// padded widens the span by a share of itself on both sides, and a single
// value by a share of its size.
func (s span) padded(share float64) span {
	width := s.high - s.low
	if width <= math.Abs(s.high)*1e-9 {
		width = math.Max(math.Abs(s.high)*0.2, 1e-6)
	}
	return span{s.low - share*width, s.high + share*width}
}

// drawCross is the sign of a measurement that has no value because its trial
// diverged or failed.
func drawCross(c draw.Canvas, at vg.Point, col color.Color) {
	style := draw.LineStyle{Color: col, Width: 1.2}
	const r = 2.2
	c.StrokeLine2(style, at.X-r, at.Y-r, at.X+r, at.Y+r)
	c.StrokeLine2(style, at.X-r, at.Y+r, at.X+r, at.Y-r)
}

// margin is left free on all sides of a figure.
const margin = 3 * vg.Length(1)

// arrange puts panels beside each other on a page, or below each other in a
// column, with one legend for all.
func arrange(title, width string, panels []panel, entries []entry, note string) *Figure {
	f := &Figure{Title: title, Width: columnWidth}
	across := 1
	if width == "page" {
		f.Width, across = pageWidth, min(3, len(panels))
	}
	down := (len(panels) + across - 1) / across
	high := f.panelHeight(across)
	l := newLegend(entries, note, f.Width-2*margin)
	f.Height = vg.Length(down)*high + l.height() + 2*margin
	f.draw = func(c draw.Canvas) {
		inner := draw.Crop(c, margin, -margin, margin, -margin)
		l.draw(inner)
		drawGrid(draw.Crop(inner, 0, 0, l.height(), 0), panels, across, down)
	}
	return f
}

func (f *Figure) panelHeight(across int) vg.Length {
	switch across {
	case 1:
		if f.Width == columnWidth {
			return 5.4 * vg.Centimeter
		}
		return 7 * vg.Centimeter
	case 2:
		return 6 * vg.Centimeter
	}
	return 5.2 * vg.Centimeter
}

// drawGrid draws the panels row by row, with their data areas aligned.
func drawGrid(c draw.Canvas, panels []panel, across, down int) {
	grid := make([][]*plot.Plot, down)
	for i := range grid {
		grid[i] = make([]*plot.Plot, across)
		for j := range across {
			if k := i*across + j; k < len(panels) {
				grid[i][j] = panels[k].plot()
			}
		}
	}
	tiles := draw.Tiles{Rows: down, Cols: across, PadX: 8, PadY: 6, PadTop: 4, PadRight: 4}
	places := plot.Align(grid, tiles, c)
	for i := range grid {
		for j := range grid[i] {
			if grid[i][j] != nil {
				grid[i][j].Draw(places[i][j])
			}
		}
	}
}
