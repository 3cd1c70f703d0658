package plots

import (
	"cmp"
	"math"
	"slices"
	"strings"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/vg"
)

// labelGap is the least distance between neighbouring labels of a lower axis.
const labelGap = 5 * vg.Length(1)

// fitted is a lower axis of the given length on paper: with the first of its
// ticks whose labels stand apart, names and title broken into two lines where
// they need it.
func (a axis) fitted(length vg.Length) axis {
	a = a.titled(length)
	options := a.options
	if len(options) == 0 {
		options = [][]plot.Tick{a.ticks}
	}
	for _, ticks := range options {
		if a.ticks = ticks; a.apart(ticks, length) {
			return a
		}
	}
	if a.words {
		a.ticks = brokenLabels(a.ticks, a.nearest(a.ticks, length)-labelGap)
		return a
	}
	all := a.ticks
	for every := 2; every <= len(all) && !a.apart(a.ticks, length); every++ {
		a.ticks = nil
		for i := 0; i < len(all); i += every {
			a.ticks = append(a.ticks, all[i])
		}
	}
	return a
}

// titled has the title in two lines where it is longer than the axis.
func (a axis) titled(length vg.Length) axis {
	a.label = wrapped(a.label, length, textSize)
	return a
}

// beside is the axis of a panel that has another on its left, which speaks for both.
func (a axis) beside() axis {
	if !a.once {
		return a
	}
	a.label, a.ticks = "", slices.Clone(a.ticks)
	for i := range a.ticks {
		a.ticks[i].Label = ""
	}
	return a
}

// apart says whether no label touches the next.
func (a axis) apart(ticks []plot.Tick, length vg.Length) bool {
	style := textStyle(textSize, ink)
	end := vg.Length(math.Inf(-1))
	for _, tick := range inOrder(ticks) {
		middle, half := a.place(tick, length), style.Width(tick.Label)/2
		if middle-half < end+labelGap {
			return false
		}
		end = middle + half
	}
	return true
}

// nearest is the smallest distance between two ticks, at most the length.
func (a axis) nearest(ticks []plot.Tick, length vg.Length) vg.Length {
	least := length
	ordered := inOrder(ticks)
	for i := 1; i < len(ordered); i++ {
		least = min(least, a.place(ordered[i], length)-a.place(ordered[i-1], length))
	}
	return least
}

func (a axis) place(tick plot.Tick, length vg.Length) vg.Length {
	return length * vg.Length((tick.Value-a.low)/(a.high-a.low))
}

func inOrder(ticks []plot.Tick) []plot.Tick {
	return slices.SortedFunc(slices.Values(ticks), func(s, t plot.Tick) int { return cmp.Compare(s.Value, t.Value) })
}

// brokenLabels has every label in at most two lines of the given width. Where
// one needs two, all get two, since they would not begin at the same height.
func brokenLabels(ticks []plot.Tick, width vg.Length) []plot.Tick {
	ticks = slices.Clone(ticks)
	two := false
	for i := range ticks {
		ticks[i].Label = wrapped(ticks[i].Label, width, textSize)
		two = two || strings.Contains(ticks[i].Label, "\n")
	}
	for i := range ticks {
		if two && !strings.Contains(ticks[i].Label, "\n") {
			ticks[i].Label += "\n "
		}
	}
	return ticks
}

// wrapped breaks text that is wider than width into two lines. What does not
// fit into them ends with an ellipsis.
func wrapped(s string, width vg.Length, size font.Length) string {
	if textStyle(size, ink).Width(s) <= width {
		return s
	}
	lines := broken(s, width, size)
	if len(lines) > 2 {
		lines = []string{lines[0], strings.Join(lines[1:], " ")}
	}
	for i, line := range lines {
		lines[i] = shortened(line, width, size)
	}
	return strings.Join(lines, "\n")
}
