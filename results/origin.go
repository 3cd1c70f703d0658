package results

import (
	"slices"
	"strings"
)

// origins lists the origins of values in the order of their legend.
var origins = []Origin{Measured, Computed, Inherited}

// originMarks are the letters that say in a cell where its value is from; no
// footnote has them.
var originMarks = map[Origin]string{Measured: "m", Computed: "c", Inherited: "i"}

// originTexts say what the letters mean.
var originTexts = map[Origin]string{
	Measured:  "measured by running the model",
	Computed:  "computed from what is stored or from other cells",
	Inherited: "inherited from another measurement of the same model",
}

// markOrigins puts the letter of its origin before the other marks of each
// cell that has one.
func (t *Table) markOrigins() {
	t.each(func(c *Cell) {
		if mark, ok := originMarks[c.Origin]; ok && c.HasValue() {
			c.Marks = slices.Insert(c.Marks, 0, mark)
		}
	})
}

// originCaption is the legend of the letters that cells have.
func (t *Table) originCaption() []string {
	seen := map[Origin]bool{}
	t.each(func(c *Cell) { seen[c.Origin] = seen[c.Origin] || c.HasValue() })
	var parts []string
	for _, origin := range origins {
		if seen[origin] {
			parts = append(parts, originMarks[origin]+" "+originTexts[origin])
		}
	}
	if len(parts) == 0 {
		return nil
	}
	return []string{"Where a number is from: " + strings.Join(parts, "; ") + "."}
}
