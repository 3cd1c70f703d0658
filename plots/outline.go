package plots

import (
	"golang.org/x/image/font/sfnt"
	"golang.org/x/image/math/fixed"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/vg"
)

// segment is a part of a glyph's outline: M, L, Q, C with its points, or Z.
// Points are in font units, y up as SVG's scale turns it.
type segment struct {
	letter byte
	points []fixed.Point26_6
}

// outlineUnits returns the outline of a line of text, beginning at the origin,
// in font units with y pointing up. Runes that the font lacks show its box.
func outlineUnits(f font.Face, text string) (outline []segment) {
	var buffer sfnt.Buffer
	units := fixed.Int26_6(f.Face.UnitsPerEm())
	var x fixed.Int26_6
	previous, any := sfnt.GlyphIndex(0), false
	for _, r := range text {
		glyph, err := f.Face.GlyphIndex(&buffer, r)
		if err != nil {
			continue
		}
		if any {
			if kern, err := f.Face.Kern(&buffer, previous, glyph, units, 0); err == nil {
				x += kern
			}
		}
		advance, err := f.Face.GlyphAdvance(&buffer, glyph, units, 0)
		if err != nil {
			advance = 0
		}
		if r == '_' {
			outline = append(outline, underscore(x, advance, units)...)
		} else if segments, err := f.Face.LoadGlyph(&buffer, glyph, units, nil); err == nil {
			outline = append(outline, placed(segments, x)...)
		}
		x += advance
		previous, any = glyph, true
	}
	return outline
}

// underscore is a bar on the line of the letters and apart from them. That of
// the font hangs below and reaches under its neighbours, like an underlining.
func underscore(x, advance, units fixed.Int26_6) []segment {
	side, thick := advance/10, units/14
	corner := func(x, y fixed.Int26_6) segment {
		return segment{letter: 'L', points: []fixed.Point26_6{{X: x, Y: y}}}
	}
	outline := []segment{corner(x+side, -thick), corner(x+advance-side, -thick), corner(x+advance-side, 0), corner(x+side, 0), {letter: 'Z'}}
	outline[0].letter = 'M'
	return outline
}

// placed moves a glyph to x, turns y up and closes its contours.
func placed(segments sfnt.Segments, x fixed.Int26_6) (outline []segment) {
	for i, s := range segments {
		letter, n := byte('M'), 1
		switch s.Op {
		case sfnt.SegmentOpLineTo:
			letter = 'L'
		case sfnt.SegmentOpQuadTo:
			letter, n = 'Q', 2
		case sfnt.SegmentOpCubeTo:
			letter, n = 'C', 3
		default:
			if i > 0 {
				outline = append(outline, segment{letter: 'Z'})
			}
		}
		points := make([]fixed.Point26_6, n)
		for j := range points {
			points[j] = fixed.Point26_6{X: s.Args[j].X + x, Y: -s.Args[j].Y}
		}
		outline = append(outline, segment{letter, points})
	}
	if len(segments) > 0 {
		outline = append(outline, segment{letter: 'Z'})
	}
	return outline
}

// outlined is a canvas that fills the outlines of text instead of asking for a font, so
// that pixels and vectors show the same shapes.
type outlined struct{ vg.CanvasSizer }

// FillString is part of vg.Canvas.
func (c outlined) FillString(f font.Face, at vg.Point, text string) {
	if f.Font.Size <= 0 {
		return
	}
	scale := f.Font.Size / vg.Length(f.Face.UnitsPerEm())
	point := func(p fixed.Point26_6) vg.Point {
		return vg.Point{X: at.X + vg.Length(p.X)*scale, Y: at.Y + vg.Length(p.Y)*scale}
	}
	var path vg.Path
	for _, s := range outlineUnits(f, text) {
		switch s.letter {
		case 'M':
			path.Move(point(s.points[0]))
		case 'L':
			path.Line(point(s.points[0]))
		case 'Q':
			path.QuadTo(point(s.points[0]), point(s.points[1]))
		case 'C':
			path.CubeTo(point(s.points[0]), point(s.points[1]), point(s.points[2]))
		case 'Z':
			path.Close()
		}
	}
	if len(path) > 0 {
		c.Fill(path)
	}
}
