package plots

import (
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"plumb/results"
)

// An errorBar is an interval as it is drawn. An open end was cut, where the
// value could go no further, and has no cap.
type errorBar struct {
	low, high         float64
	openLow, openHigh bool
}

// newErrorBar cuts the interval of shares at 0 and 1: Student's t does not know
// that there is nothing beyond.
func newErrorBar(i results.Interval, shares bool) errorBar {
	b := errorBar{low: i.Low, high: i.High}
	if shares {
		b.openLow, b.openHigh = b.low < 0, b.high > 1
		b.low, b.high = max(b.low, 0), min(b.high, 1)
	}
	return b
}

// draw draws the bar; on gives the place of a value, so far to the side of the
// bar. Nothing is drawn where there is no interval.
func (b errorBar) draw(c draw.Canvas, style draw.LineStyle, cap vg.Length, on func(value float64, aside vg.Length) vg.Point) {
	if b.high <= b.low {
		return
	}
	stroke := func(from, to vg.Point) { c.StrokeLine2(style, from.X, from.Y, to.X, to.Y) }
	stroke(on(b.low, 0), on(b.high, 0))
	if !b.openLow {
		stroke(on(b.low, -cap), on(b.low, cap))
	}
	if !b.openHigh {
		stroke(on(b.high, -cap), on(b.high, cap))
	}
}
