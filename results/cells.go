package results

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// group is the records behind one cell and what was computed from them on the way.
type group struct {
	row, col int
	ok, bad  []Record // with and without a value
	arm      arm
}

// Table lays out the records that v asks for. Values are means over seeds with
// their 95 % intervals; items, which may be nil, gives the items files, from
// which come chance levels, counts of truncated items and the paired tests that
// decide what is bold. A missing measurement stays missing, a diverged or failed
// one is a word and a footnote and enters no mean, and whatever differs within
// a cell or between cells that are compared is a footnote.
func (v View) Table(records []Record, items ItemSource) (*Table, error) {
	l, err := v.arrange(records)
	if err != nil {
		return nil, err
	}
	return v.build(l, records, items)
}

// build makes the table of a layout. Chance levels may stand in records that
// the layout does not show.
func (v View) build(l *layout, records []Record, items ItemSource) (*Table, error) {
	t := &Table{Name: v.Slug(), Title: v.Title, RowKeys: l.rows, ColKeys: l.cols}
	t.Rows, t.Cols = l.headings(l.rows), l.headings(l.cols)
	groups := l.groups(t)
	f := newFinder(items)
	t.Cells = make([][]Cell, len(t.Rows))
	for i := range t.Cells {
		t.Cells[i] = make([]Cell, len(t.Cols))
	}
	for _, g := range groups {
		g.arm = armOf(g.ok, f)
		t.Cells[g.row][g.col] = g.cell()
	}
	chance := chanceLevels(records, groups)
	t.headMetrics(chance)
	t.setDecimals()
	markBest(t, v, groups)
	notes := &footnotes{}
	l.annotate(t, groups, notes, f)
	t.Notes = notes.attach(t)
	if err := t.addDifferences(v, groups); err != nil {
		return nil, err
	}
	t.caption(chance)
	t.markOrigins()
	t.Caption = append(append(t.Caption, t.againstCaption(v)...), t.originCaption()...)
	if t.Title == "" {
		t.Title = l.title()
	}
	return t, nil
}

// title names a view that has none.
func (l *layout) title() string {
	title := strings.Join(l.metrics, ", ") + " by " + strings.Join(l.rows, ", ")
	if cols := slices.DeleteFunc(slices.Clone(l.cols), func(k string) bool { return k == "metric" }); len(cols) > 0 {
		title += " and " + strings.Join(cols, ", ")
	}
	return title
}

// groups sorts the records into cells, row by row.
func (l *layout) groups(t *Table) []*group {
	index := func(headings []Heading) map[string]int {
		at := map[string]int{}
		for i, h := range headings {
			at[strings.Join(h.Values, "\x00")] = i
		}
		return at
	}
	rows, cols := index(t.Rows), index(t.Cols)
	byPlace := map[[2]int]*group{}
	for _, r := range l.records {
		row := rows[strings.Join(valuesOf(r, l.rows), "\x00")]
		col := cols[strings.Join(valuesOf(r, l.cols), "\x00")]
		place := [2]int{row, col}
		g := byPlace[place]
		if g == nil {
			g = &group{row: row, col: col}
			byPlace[place] = g
		}
		if r.Status == StatusOK && r.Value != nil {
			g.ok = append(g.ok, r)
		} else {
			g.bad = append(g.bad, r)
		}
	}
	return slices.SortedFunc(maps.Values(byPlace), func(a, b *group) int {
		return cmp.Or(cmp.Compare(a.row, b.row), cmp.Compare(a.col, b.col))
	})
}

// cell is the mean over seeds, each seed's value being the mean of its records.
func (g *group) cell() Cell {
	first := append(slices.Clone(g.ok), g.bad...)[0]
	c := Cell{Metric: first.Metric, Unit: first.Unit, Seeds: g.arm.seeds, Values: g.arm.values}
	c.Interval = MeanInterval(c.Values)
	for i, r := range g.ok {
		if i == 0 || r.N < c.N {
			c.N = r.N
		}
	}
	if len(g.ok) == 1 {
		c.StdErr = g.ok[0].StdErr
		if low, high := g.ok[0].Low, g.ok[0].High; low != nil && high != nil {
			c.Interval.Low, c.Interval.High, c.Interval.Spread = *low, *high, SpreadQuartiles
		}
	}
	c.Origin, c.Verdict = g.origin(), g.verdict()
	c.Word, c.Lost = g.lost()
	return c
}

// origin is that of the records with a value; of several the first.
func (g *group) origin() Origin {
	for _, origin := range origins {
		if slices.ContainsFunc(g.ok, func(r Record) bool { return r.Origin == origin }) {
			return origin
		}
	}
	return ""
}

// verdict is invalid where that of any record is.
func (g *group) verdict() (v Verdict) {
	for _, r := range g.ok {
		if v = cmp.Or(v, r.Verdict); r.Verdict == Invalid {
			return Invalid
		}
	}
	return v
}

// lost counts the trials without a value, and names what became of them:
// diverged when several things did.
func (g *group) lost() (word string, trials int) {
	seen := map[string]bool{}
	for _, r := range g.bad {
		if word == "" || r.Status == StatusDiverged {
			word = string(r.Status)
		}
		if id := fmt.Sprint(r.Trial, " ", r.Seed); !seen[id] {
			seen[id] = true
			trials++
		}
	}
	return word, trials
}

// chanceLevels finds what guessing gives for each metric: from the items of its
// records, or from a record of the metric TASK/chance. Metrics that are no
// accuracy have none.
func chanceLevels(records []Record, groups []*group) map[string]float64 {
	levels := map[string]float64{}
	for _, g := range groups {
		for _, r := range g.ok {
			if _, known := levels[r.Metric]; !known && g.arm.hasItems() && strings.HasPrefix(lastPart(r.Metric), "acc") {
				if chance, ok := g.arm.items[0].Chance(); ok {
					levels[r.Metric] = chance
				}
			}
		}
	}
	for _, r := range records {
		task, isChance := strings.CutSuffix(r.Metric, "/chance")
		if !isChance || r.Value == nil {
			continue
		}
		for _, name := range Accuracies.Names() {
			if _, known := levels[task+"/"+name]; !known {
				levels[task+"/"+name] = *r.Value
			}
		}
	}
	return levels
}

func lastPart(metric string) string { return metric[strings.LastIndex(metric, "/")+1:] }

// headMetrics names the metric in headings whose cells all have the same one.
func (t *Table) headMetrics(chance map[string]float64) {
	name := func(h *Heading, cells []Cell) {
		for _, c := range cells {
			if c.Metric == "" || c.Metric == h.Metric {
				continue
			}
			if h.Metric != "" {
				h.Metric, h.Better = "", ""
				return
			}
			h.Metric, h.Better = c.Metric, Better(c.Metric, c.Unit)
		}
		if level, ok := chance[h.Metric]; ok {
			h.Chance = &level
		}
	}
	for i := range t.Rows {
		name(&t.Rows[i], t.Cells[i])
	}
	for j := range t.Cols {
		name(&t.Cols[j], t.column(j))
	}
}

func (t *Table) column(j int) []Cell {
	cells := make([]Cell, len(t.Rows))
	for i := range t.Rows {
		cells[i] = t.Cells[i][j]
	}
	return cells
}

// each calls do for every cell, row by row.
func (t *Table) each(do func(c *Cell)) {
	for i := range t.Cells {
		for j := range t.Cells[i] {
			do(&t.Cells[i][j])
		}
	}
}

// setDecimals gives all cells of a metric equally many digits.
func (t *Table) setDecimals() {
	type kind struct{ metric, unit string }
	errors := map[kind][]float64{}
	t.each(func(c *Cell) {
		k := kind{c.Metric, c.Unit}
		errors[k] = append(errors[k], c.Interval.Half())
		if c.StdErr != nil {
			errors[k] = append(errors[k], *c.StdErr)
		}
	})
	t.each(func(c *Cell) { c.Decimals = decimalsFor(c.Unit, errors[kind{c.Metric, c.Unit}]) })
}

// caption says what the numbers are.
func (t *Table) caption(chance map[string]float64) {
	t.Caption = append(t.Caption, t.metricCaptions(chance)...)
	spreads, seeds := map[Spread]bool{}, []int{}
	bold, alone := map[string]bool{}, false
	t.each(func(c *Cell) {
		if !c.HasValue() {
			return
		}
		spreads[c.Interval.Spread] = true
		seeds = append(seeds, len(c.Seeds))
		alone = alone || c.StdErr != nil
		if c.Versus.Method != "" {
			bold[c.Versus.Method] = true
		}
	})
	t.Caption = append(t.Caption, spreadCaption(spreads, alone, seeds))
	t.Caption = append(t.Caption, t.verdictCaption()...)
	if t.anyBold() {
		text := "Bold: the best and all that is not significantly worse at the 5 % level"
		if len(bold) > 0 {
			text += " (" + strings.Join(slices.Sorted(maps.Keys(bold)), "; ") + "; not corrected for the number of comparisons)"
		}
		t.Caption = append(t.Caption, text+".")
	}
}

// verdictCaption counts the timings that can be quoted.
func (t *Table) verdictCaption() []string {
	count := map[Verdict]int{}
	t.each(func(c *Cell) { count[c.Verdict]++ })
	valid, invalid := count[Valid], count[Invalid]
	if valid+invalid == 0 {
		return nil
	}
	return []string{fmt.Sprintf("Timings: %d of %d are VALID; the others say INVALID, and why in a footnote.", valid, valid+invalid)}
}

func (t *Table) anyBold() bool {
	any := false
	t.each(func(c *Cell) { any = any || c.Bold() })
	return any
}

// metricCaptions has a sentence for each metric, in order of appearance.
func (t *Table) metricCaptions(chance map[string]float64) (captions []string) {
	seen := map[string]bool{}
	t.each(func(c *Cell) {
		if c.Metric == "" || seen[c.Metric] {
			return
		}
		seen[c.Metric] = true
		parts := []string{}
		if c.Unit != "" {
			parts = append(parts, c.Unit)
		}
		if better := Better(c.Metric, c.Unit); better != "" {
			parts = append(parts, better+" is better")
		}
		if level, ok := chance[c.Metric]; ok {
			parts = append(parts, fmt.Sprintf("chance %.3f", level))
		}
		if n := t.counts(c.Metric); n != "" {
			parts = append(parts, n)
		}
		captions = append(captions, c.Metric+": "+strings.Join(parts, ", ")+".")
	})
	return captions
}

// counts is "n = 400" or the range of n over the cells of a metric.
func (t *Table) counts(metric string) string {
	low, high := 0, 0
	t.each(func(c *Cell) {
		if c.Metric == metric && c.HasValue() && c.N > 0 {
			if low == 0 || c.N < low {
				low = c.N
			}
			high = max(high, c.N)
		}
	})
	switch {
	case high == 0:
		return ""
	case low == high:
		return fmt.Sprintf("n = %d", low)
	}
	return fmt.Sprintf("n = %d to %d", low, high)
}

func spreadCaption(spreads map[Spread]bool, alone bool, seeds []int) string {
	if len(seeds) == 0 {
		return "No measurement has a value."
	}
	low, high := slices.Min(seeds), slices.Max(seeds)
	text := fmt.Sprintf("Means over %d to %d seeds", low, high)
	switch {
	case low == high && low == 1:
		text = "One seed"
	case low == high:
		text = fmt.Sprintf("Means over %d seeds", low)
	}
	if spreads[SpreadT] {
		text += "; ± 95 % interval over seeds (Student's t)"
	}
	if spreads[SpreadRange] {
		text += "; in brackets the values of two seeds"
	}
	if spreads[SpreadQuartiles] {
		text += "; of timings the median"
	}
	switch {
	case spreads[SpreadNone] && alone:
		text += "; one seed gives no interval, in parentheses is its standard error over items"
	case spreads[SpreadNone]:
		text += "; one seed gives no interval"
	}
	return text + "."
}
