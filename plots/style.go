package plots

import (
	"image/color"
	"math"
	"sync"

	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/font/liberation"
	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// The widths of a figure: one column and a whole page of a two-column paper.
const (
	columnWidth = 8.5 * vg.Centimeter
	pageWidth   = 17.5 * vg.Centimeter
)

// Sizes of text and lines on paper.
const (
	textSize   = 8 * font.Length(1) // points
	smallSize  = 7 * font.Length(1)
	lineWidth  = 1.1 * vg.Length(1)
	thinWidth  = 0.5 * vg.Length(1)
	markRadius = 2.3 * vg.Length(1)
	capWidth   = 1.8 * vg.Length(1) // half the width of an error bar's cap
)

// Colours of Okabe and Ito, told apart by nearly everyone; the yellow, faint on
// white, comes last.
var palette = []color.NRGBA{
	{0x00, 0x72, 0xb2, 0xff}, // blue
	{0xd5, 0x5e, 0x00, 0xff}, // vermillion
	{0x00, 0x9e, 0x73, 0xff}, // bluish green
	{0xe6, 0x9f, 0x00, 0xff}, // orange
	{0xcc, 0x79, 0xa7, 0xff}, // reddish purple
	{0x56, 0xb4, 0xe9, 0xff}, // sky blue
	{0x00, 0x00, 0x00, 0xff}, // black
	{0xf0, 0xe4, 0x42, 0xff}, // yellow
}

var (
	gray  = color.NRGBA{0x77, 0x77, 0x77, 0xff}
	light = color.NRGBA{0xe3, 0xe3, 0xe3, 0xff}
	ink   = color.NRGBA{0x22, 0x22, 0x22, 0xff}
)

// Dashes, so that lines differ without colour; in points.
var dashes = [][]vg.Length{nil, {4, 2}, {1.2, 1.6}, {6, 2, 1.2, 2}, {3, 1.5, 3, 4}, {8, 3}}

// A look is how one series is drawn.
type look struct {
	color  color.NRGBA
	dashes []vg.Length
	mark   mark
	hollow bool
}

// looks gives series i its own colour, shape and dash; they repeat after 8, 6
// and 6 series, so that no two of the first 24 look the same.
func lookOf(i int) look {
	return look{color: palette[i%len(palette)], dashes: dashes[i%len(dashes)], mark: marks[i%len(marks)], hollow: i/len(marks)%2 == 1}
}

// A mark is an outline around the origin, for radius 1, as corners of a
// polygon; nil is a circle.
type mark [][2]float64

var marks = []mark{
	nil,
	{{-0.9, -0.9}, {0.9, -0.9}, {0.9, 0.9}, {-0.9, 0.9}},
	{{-1.1, -0.8}, {1.1, -0.8}, {0, 1.2}},
	{{0, -1.3}, {1.2, 0}, {0, 1.3}, {-1.2, 0}},
	{{-1.1, 0.8}, {0, -1.2}, {1.1, 0.8}},
	{{-0.4, -1.2}, {0.4, -1.2}, {0.4, -0.4}, {1.2, -0.4}, {1.2, 0.4}, {0.4, 0.4}, {0.4, 1.2}, {-0.4, 1.2}, {-0.4, 0.4}, {-1.2, 0.4}, {-1.2, -0.4}, {-0.4, -0.4}},
}

// path is the mark around at, of radius r.
func (m mark) path(at vg.Point, r vg.Length) (p vg.Path) {
	if m == nil {
		return circle(at, r)
	}
	for i, corner := range m {
		point := vg.Point{X: at.X + vg.Length(corner[0])*r, Y: at.Y + vg.Length(corner[1])*r}
		if i == 0 {
			p.Move(point)
		} else {
			p.Line(point)
		}
	}
	p.Close()
	return p
}

// circle is four cubic curves; 0.5523 puts their middle on the circle.
func circle(at vg.Point, r vg.Length) (p vg.Path) {
	k := 0.5523 * r
	point := func(x, y vg.Length) vg.Point { return vg.Point{X: at.X + x, Y: at.Y + y} }
	p.Move(point(r, 0))
	p.CubeTo(point(r, k), point(k, r), point(0, r))
	p.CubeTo(point(-k, r), point(-r, k), point(-r, 0))
	p.CubeTo(point(-r, -k), point(-k, -r), point(0, -r))
	p.CubeTo(point(k, -r), point(r, -k), point(r, 0))
	p.Close()
	return p
}

// draw puts the look's mark at a point, with a white rim that lifts it off lines.
func (l look) draw(c vg.Canvas, at vg.Point, r vg.Length) {
	path := l.mark.path(at, r)
	c.SetLineDash(nil, 0)
	c.SetColor(color.White)
	c.Fill(l.mark.path(at, r+0.7))
	c.SetColor(l.color)
	if l.hollow {
		c.SetLineWidth(0.9)
		c.Stroke(path)
		return
	}
	c.Fill(path)
}

// fonts holds Liberation Sans, whose glyphs the program carries.
var fonts = sync.OnceValue(func() text.Plain { return text.Plain{Fonts: font.NewCache(liberation.Collection())} })

// textStyle is upright text of a size and colour.
func textStyle(size font.Length, col color.Color) text.Style {
	return text.Style{
		Color:   col,
		Font:    font.Font{Typeface: "Liberation", Variant: "Sans", Size: size},
		XAlign:  draw.XLeft,
		YAlign:  draw.YBottom,
		Handler: fonts(),
	}
}

// faded mixes a colour with white; SVG and PNG then need no transparency.
func faded(col color.NRGBA, share float64) color.NRGBA {
	mix := func(v uint8) uint8 { return uint8(math.Round(255 - (255-float64(v))*share)) }
	return color.NRGBA{mix(col.R), mix(col.G), mix(col.B), 0xff}
}
