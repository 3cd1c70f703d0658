package results

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// slower notes, at every speed that is below that of the row which the view
// compares with, that it is.
func (l *layout) slower(t *Table, groups []*group, notes *footnotes) {
	if len(l.view.Against) == 0 {
		return
	}
	partner, err := t.partners(l.view.Against)
	if err != nil {
		return // said where the differences are made
	}
	for _, g := range groups {
		c := t.Cells[g.row][g.col]
		if c.Unit != "tokens/s" || partner[g.row] < 0 {
			continue
		}
		of := t.Cells[partner[g.row]][g.col]
		if !c.HasValue() || !of.HasValue() || c.Interval.Mean >= of.Interval.Mean {
			continue
		}
		text := "slower than the row with " + againstText(l.view.Against)
		if c.Interval.High >= of.Interval.Low {
			text += ", within the spread of the repetitions"
		}
		notes.add(text, [2]int{g.row, g.col})
	}
}

// againstText is what the row compared with has: "recipe = none".
func againstText(against map[string]any) string {
	var parts []string
	for _, key := range slices.Sorted(maps.Keys(against)) {
		parts = append(parts, fmt.Sprintf("%s = %v", key, against[key]))
	}
	return strings.Join(parts, ", ")
}
