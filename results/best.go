package results

import "slices"

// markBest finds the best cell of each set of comparable ones, and those that
// are not significantly worse. Timings, for which there is no test, are left out.
func markBest(t *Table, v View, groups []*group) {
	scope := v.Best
	if scope == "" {
		scope = "table"
		if slices.Contains(t.ColKeys, "metric") {
			scope = "column"
		}
		if slices.Contains(t.RowKeys, "metric") {
			scope = "row"
		}
	}
	if scope == "none" {
		return
	}
	type set struct {
		metric, unit string
		line         int
	}
	var order []set
	members := map[set][]*group{}
	for _, g := range groups {
		c := t.Cells[g.row][g.col]
		if !c.HasValue() || c.Verdict != "" || c.Lost > 0 || len(g.bad) > 0 || Better(c.Metric, c.Unit) == "" {
			continue
		}
		s := set{c.Metric, c.Unit, map[string]int{"row": g.row, "column": g.col}[scope]}
		if members[s] == nil {
			order = append(order, s)
		}
		members[s] = append(members[s], g)
	}
	for _, s := range order {
		if len(members[s]) > 1 {
			markBestOf(t, members[s], Better(s.metric, s.unit) == "higher")
		}
	}
}

// markBestOf compares every member with the best; of equals the first is best.
func markBestOf(t *Table, members []*group, higher bool) {
	cell := func(g *group) *Cell { return &t.Cells[g.row][g.col] }
	best := members[0]
	for _, g := range members[1:] {
		x, y := cell(g).Interval.Mean, cell(best).Interval.Mean
		if higher && x > y || !higher && x < y {
			best = g
		}
	}
	cell(best).Best = true
	for _, g := range members {
		if g == best {
			continue
		}
		c := cell(g)
		comparison, why := g.arm.compare(best.arm)
		c.Versus = comparison
		if why != nil {
			c.Versus.Method = "not compared: " + why.Error()
		}
		c.Tied = c.Interval.Mean == cell(best).Interval.Mean || comparison.Testable() && !comparison.Significant()
	}
}
