package plots

import (
	"cmp"
	"math"
	"slices"

	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// A label is the name of a mark, and the box that it is set in.
type label struct {
	text  string
	style text.Style
	mark  vg.Point
	box   vg.Rectangle
	far   bool // from its mark: a thin line leads to it
}

// A labelling places labels so that they neither cover each other nor marks,
// and cover lines as little as can be. What it decides depends on nothing but
// the order and the places of what it is given.
type labelling struct {
	area   vg.Rectangle // which labels stay in
	labels []label
	bars   [][2]vg.Point // error bars
	line   [][2]vg.Point // the front
}

// Distances of labels, in points.
const (
	markRoom    = markRadius + 1 // around a mark
	nearLabel   = 5 * vg.Length(1)
	leaderFrom  = 8 * vg.Length(1) // further away a line leads to the label
	labelMargin = 0.8 * vg.Length(1)
)

// labelRings are the distances from its mark that a label is tried at, and
// labelRays the number of directions.
var labelRings = []vg.Length{nearLabel, 8, 12, 17, 23, 30, 39, 50, 64, 82, 105, 135}

const labelRays = 24

// labelPasses is how often all labels are placed anew at most, each among the others.
const labelPasses = 30

// place gives every label its box: those in a crowd first, then all again until
// none finds a better place.
func (l *labelling) place() {
	order := make([]int, len(l.labels))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(l.crowd(b), l.crowd(a)) })
	placed := make([]bool, len(l.labels))
	for range labelPasses {
		moved := false
		for _, i := range order {
			placed[i] = true
			moved = l.settle(i, placed) || moved
		}
		if !moved {
			return
		}
	}
}

// crowd counts the marks near that of label i.
func (l *labelling) crowd(i int) (n int) {
	const near = 60
	for _, other := range l.labels {
		if length(other.mark.Sub(l.labels[i].mark)) < near {
			n++
		}
	}
	return n
}

// settle finds the best box of label i among those placed, and says whether it
// is another than before.
func (l *labelling) settle(i int, placed []bool) bool {
	of := &l.labels[i]
	before := *of
	best, width, height := math.Inf(1), of.style.Width(of.text), of.style.Height(of.text)
	if before.box != (vg.Rectangle{}) {
		best = l.cost(i, before, placed)
	}
	for _, ring := range labelRings {
		for ray := range labelRays {
			angle := 2 * math.Pi * float64(ray) / labelRays
			center := vg.Point{
				X: of.mark.X + rounded(math.Cos(angle))*(ring+width/2),
				Y: of.mark.Y + rounded(math.Sin(angle))*(ring+height/2),
			}
			try := *of
			try.box = vg.Rectangle{Min: vg.Point{X: center.X - width/2, Y: center.Y - height/2}, Max: vg.Point{X: center.X + width/2, Y: center.Y + height/2}}
			try.far = distance(of.mark, try.box) > leaderFrom
			if cost := l.cost(i, try, placed); cost < best-1e-9 {
				best, *of = cost, try
			}
		}
	}
	return *of != before
}

// rounded drops the digits in which processors may differ.
func rounded(v float64) vg.Length { return vg.Length(math.Round(v*1e6) / 1e6) }

// Costs of a label's place, in points of distance from its mark.
const (
	costOutside  = 1e6  // for each point
	costCovering = 1000 // another label or a mark, for each square point
	costLeader   = 300  // that crosses a label, a mark or another one
	costBar      = 12   // covered
	costLine     = 60   // struck through
)

// cost says how bad a place of label i is.
func (l *labelling) cost(i int, try label, placed []bool) float64 {
	gap := float64(distance(try.mark, try.box))
	cost := gap + costOutside*float64(outsideOf(l.area, try.box))
	wide := grown(try.box, labelMargin)
	var leader [2]vg.Point
	if try.far {
		leader = [2]vg.Point{try.mark, nearest(try.mark, try.box)}
		cost += 2 * gap // short lines are few lines
	}
	for j, other := range l.labels {
		around := grown(vg.Rectangle{Min: other.mark, Max: other.mark}, markRoom)
		cost += costCovering * overlap(wide, around)
		if j == i {
			continue
		}
		if try.far && crosses(leader, around) {
			cost += costLeader
		}
		if !placed[j] || other.box == (vg.Rectangle{}) {
			continue
		}
		cost += costCovering * overlap(wide, other.box)
		if try.far && crosses(leader, other.box) {
			cost += costLeader
		}
		if other.far {
			theirs := [2]vg.Point{other.mark, nearest(other.mark, other.box)}
			if crosses(theirs, wide) || try.far && meet(leader, theirs) {
				cost += costLeader
			}
		}
	}
	for _, bar := range l.bars {
		if crosses(bar, try.box) {
			cost += costBar
		}
	}
	for _, line := range l.line {
		if crosses(line, try.box) {
			cost += costLine
		}
	}
	return cost
}

// draw sets the labels, and leads lines to those that are far.
func (l *labelling) draw(c draw.Canvas) {
	for _, one := range l.labels {
		if one.far {
			to := nearest(one.mark, one.box)
			way := to.Sub(one.mark)
			from := one.mark.Add(way.Scale(markRoom / length(way)))
			c.StrokeLine2(draw.LineStyle{Color: gray, Width: thinWidth * 0.8}, from.X, from.Y, to.X, to.Y)
		}
	}
	for _, one := range l.labels {
		c.FillText(one.style, one.box.Min, one.text)
	}
}

func grown(r vg.Rectangle, by vg.Length) vg.Rectangle {
	return vg.Rectangle{Min: vg.Point{X: r.Min.X - by, Y: r.Min.Y - by}, Max: vg.Point{X: r.Max.X + by, Y: r.Max.Y + by}}
}

// overlap is the area that two boxes share.
func overlap(a, b vg.Rectangle) float64 {
	w, h := min(a.Max.X, b.Max.X)-max(a.Min.X, b.Min.X), min(a.Max.Y, b.Max.Y)-max(a.Min.Y, b.Min.Y)
	return float64(max(w, 0)) * float64(max(h, 0))
}

// outsideOf is how far b reaches beyond area, all sides together.
func outsideOf(area, b vg.Rectangle) vg.Length {
	return max(0, area.Min.X-b.Min.X) + max(0, b.Max.X-area.Max.X) + max(0, area.Min.Y-b.Min.Y) + max(0, b.Max.Y-area.Max.Y)
}

// nearest is the point of a box next to p.
func nearest(p vg.Point, b vg.Rectangle) vg.Point {
	return vg.Point{X: min(max(p.X, b.Min.X), b.Max.X), Y: min(max(p.Y, b.Min.Y), b.Max.Y)}
}

func distance(p vg.Point, b vg.Rectangle) vg.Length {
	return length(nearest(p, b).Sub(p))
}

// length is that of a vector; no processor rounds it in its own way.
func length(v vg.Point) vg.Length {
	return vg.Length(math.Sqrt(float64(v.X*v.X) + float64(v.Y*v.Y)))
}

// crosses says whether a line touches a box, by cutting off what lies outside
// of each side (Liang and Barsky 1984).
func crosses(line [2]vg.Point, b vg.Rectangle) bool {
	from, d := line[0], line[1].Sub(line[0])
	first, last := 0.0, 1.0
	for _, side := range [4][2]vg.Length{{-d.X, from.X - b.Min.X}, {d.X, b.Max.X - from.X}, {-d.Y, from.Y - b.Min.Y}, {d.Y, b.Max.Y - from.Y}} {
		p, q := float64(side[0]), float64(side[1])
		switch {
		case p == 0 && q < 0:
			return false
		case p < 0:
			first = max(first, q/p)
		case p > 0:
			last = min(last, q/p)
		}
	}
	return first <= last
}

// meet says whether two lines cross.
func meet(a, b [2]vg.Point) bool {
	side := func(l [2]vg.Point, p vg.Point) float64 {
		d, e := l[1].Sub(l[0]), p.Sub(l[0])
		return float64(d.X)*float64(e.Y) - float64(d.Y)*float64(e.X)
	}
	return side(a, b[0])*side(a, b[1]) < 0 && side(b, a[0])*side(b, a[1]) < 0
}
