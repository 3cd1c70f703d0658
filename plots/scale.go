package plots

import (
	"fmt"
	"math"
	"slices"
	"strconv"

	"gonum.org/v1/plot"
)

// A scale places the values of a key along an axis: by size, by logarithm, or
// one after another.
type scale struct {
	kind   string // "linear", "log", "category"
	values []string
	at     []float64 // [value] in the axis's coordinates
}

// newScale chooses the kind where the view leaves it open: a logarithm for
// positive numbers that span a factor of four or more, linear for other
// numbers, and categories for anything else.
func newScale(kind string, values []string) (scale, error) {
	s := scale{kind: kind, values: values, at: make([]float64, len(values))}
	numbers, numeric, positive := make([]float64, len(values)), true, true
	for i, v := range values {
		n, err := strconv.ParseFloat(v, 64)
		numeric = numeric && err == nil && !math.IsInf(n, 0) && !math.IsNaN(n)
		positive = positive && n > 0
		numbers[i] = n
	}
	if s.kind == "" {
		s.kind = guessKind(numbers, numeric, positive)
	}
	for i, n := range numbers {
		switch {
		case s.kind == "category":
			s.at[i] = float64(i)
		case !numeric:
			return s, fmt.Errorf("the axis is %s, but %q is no number; use axis = \"category\"", s.kind, values[i])
		case s.kind == "log" && n <= 0:
			return s, fmt.Errorf("a logarithmic axis cannot show %s; use axis = \"linear\"", values[i])
		case s.kind == "log":
			s.at[i] = math.Log10(n)
		default:
			s.at[i] = n
		}
	}
	return s, nil
}

func guessKind(numbers []float64, numeric, positive bool) string {
	if !numeric || len(numbers) == 0 {
		return "category"
	}
	extent := newSpan()
	extent.show(numbers...)
	if positive && extent.high >= 4*extent.low {
		return "log"
	}
	return "linear"
}

// place puts another value on the axis; ok is false where it has no place.
func (s scale) place(value string) (at float64, ok bool) {
	for i, v := range s.values {
		if v == value {
			return s.at[i], true
		}
	}
	n, err := strconv.ParseFloat(value, 64)
	switch {
	case err != nil || s.kind == "category" || s.kind == "log" && n <= 0:
		return 0, false
	case s.kind == "log":
		return math.Log10(n), true
	}
	return n, true
}

// axis is the scale as an axis over span, labelled at its own values where
// they are few and far enough apart, and at round numbers otherwise. Other
// values on it are labelled where there is room.
func (s scale) axis(label string, extent span, others []float64) axis {
	a := axis{label: label, low: extent.low, high: extent.high}
	if s.kind == "category" {
		a.low, a.high = extent.low-0.4, extent.high+0.4
	} else {
		wide := extent.padded(0.08)
		a.low, a.high = wide.low, wide.high
	}
	if s.kind == "category" || s.spread(a.high-a.low) {
		for i, v := range s.values {
			a.ticks = append(a.ticks, plot.Tick{Value: s.at[i], Label: tickLabel(v)})
		}
		a.addTicks(others, s.kind)
		a.options = append(a.options, a.ticks)
	}
	if s.kind == "category" {
		a.words = true
		return a
	}
	for most := 6; most > 1; most-- {
		if s.kind == "log" {
			a.options = append(a.options, logTicks(math.Pow(10, a.low), math.Pow(10, a.high), most))
		} else {
			a.options = append(a.options, linearTicks(a.low, a.high, most))
		}
	}
	return a
}

// addTicks labels further places, the largest first, unless they would touch
// a label that is there.
func (a *axis) addTicks(places []float64, kind string) {
	for _, at := range slices.Backward(slices.Sorted(slices.Values(places))) {
		near := func(t plot.Tick) bool { return math.Abs(t.Value-at) < 0.09*(a.high-a.low) }
		if slices.ContainsFunc(a.ticks, near) {
			continue
		}
		value := at
		if kind == "log" {
			value = math.Round(math.Pow(10, at)*1e6) / 1e6
		}
		a.ticks = append(a.ticks, plot.Tick{Value: at, Label: shortNumber(value)})
	}
}

// tickLabel shortens long whole numbers and leaves other values as they are.
func tickLabel(v string) string {
	if n, err := strconv.ParseFloat(v, 64); err == nil && len(v) > 4 {
		return shortNumber(n)
	}
	return v
}

// spread says whether all values can be labelled without touching.
func (s scale) spread(width float64) bool {
	for i := range s.at {
		for j := range i {
			if math.Abs(s.at[i]-s.at[j]) < 0.07*width {
				return false
			}
		}
	}
	return len(s.at) <= 12
}
