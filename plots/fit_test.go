package plots

import (
	"math"
	"strings"
	"testing"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"plumb/results"
)

func TestFitted(t *testing.T) {
	rounds := axis{low: 0.1, high: 1.03, options: [][]plot.Tick{linearTicks(0.1, 1, 6), linearTicks(0.1, 1, 4), linearTicks(0.1, 1, 2)}}
	own := axis{low: 0, high: 4, ticks: []plot.Tick{{Value: 4, Label: "10000000"}, {Value: 0, Label: "10000"}, {Value: 2, Label: "100000"}, {Value: 3, Label: "1000000"}}}
	words := axis{low: -0.5, high: 1.5, words: true, ticks: []plot.Tick{{Value: 0, Label: "reverse x2"}, {Value: 1, Label: "immediate x2, healed and quantized"}}}
	tests := []struct {
		name  string
		axis  axis
		width vg.Length
		want  string
	}{
		{"wide", rounds, 120, "0.2 0.4 0.6 0.8 1.0"},
		{"narrow", rounds, 50, "0.5 1.0"},
		{"narrower than any", rounds, 10, "0.5"},
		{"own ticks, all", own, 300, "10000000 10000 100000 1000000"},
		{"own ticks, every other", own, 130, "10000000 100000"},
		{"words in a line", words, 400, "reverse x2 | immediate x2, healed and quantized"},
		{"words in two", words, 150, "reverse x2/  | immediate x2,/healed and quant…"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var labels []string
			for _, tick := range test.axis.fitted(test.width).ticks {
				labels = append(labels, strings.ReplaceAll(tick.Label, "\n", "/"))
			}
			separator := " "
			if test.axis.words {
				separator = " | "
			}
			if got := strings.Join(labels, separator); got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}

func TestAbreast(t *testing.T) {
	for i, want := range []int{1, 2, 3, 2, 3, 3, 3} {
		if got := abreast(i + 1); got != want {
			t.Errorf("%d of %d panels in a row, want %d", got, i+1, want)
		}
	}
}

// An error bar of shares is cut, its mean is not, and other units are left alone.
func TestErrorBarsOfShares(t *testing.T) {
	wide := results.Interval{Mean: 0.6, Low: -0.2, High: 1.4, N: 3}
	cut := newErrorBar(wide, true)
	if want := (errorBar{0, 1, true, true}); cut != want {
		t.Errorf("cut to %+v, want %+v", cut, want)
	}
	if got, want := newErrorBar(wide, false), (errorBar{-0.2, 1.4, false, false}); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
	lines := func(b errorBar) int {
		c := newSVG(100)
		b.draw(draw.NewCanvas(c, 100, 100), draw.LineStyle{Width: 1}, 2, func(v float64, aside vg.Length) vg.Point {
			return vg.Point{X: aside, Y: vg.Length(v)}
		})
		return strings.Count(c.body.String(), "<path")
	}
	for _, test := range []struct {
		bar  errorBar
		want int
	}{{cut, 1}, {errorBar{0.2, 1, false, true}, 2}, {errorBar{0.2, 0.8, false, false}, 3}, {errorBar{1, 1, false, false}, 0}} {
		if got := lines(test.bar); got != test.want {
			t.Errorf("%+v has %d lines, want %d", test.bar, got, test.want)
		}
	}
}

func TestMeasure(t *testing.T) {
	chance := 0.25
	chart := func(metric, unit string, chance *float64, values ...float64) *lineChart {
		c := &lineChart{metric: metric, unit: unit, chance: chance, series: []series{{}}}
		for _, v := range values {
			cell := results.Cell{Interval: results.Interval{Mean: v, Low: v - 0.5, High: v + 0.5, N: 3}}
			c.series[0].points = append(c.series[0].points, point{cell: cell, number: v})
		}
		return c
	}
	charts := []*lineChart{
		chart("a/acc", "share", &chance, 0.9),
		chart("b/acc", "share", &chance, 0.3),
		chart("c/acc", "share", nil, 0.7),
		chart("d/odd", "share", nil, 1.2),
		chart("e/loss", "nats", nil, 2),
		chart("f/any", "", nil, 2),
		chart("g/any", "", nil, 8),
	}
	if err := measure(charts); err != nil {
		t.Fatal(err)
	}
	for i, want := range []span{{0, 1}, {0, 1}, {0.2, 1}, {0.7, 1.7}, {1.5, 2.5}, {1.5, 2.5}, {7.5, 8.5}} {
		got := charts[i].extent
		if math.Abs(got.low-want.low) > 1e-9 || math.Abs(got.high-want.high) > 1e-9 {
			t.Errorf("%s covers %v, want %v", charts[i].metric, got, want)
		}
	}
	if wide := charts[0].padded(0.07); wide.low < -beyond || wide.high > 1+beyond {
		t.Errorf("the axis of a share is %v", wide)
	}
}
