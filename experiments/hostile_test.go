package experiments

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"plumb/internal/hostile"
)

// Specs as large as they may be, of what there could be most of, take little
// memory and little time.
func TestMemoryOfSpecs(t *testing.T) {
	fill := func(before, unit, after string) []byte {
		return []byte(before + strings.Repeat(unit, (maxSpec-len(before)-len(after))/len(unit)) + after)
	}
	each := func(before string, unit func(i int) string) []byte {
		text := before
		for i := 0; len(text)+len(unit(i)) <= maxSpec; i++ {
			text += unit(i)
		}
		return []byte(text)
	}
	swap := func(line, unit, after string) []byte {
		text := strings.Replace(small, line, "@", 1)
		before, rest, _ := strings.Cut(text, "@")
		return fill(before+line[:strings.Index(line, "[")+1], unit, after+rest)
	}
	inputs := map[string][]byte{
		"too large":           hostile.Fill(small, "#", ""),
		"brackets":            fill("x = ", "[", ""),
		"nested tables":       fill("", "a.", "a = 1"),
		"inline tables":       fill("x = ", "{a=", ""),
		"unknown keys":        each(small+"\n", func(i int) string { return fmt.Sprintf("k%d = 1\n", i) }),
		"unknown tables":      each(small, func(i int) string { return fmt.Sprintf("\n[t%d]", i) }),
		"a key twice":         fill(small+"\n", "question = \"q\"\n", ""),
		"trials":              fill(small, "\n[[trial]]", ""),
		"recipes":             each(small, func(i int) string { return fmt.Sprintf("\n[[recipe]]\nstages=\"rtn bits=%d\"", 2+i%7) }),
		"stages":              fill(small+"\n[[recipe]]\nstages = [", "\"rtn\",", "\"rtn\"]"),
		"a recipe of bars":    fill(small+"\n[[recipe]]\nstages = \"", "|", "\""),
		"views":               each(small, func(i int) string { return fmt.Sprintf("\n[[view]]\nname = \"v%d\"", i) }),
		"seeds":               swap("seeds = [1, 2]", "1,", "1]"),
		"other seeds":         swap("seeds = [1, 2]", "12345,", "1]"),
		"a product of sweeps": swap("layers = [2, 4]", "2,", "2]\nwidth = ["+strings.Repeat("64,", 8000)+"64]"),
	}
	for name, text := range inputs {
		if name != "too large" && len(text) > maxSpec {
			t.Fatalf("%s: %d bytes", name, len(text))
		}
	}
	began := time.Now()
	hostile.Bounded(t, inputs, func(text []byte) error {
		_, err := Parse("hostile.toml", text)
		return err
	})
	t.Log(time.Since(began))
}
