package plots

import (
	"gonum.org/v1/plot"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// margin is left free on all sides of a figure.
const margin = 3 * vg.Length(1)

// axisRoom is about what ticks and title of the lower axis take of a panel.
const axisRoom = 34 * vg.Length(1)

// figureWidth is the width on paper that a view asks for.
func figureWidth(width string) vg.Length {
	if width == "page" {
		return pageWidth
	}
	return columnWidth
}

// arrange puts panels beside each other on a page, or below each other in a
// column, with one legend for all.
func arrange(title, width string, panels []panel, entries []entry, note string) *Figure {
	f := &Figure{Title: title, Width: figureWidth(width)}
	across := 1
	if width == "page" {
		across = abreast(len(panels))
	}
	down := (len(panels) + across - 1) / across
	high := f.panelHeight(across, down)
	for i, p := range panels {
		high = max(high, p.least+axisRoom)
		if i%across > 0 {
			panels[i].y = p.y.beside()
		}
	}
	l := newLegend(entries, note, f.Width-2*margin)
	f.Height = vg.Length(down)*high + l.height() + 2*margin
	f.draw = func(c draw.Canvas) {
		inner := draw.Crop(c, margin, -margin, margin, -margin)
		l.draw(inner)
		drawGrid(draw.Crop(inner, 0, 0, l.height(), 0), panels, across, down)
	}
	return f
}

// abreast is how many of n panels stand in a row of a page: up to three, and
// two of four, which would leave one alone.
func abreast(n int) int {
	if n == 4 {
		return 2
	}
	return min(3, n)
}

func (f *Figure) panelHeight(across, down int) vg.Length {
	switch {
	case f.Width == columnWidth:
		return 5.4 * vg.Centimeter
	case across == 1:
		return 7 * vg.Centimeter
	case across == 2 && down == 1:
		return 6 * vg.Centimeter
	}
	return 5.2 * vg.Centimeter
}

// Distances between panels, and what is left free above and beside them.
const (
	besideGap = 8 * vg.Length(1)
	belowGap  = 6 * vg.Length(1)
	outside   = 4 * vg.Length(1)
)

// edges is what a panel takes on the sides of its data area for what its axes say.
type edges struct{ left, right, bottom, top vg.Length }

// drawGrid draws the panels row by row, with data areas of the same size in
// line with each other. How much room the axes leave, and what they can say in
// it, depend on each other; a few rounds settle both.
func drawGrid(c draw.Canvas, panels []panel, across, down int) {
	c = draw.Crop(c, 0, -outside, 0, -outside)
	sides := make([]edges, len(panels))
	places := make([]draw.Canvas, len(panels))
	plots := make([]*plot.Plot, len(panels))
	for range 6 {
		for i, area := range dataAreas(c.Rectangle, sides, across, down) {
			size := area.Size()
			p := panels[i]
			p.x, p.y = p.x.fitted(size.X), p.y.titled(size.Y)
			plots[i] = p.plot()
			places[i] = draw.Canvas{Canvas: c.Canvas, Rectangle: sides[i].around(area)}
			sides[i] = edgesOf(places[i].Rectangle, plots[i].DataCanvas(places[i]).Rectangle)
		}
	}
	for i, p := range plots {
		p.Draw(places[i])
	}
}

// dataAreas divides what the sides leave of a rectangle into equal areas, row by row.
func dataAreas(all vg.Rectangle, sides []edges, across, down int) []vg.Rectangle {
	columns, rows := make([]edges, across), make([]edges, down)
	for i, s := range sides {
		columns[i%across].grow(s)
		rows[i/across].grow(s)
	}
	size := all.Size()
	size.X -= besideGap * vg.Length(across-1)
	for _, s := range columns {
		size.X -= s.left + s.right
	}
	size.Y -= belowGap * vg.Length(down-1)
	for _, s := range rows {
		size.Y -= s.bottom + s.top
	}
	size.X, size.Y = max(size.X/vg.Length(across), 1), max(size.Y/vg.Length(down), 1)
	areas := make([]vg.Rectangle, len(sides))
	corner := vg.Point{X: all.Min.X, Y: all.Max.Y}
	for i := range areas {
		s := edges{left: columns[i%across].left, right: columns[i%across].right, bottom: rows[i/across].bottom, top: rows[i/across].top}
		low := vg.Point{X: corner.X + s.left, Y: corner.Y - s.top - size.Y}
		areas[i] = vg.Rectangle{Min: low, Max: low.Add(size)}
		corner.X += s.left + size.X + s.right + besideGap
		if i%across == across-1 {
			corner.X, corner.Y = all.Min.X, low.Y-s.bottom-belowGap
		}
	}
	return areas
}

func (e *edges) grow(by edges) {
	e.left, e.right, e.bottom, e.top = max(e.left, by.left), max(e.right, by.right), max(e.bottom, by.bottom), max(e.top, by.top)
}

// around is the place of a panel whose data area is known.
func (e edges) around(area vg.Rectangle) vg.Rectangle {
	return vg.Rectangle{Min: vg.Point{X: area.Min.X - e.left, Y: area.Min.Y - e.bottom}, Max: vg.Point{X: area.Max.X + e.right, Y: area.Max.Y + e.top}}
}

func edgesOf(place, area vg.Rectangle) edges {
	return edges{area.Min.X - place.Min.X, place.Max.X - area.Max.X, area.Min.Y - place.Min.Y, place.Max.Y - area.Max.Y}
}
