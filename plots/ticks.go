package plots

import (
	"math"
	"strconv"
	"strings"

	"gonum.org/v1/plot"
)

// linearTicks returns ticks at multiples of 1, 2 or 5 times a power of ten, at
// most most of them inside [low, high], labelled with equally many decimals, or
// shortly where they are large.
func linearTicks(low, high float64, most int) []plot.Tick {
	step := niceStep((high - low) / float64(max(1, most)))
	decimals := max(0, -int(math.Floor(math.Log10(step)+1e-9)))
	var ticks []plot.Tick
	first, last := math.Ceil(low/step-1e-9), math.Floor(high/step+1e-9)
	for i := first; i <= last; i++ {
		v := i * step
		if i == 0 {
			v = 0 // and not -0
		}
		text := strconv.FormatFloat(v, 'f', decimals, 64)
		if step >= 1e5 {
			text = shortNumber(v)
		}
		ticks = append(ticks, plot.Tick{Value: v, Label: text})
	}
	return ticks
}

// niceStep is the smallest of 1, 2, 5 times a power of ten that is at least v.
func niceStep(v float64) float64 {
	if !(v > 0) || math.IsInf(v, 0) {
		return 1
	}
	power := math.Pow10(int(math.Floor(math.Log10(v))))
	for _, m := range []float64{1, 2, 5, 10} {
		if m*power >= v*(1-1e-9) {
			return m * power
		}
	}
	return 10 * power
}

// logTicks returns ticks of values in [low, high], placed at their decimal
// logarithm: whole decades where there are more than three, else 1-2-5 steps,
// and linear steps within a factor of five or where only two would be left. low must be positive.
func logTicks(low, high float64, most int) []plot.Tick {
	decades := math.Log10(high / low)
	if decades < 0.7 {
		return logarithms(linearTicks(low, high, most))
	}
	multiples := []float64{1, 2, 5}
	if decades > 3 {
		multiples = []float64{1}
	}
	every := max(1, int(math.Ceil(decades/float64(max(1, most)))))
	var ticks []plot.Tick
	for power := int(math.Floor(math.Log10(low))); power <= int(math.Ceil(math.Log10(high))); power++ {
		for _, m := range multiples {
			v := m * math.Pow10(power)
			if v >= low*(1-1e-9) && v <= high*(1+1e-9) && power%every == 0 {
				ticks = append(ticks, plot.Tick{Value: math.Log10(v), Label: shortNumber(v)})
			}
		}
	}
	if len(ticks) < 3 {
		return logarithms(linearTicks(low, high, most))
	}
	return ticks
}

// logarithms moves ticks from their values to their decimal logarithms. What
// has none is left out.
func logarithms(ticks []plot.Tick) (moved []plot.Tick) {
	for _, tick := range ticks {
		if tick.Value > 0 {
			moved = append(moved, plot.Tick{Value: math.Log10(tick.Value), Label: shortNumber(tick.Value)})
		}
	}
	return moved
}

// shortNumber prints 2, 0.05, 20k, 1.5M, 10⁻⁵.
func shortNumber(v float64) string {
	a := math.Abs(v)
	if a != 0 && (a < 1e-3 || a >= 1e15) {
		text := strconv.FormatFloat(v, 'e', -1, 64)
		mantissa, exponent, _ := strings.Cut(text, "e")
		power, _ := strconv.Atoi(exponent)
		if mantissa == "1" {
			return "10" + superscript(power)
		}
		return mantissa + "·10" + superscript(power)
	}
	suffixes := []string{"", "k", "M", "G", "T"}
	i := 0
	for math.Abs(v) >= 1e4 && i < len(suffixes)-1 || i > 0 && math.Abs(v) >= 1000 && i < len(suffixes)-1 {
		v, i = v/1000, i+1
	}
	return strconv.FormatFloat(math.Round(v*1e6)/1e6, 'f', -1, 64) + suffixes[i]
}

func superscript(n int) string {
	var b strings.Builder
	for _, r := range strconv.Itoa(n) {
		b.WriteRune(map[rune]rune{'-': '⁻', '0': '⁰', '1': '¹', '2': '²', '3': '³', '4': '⁴', '5': '⁵', '6': '⁶', '7': '⁷', '8': '⁸', '9': '⁹'}[r])
	}
	return b.String()
}
