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
	least    vg.Length // the least height of the data area
}

// An axis has its range in the coordinates that are drawn (logarithms on a
// logarithmic axis) and its ticks in the same.
type axis struct {
	label     string
	low, high float64
	ticks     []plot.Tick
	options   [][]plot.Tick // to choose the ticks from: the first that fit
	words     bool          // labels are names, which may be broken but not left out
	once      bool          // said only by the leftmost of panels beside each other
	grid      bool          // thin lines across the panel at the ticks
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
