package plots

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"testing"

	"gonum.org/v1/plot/vg"
)

// crowd is a labelling of n marks, most of them in a heap.
func crowd(n int, seed uint64) *labelling {
	random := rand.New(rand.NewPCG(seed, 1))
	l := &labelling{area: vg.Rectangle{Max: vg.Point{X: 440, Y: 260}}}
	for i := range n {
		at := vg.Point{X: 40 + vg.Length(random.Float64())*360, Y: 30 + vg.Length(random.Float64())*200}
		if i%4 != 0 {
			at = vg.Point{X: 330 + vg.Length(random.NormFloat64())*8, Y: 60 + vg.Length(random.NormFloat64())*5}
		}
		name := fmt.Sprintf("recipe %d, distilled", i)[:8+random.IntN(10)]
		l.labels = append(l.labels, label{text: name, style: textStyle(smallSize, ink), mark: at})
		l.bars = append(l.bars, [2]vg.Point{{X: at.X, Y: at.Y - 12}, {X: at.X, Y: at.Y + 12}})
	}
	return l
}

// However crowded the marks, no label covers another or a mark or leaves the
// figure, and the same marks give the same places.
func TestLabels(t *testing.T) {
	for seed := range uint64(4) {
		l, again := crowd(24, seed), crowd(24, seed)
		l.place()
		again.place()
		for i, a := range l.labels {
			if !reflect.DeepEqual(a.box, again.labels[i].box) {
				t.Errorf("crowd %d: %q has two places", seed, a.text)
			}
			if outsideOf(l.area, a.box) > 0 {
				t.Errorf("crowd %d: %q is outside", seed, a.text)
			}
			for j, b := range l.labels {
				if j < i && overlap(a.box, b.box) > 0 {
					t.Errorf("crowd %d: %q covers %q", seed, a.text, b.text)
				}
				if overlap(a.box, grown(vg.Rectangle{Min: b.mark, Max: b.mark}, markRadius)) > 0 {
					t.Errorf("crowd %d: %q covers the mark of %q", seed, a.text, b.text)
				}
			}
			if gap := distance(a.mark, a.box); a.far != (gap > leaderFrom) {
				t.Errorf("crowd %d: %q is %v from its mark, led to: %v", seed, a.text, gap, a.far)
			}
		}
	}
}

// A mark by itself has its label beside it.
func TestLabelOfOne(t *testing.T) {
	l := crowd(1, 1)
	l.bars = nil
	l.place()
	if one := l.labels[0]; one.far || distance(one.mark, one.box) > nearLabel+1e-9 {
		t.Errorf("%v from its mark", distance(one.mark, one.box))
	}
}

func TestLines(t *testing.T) {
	box := vg.Rectangle{Min: vg.Point{X: 0, Y: 0}, Max: vg.Point{X: 10, Y: 4}}
	tests := []struct {
		line [2]vg.Point
		want bool
	}{
		{[2]vg.Point{{X: -5, Y: 2}, {X: 15, Y: 2}}, true},
		{[2]vg.Point{{X: -5, Y: 5}, {X: 15, Y: 5}}, false},
		{[2]vg.Point{{X: 5, Y: -5}, {X: 5, Y: -1}}, false},
		{[2]vg.Point{{X: 5, Y: 1}, {X: 6, Y: 2}}, true},
		{[2]vg.Point{{X: -4, Y: 3}, {X: 3, Y: 10}}, false},
		{[2]vg.Point{{X: -1, Y: 3}, {X: 3, Y: 5}}, true},
	}
	for _, test := range tests {
		if got := crosses(test.line, box); got != test.want {
			t.Errorf("%v crosses: %v", test.line, got)
		}
	}
	if !meet([2]vg.Point{{X: 0, Y: 0}, {X: 4, Y: 4}}, [2]vg.Point{{X: 0, Y: 4}, {X: 4, Y: 0}}) || meet([2]vg.Point{{X: 0, Y: 0}, {X: 1, Y: 1}}, [2]vg.Point{{X: 0, Y: 4}, {X: 4, Y: 0}}) {
		t.Error("lines that meet, or do not")
	}
}
