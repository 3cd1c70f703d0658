package results

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// differencePrefix begins the heading of a column of differences.
const differencePrefix = "Δ "

// addDifferences puts, behind the columns, one for each metric that says which
// of two values is better and in which some row can be tested: by how much each
// row differs from the row that v.Against names, with the 95 % interval of the
// paired test.
func (t *Table) addDifferences(v View, groups []*group) error {
	if len(v.Against) == 0 {
		return nil
	}
	partner, err := t.partners(v.Against)
	if err != nil {
		return err
	}
	at := map[[2]int]*group{}
	for _, g := range groups {
		at[[2]int{g.row, g.col}] = g
	}
	for col := range len(t.Cols) {
		if t.Cols[col].Better == "" {
			continue
		}
		cells, any := t.differences(col, partner, at)
		if !any {
			continue
		}
		heading := Heading{Values: slices.Clone(t.Cols[col].Values), Metric: differencePrefix + t.Cols[col].Metric, Better: t.Cols[col].Better}
		if k := slices.Index(t.ColKeys, "metric"); k >= 0 {
			heading.Values[k] = heading.Metric
		}
		t.Cols = append(t.Cols, heading)
		for row := range t.Cells {
			t.Cells[row] = append(t.Cells[row], cells[row])
		}
	}
	return nil
}

// partners finds for each row that which it is compared with: the same but for
// the keys of against; -1 for the row itself and where there is none.
func (t *Table) partners(against map[string]any) ([]int, error) {
	rows := map[string]int{}
	for i, h := range t.Rows {
		rows[strings.Join(h.Values, "\x00")] = i
	}
	partner := make([]int, len(t.Rows))
	for i, h := range t.Rows {
		values := slices.Clone(h.Values)
		for _, key := range slices.Sorted(maps.Keys(against)) {
			k := slices.Index(t.RowKeys, key)
			if k < 0 {
				return nil, fmt.Errorf("against.%s: rows are by %s", key, strings.Join(t.RowKeys, ", "))
			}
			want, err := whereValues(against[key])
			if err != nil || len(want) != 1 {
				return nil, fmt.Errorf("against.%s: one value is wanted", key)
			}
			values[k] = want[0]
		}
		j, ok := rows[strings.Join(values, "\x00")]
		if partner[i] = j; !ok || i == j {
			partner[i] = -1
		}
	}
	return partner, nil
}

// differences are the cells of a column of differences.
func (t *Table) differences(col int, partner []int, at map[[2]int]*group) (cells []Cell, any bool) {
	cells = make([]Cell, len(t.Rows))
	var halves []float64
	for row := range cells {
		a, b := at[[2]int{row, col}], (*group)(nil)
		if partner[row] >= 0 {
			b = at[[2]int{partner[row], col}]
		}
		if a == nil || b == nil || len(a.ok) == 0 || len(b.ok) == 0 {
			continue
		}
		c, _ := a.arm.compare(b.arm)
		if !c.Testable() {
			continue
		}
		half := quantileT(0.975, c.DF) * c.SE
		of := t.Cells[row][col]
		cells[row] = Cell{
			Metric: differencePrefix + of.Metric, Unit: of.Unit, Seeds: of.Seeds, Values: []float64{c.Diff}, N: max(c.Items, c.Seeds), Origin: Computed,
			Interval: Interval{Mean: c.Diff, Low: c.Diff - half, High: c.Diff + half, Spread: SpreadT, N: max(1, c.Seeds)},
		}
		any, halves = true, append(halves, half)
	}
	for row := range cells {
		if cells[row].Metric != "" {
			cells[row].Decimals = decimalsFor(cells[row].Unit, halves)
		}
	}
	return cells, any
}

// againstCaption says what columns of differences are.
func (t *Table) againstCaption(v View) []string {
	if !slices.ContainsFunc(t.Cols, func(h Heading) bool { return strings.HasPrefix(h.Metric, differencePrefix) }) {
		return nil
	}
	return []string{"Δ: difference from the row with " + againstText(v.Against) + ", ± its 95 % interval: paired by item where there are items, else by seed."}
}
