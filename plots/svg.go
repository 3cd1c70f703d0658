package plots

import (
	"bytes"
	"fmt"
	"html"
	"image"
	"image/color"
	"math"
	"strconv"
	"strings"

	"golang.org/x/image/math/fixed"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/vg"
)

// svgCanvas draws SVG in which text is outlines of glyphs, so that a figure
// looks the same wherever it is shown. The text itself stands beside its outline as a
// <title>. Equal drawings give equal bytes.
type svgCanvas struct {
	body   bytes.Buffer
	height vg.Length
	state  pen
	stack  []pen
}

// pen is what Push saves and Pop restores.
type pen struct {
	width  vg.Length
	dashes []vg.Length
	offset vg.Length
	color  color.Color
	matrix matrix
}

// matrix maps (x, y) to (a·x + c·y + e, b·x + d·y + f), y pointing up.
type matrix struct{ a, b, c, d, e, f float64 }

func (m matrix) apply(p vg.Point) (x, y float64) {
	px, py := p.X.Points(), p.Y.Points()
	return m.a*px + m.c*py + m.e, m.b*px + m.d*py + m.f
}

// then is the map that does n first and m after it.
func (m matrix) then(n matrix) matrix {
	return matrix{
		m.a*n.a + m.c*n.b, m.b*n.a + m.d*n.b,
		m.a*n.c + m.c*n.d, m.b*n.c + m.d*n.d,
		m.a*n.e + m.c*n.f + m.e, m.b*n.e + m.d*n.f + m.f,
	}
}

func newSVG(height vg.Length) *svgCanvas {
	return &svgCanvas{height: height, state: pen{width: vg.Points(1), color: color.Black, matrix: matrix{a: 1, d: 1}}}
}

// document is the whole file: a picture of the given size, in centimetres for
// the page and points for what is drawn, described by title.
func (c *svgCanvas) document(width, height vg.Length, title string) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%smm\" height=\"%smm\" viewBox=\"0 0 %s %s\" role=\"img\">\n",
		coordinate(float64(width/vg.Millimeter)), coordinate(float64(height/vg.Millimeter)), coordinate(width.Points()), coordinate(height.Points()))
	fmt.Fprintf(&b, "<title>%s</title>\n", escape(title))
	b.Write(c.body.Bytes())
	b.WriteString("</svg>\n")
	return b.Bytes()
}

// escape makes text safe inside an element, dropping what XML cannot hold.
func escape(s string) string {
	clean := strings.Map(func(r rune) rune {
		if r < 0x20 || r == 0x7f || r == 0xfffe || r == 0xffff || r >= 0xd800 && r < 0xe000 {
			return '\ufffd'
		}
		return r
	}, strings.ToValidUTF8(s, "\ufffd"))
	return html.EscapeString(clean)
}

// coordinate prints a number with at most two decimals and no needless signs.
func coordinate(v float64) string {
	v = math.Round(v*100) / 100
	if v == 0 {
		return "0"
	}
	return strconv.FormatFloat(v, 'f', -1, 64)
}

func (c *svgCanvas) point(p vg.Point) string {
	x, y := c.state.matrix.apply(p)
	return coordinate(x) + " " + coordinate(c.height.Points()-y)
}

// SetLineWidth is part of vg.Canvas.
func (c *svgCanvas) SetLineWidth(w vg.Length) { c.state.width = w }

// SetLineDash is part of vg.Canvas.
func (c *svgCanvas) SetLineDash(pattern []vg.Length, offset vg.Length) {
	c.state.dashes, c.state.offset = pattern, offset
}

// SetColor is part of vg.Canvas.
func (c *svgCanvas) SetColor(col color.Color) {
	if col == nil {
		col = color.Black
	}
	c.state.color = col
}

// Rotate is part of vg.Canvas.
func (c *svgCanvas) Rotate(rad float64) {
	sin, cos := math.Sincos(rad)
	c.state.matrix = c.state.matrix.then(matrix{a: cos, b: sin, c: -sin, d: cos})
}

// Translate is part of vg.Canvas.
func (c *svgCanvas) Translate(p vg.Point) {
	c.state.matrix = c.state.matrix.then(matrix{a: 1, d: 1, e: p.X.Points(), f: p.Y.Points()})
}

// Scale is part of vg.Canvas.
func (c *svgCanvas) Scale(x, y float64) {
	c.state.matrix = c.state.matrix.then(matrix{a: x, d: y})
}

// Push is part of vg.Canvas.
func (c *svgCanvas) Push() { c.stack = append(c.stack, c.state) }

// Pop is part of vg.Canvas.
func (c *svgCanvas) Pop() {
	c.state = c.stack[len(c.stack)-1]
	c.stack = c.stack[:len(c.stack)-1]
}

// Stroke is part of vg.Canvas.
func (c *svgCanvas) Stroke(p vg.Path) {
	if c.state.width <= 0 || len(p) == 0 {
		return
	}
	fmt.Fprintf(&c.body, `<path d="%s" fill="none" stroke="%s" stroke-width="%s"`, c.data(p), paint(c.state.color), coordinate(c.state.width.Points()))
	c.opacity("stroke-opacity")
	if len(c.state.dashes) > 0 {
		lengths := make([]string, len(c.state.dashes))
		for i, d := range c.state.dashes {
			lengths[i] = coordinate(d.Points())
		}
		fmt.Fprintf(&c.body, ` stroke-dasharray="%s"`, strings.Join(lengths, " "))
	}
	if c.state.offset != 0 {
		fmt.Fprintf(&c.body, ` stroke-dashoffset="%s"`, coordinate(c.state.offset.Points()))
	}
	c.body.WriteString("/>\n")
}

// Fill is part of vg.Canvas.
func (c *svgCanvas) Fill(p vg.Path) {
	if len(p) == 0 {
		return
	}
	fmt.Fprintf(&c.body, `<path d="%s" fill="%s"`, c.data(p), paint(c.state.color))
	c.opacity("fill-opacity")
	c.body.WriteString("/>\n")
}

func (c *svgCanvas) opacity(attribute string) {
	if _, _, _, a := c.state.color.RGBA(); a != 0xffff {
		fmt.Fprintf(&c.body, ` %s="%s"`, attribute, coordinate(float64(a)/0xffff))
	}
}

// paint is the colour without its opacity, as #rrggbb.
func paint(col color.Color) string {
	n := color.NRGBAModel.Convert(col).(color.NRGBA)
	return fmt.Sprintf("#%02x%02x%02x", n.R, n.G, n.B)
}

// data is a path in SVG's letters.
func (c *svgCanvas) data(p vg.Path) string {
	var parts []string
	for _, comp := range p {
		switch comp.Type {
		case vg.MoveComp:
			parts = append(parts, "M"+c.point(comp.Pos))
		case vg.LineComp:
			parts = append(parts, "L"+c.point(comp.Pos))
		case vg.CurveComp:
			letter := map[int]string{1: "Q", 2: "C"}[len(comp.Control)]
			for _, control := range comp.Control {
				parts = append(parts, letter+c.point(control))
				letter = ""
			}
			parts = append(parts, c.point(comp.Pos))
		case vg.ArcComp:
			parts = append(parts, c.arc(comp, len(parts) == 0)...)
		case vg.CloseComp:
			parts = append(parts, "Z")
		}
	}
	return strings.Join(parts, " ")
}

// arc is a circle's arc as short straight lines, 64 for the whole circle.
func (c *svgCanvas) arc(comp vg.PathComp, first bool) (parts []string) {
	steps := max(2, int(math.Ceil(math.Abs(comp.Angle)/(2*math.Pi)*64)))
	for i := range steps + 1 {
		sin, cos := math.Sincos(comp.Start + comp.Angle*float64(i)/float64(steps))
		letter := "L"
		if first && i == 0 {
			letter = "M"
		}
		parts = append(parts, letter+c.point(vg.Point{X: comp.Pos.X + comp.Radius*vg.Length(cos), Y: comp.Pos.Y + comp.Radius*vg.Length(sin)}))
	}
	return parts
}

// FillString is part of vg.Canvas: the outlines of the text in the font's own
// whole-number units, put in place by a transformation.
func (c *svgCanvas) FillString(f font.Face, at vg.Point, text string) {
	if f.Font.Size <= 0 || strings.TrimSpace(text) == "" {
		return
	}
	outline := outlineUnits(f, text)
	scale := f.Font.Size.Points() / float64(f.Face.UnitsPerEm())
	m := c.state.matrix
	x, y := m.apply(at)
	numbers := []float64{m.a * scale, -m.b * scale, m.c * scale, -m.d * scale}
	transform := make([]string, 4)
	for i, v := range numbers {
		transform[i] = strconv.FormatFloat(math.Round(v*1e5)/1e5+0, 'f', -1, 64)
	}
	fmt.Fprintf(&c.body, "<g fill=\"%s\"", paint(c.state.color))
	c.opacity("fill-opacity")
	fmt.Fprintf(&c.body, "><title>%s</title><path transform=\"matrix(%s %s %s)\" d=\"%s\"/></g>\n",
		escape(text), strings.Join(transform, " "), coordinate(x), coordinate(c.height.Points()-y), relative(outline))
}

// DrawImage is part of vg.Canvas. No figure has images.
func (c *svgCanvas) DrawImage(vg.Rectangle, image.Image) {
	panic("plots: a figure drew an image")
}

// relative is an outline in font units in SVG's relative letters, y up.
func relative(outline []segment) string {
	var b strings.Builder
	var at fixed.Point26_6
	var start fixed.Point26_6
	for _, s := range outline {
		switch s.letter {
		case 'Z':
			b.WriteByte('z')
			at = start
			continue
		case 'M':
			start = s.points[0]
		}
		b.WriteByte(s.letter + 'a' - 'A')
		for i, p := range s.points {
			dx, dy := int(p.X-at.X), int(p.Y-at.Y)
			if i > 0 {
				b.WriteByte(' ')
			}
			b.WriteString(strconv.Itoa(dx) + " " + strconv.Itoa(dy))
		}
		at = s.points[len(s.points)-1]
	}
	return b.String()
}
