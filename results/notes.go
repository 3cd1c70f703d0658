package results

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// footnotes collects what is to be said about cells, each text once.
type footnotes struct {
	texts []string
	cells map[string]map[[2]int]bool // text → places; none for the whole table
}

func (f *footnotes) add(text string, places ...[2]int) {
	if f.cells == nil {
		f.cells = map[string]map[[2]int]bool{}
	}
	if f.cells[text] == nil {
		f.texts = append(f.texts, text)
		f.cells[text] = map[[2]int]bool{}
	}
	for _, place := range places {
		f.cells[text][place] = true
	}
}

// attach gives marks to texts in the order in which a reader meets them, row by
// row, writes them into the cells and returns the notes. A text about every
// cell that is not missing becomes one about the table, without a mark.
func (f *footnotes) attach(t *Table) (notes []Note) {
	filled := 0
	t.each(func(c *Cell) {
		if c.HasValue() || c.Word != "" {
			filled++
		}
	})
	var whole []Note
	marks, letters := map[string]string{}, t.footnoteLetters()
	for i := range t.Cells {
		for j := range t.Cells[i] {
			for _, text := range f.texts {
				if places := f.cells[text]; places[[2]int{i, j}] && (len(places) < filled || filled == 1) {
					if marks[text] == "" {
						marks[text] = letters.number(len(notes))
						notes = append(notes, Note{marks[text], text})
					}
					t.Cells[i][j].Marks = append(t.Cells[i][j].Marks, marks[text])
				}
			}
		}
	}
	for _, text := range f.texts {
		if marks[text] == "" {
			whole = append(whole, Note{"", text})
		}
	}
	return append(notes, whole...)
}

// An alphabet numbers footnotes: a, b, ..., z, aa, ab, ...
type alphabet string

func (a alphabet) number(i int) string {
	if i < len(a) {
		return string(a[i])
	}
	return a.number(i/len(a)-1) + string(a[i%len(a)])
}

// footnoteLetters are those that say nothing about where a number is from.
func (t *Table) footnoteLetters() alphabet {
	letters := alphabet("abcdefghijklmnopqrstuvwxyz")
	t.each(func(c *Cell) {
		if c.Origin != "" {
			letters = "abdefghjklnopqrstuvwxyz"
		}
	})
	return letters
}

// annotate says of every cell what a reader must know to believe it.
func (l *layout) annotate(t *Table, groups []*group, notes *footnotes, f *finder) {
	usual := map[string]string{} // by metric
	for _, metric := range l.metrics {
		usual[metric] = usualSeeds(slices.DeleteFunc(slices.Clone(groups), func(g *group) bool { return t.Cells[g.row][g.col].Metric != metric }))
	}
	for _, g := range groups {
		place := [2]int{g.row, g.col}
		for _, text := range g.troubles() {
			notes.add(text, place)
		}
		for _, key := range l.hidden(g) {
			notes.add(key, place)
		}
		if seeds, usual := seedList(g.seeds()), usual[t.Cells[g.row][g.col].Metric]; seeds != usual {
			notes.add("seeds "+seeds+" instead of "+usual, place)
		}
		for _, text := range g.remarks() {
			notes.add(text, place)
		}
		if c := t.Cells[g.row][g.col]; strings.HasPrefix(c.Versus.Method, "not compared") {
			notes.add(c.Versus.Method, place)
			t.Cells[g.row][g.col].Versus.Method = ""
		}
	}
	l.differences(groups, notes)
	l.slower(t, groups, notes)
	if n := len(f.problems); n > 0 {
		first := f.problems[slices.Sorted(maps.Keys(f.problems))[0]]
		notes.add(fmt.Sprintf("%d items files could not be used, so these cells are compared over seeds alone; the first: %v", n, first))
	}
}

// troubles names the seeds without a value and why they have none, those of
// one reason together.
func (g *group) troubles() (texts []string) {
	type reason struct {
		status Status
		note   string
	}
	var reasons []reason
	seeds := map[reason][]uint64{}
	for _, r := range g.bad {
		why := reason{r.Status, r.Note}
		if seeds[why] == nil {
			reasons = append(reasons, why)
		}
		if !slices.Contains(seeds[why], r.Seed) {
			seeds[why] = append(seeds[why], r.Seed)
		}
	}
	for _, why := range reasons {
		text := fmt.Sprintf("%s %s %s", plural(len(seeds[why]), "seed", "seeds"), seedList(seeds[why]), why.status)
		if why.note != "" {
			text += ": " + why.note
		}
		if len(g.ok) > 0 {
			text += " (in no mean; the cell is not compared)"
		}
		texts = append(texts, text)
	}
	return texts
}

func plural(n int, one, many string) string {
	if n == 1 {
		return one
	}
	return many
}

// hidden names the keys that vary within a cell: it averages over them.
func (l *layout) hidden(g *group) (texts []string) {
	all := append(slices.Clone(g.ok), g.bad...)
	for _, key := range append(keysIn(all), "experiment", "metric") {
		if slices.Contains(l.rows, key) || slices.Contains(l.cols, key) || conditions[key] != "" {
			continue
		}
		if values := distinct(g.ok, key); len(values) > 1 {
			texts = append(texts, fmt.Sprintf("mean over %s: %s", key, strings.Join(values, ", ")))
		}
	}
	if len(texts) == 0 && len(g.ok) > len(g.arm.seeds) {
		texts = append(texts, "mean of repeated measurements of one seed")
	}
	return texts
}

func keysIn(records []Record) []string {
	have := map[string]bool{}
	for _, r := range records {
		for key := range r.Keys {
			have[key] = true
		}
	}
	return slices.Sorted(maps.Keys(have))
}

// distinct lists a key's values in order; a record without it counts as "(none)".
func distinct(records []Record, key string) []string {
	have := map[string]bool{}
	for _, r := range records {
		value, ok := lookup(r, key)
		if !ok {
			value = "(none)"
		}
		have[value] = true
	}
	return slices.SortedFunc(maps.Keys(have), CompareNatural)
}

// remarks are the notes of records that are ok, and the truncated items.
func (g *group) remarks() (texts []string) {
	for _, r := range g.ok {
		if r.Note != "" && !slices.Contains(texts, r.Note) {
			texts = append(texts, r.Note)
		}
	}
	if slices.ContainsFunc(texts, func(s string) bool { return strings.Contains(s, "truncated") }) {
		return texts // the notes of the records count them
	}
	truncated := 0
	for _, x := range g.arm.items {
		truncated = max(truncated, x.Truncated())
	}
	if truncated > 0 {
		texts = append(texts, fmt.Sprintf("context was cut in %d of %d items", truncated, len(g.arm.items[0].Items)))
	}
	return texts
}

// seeds are those of all records, with and without a value.
func (g *group) seeds() []uint64 {
	have := map[uint64]bool{}
	for _, r := range append(slices.Clone(g.ok), g.bad...) {
		have[r.Seed] = true
	}
	return slices.Sorted(maps.Keys(have))
}

func seedList(seeds []uint64) string {
	texts := make([]string, len(seeds))
	for i, s := range seeds {
		texts[i] = fmt.Sprint(s)
	}
	return strings.Join(texts, ", ")
}

// usualSeeds is the set of seeds that most cells have; of equals the first.
func usualSeeds(groups []*group) string {
	count, usual := map[string]int{}, ""
	for _, g := range groups {
		count[seedList(g.seeds())]++
	}
	for _, g := range groups {
		if s := seedList(g.seeds()); count[s] > count[usual] {
			usual = s
		}
	}
	return usual
}

// conditions are keys that say how something was measured rather than what.
// They must not differ between cells that are compared.
var conditions = map[string]string{"machine": "machines", "processor": "processors", "kernels": "kernels", "commit": "commits"}

// differences says what differs between the cells of one metric that ought to
// be equal: machines, kernels, token streams, task versions, counts of items.
func (l *layout) differences(groups []*group, notes *footnotes) {
	for _, key := range slices.Sorted(maps.Keys(conditions)) {
		if slices.Contains(l.rows, key) || slices.Contains(l.cols, key) {
			continue
		}
		with := slices.DeleteFunc(slices.Clone(l.records), func(r Record) bool { _, ok := r.Keys[key]; return !ok })
		if values := distinct(with, key); len(values) > 1 {
			notes.add(fmt.Sprintf("measured on different %s: %s", conditions[key], strings.Join(values, ", ")))
		}
	}
	for _, metric := range l.metrics {
		l.uneven(groups, metric, notes, func(r Record, a arm) string { return short(r.Tokens) },
			"scored another token stream (%s) than other cells of "+metric)
		l.uneven(groups, metric, notes, func(r Record, a arm) string { return protocol(a) },
			"%s differs from other cells of "+metric)
		l.uneven(groups, metric, notes, func(r Record, a arm) string { return countOf(r) },
			"n = %s, unlike other cells of "+metric)
	}
}

func short(hash string) string { return hash[:min(8, len(hash))] }

func protocol(a arm) string {
	if !a.hasItems() {
		return ""
	}
	x := a.items[0]
	return fmt.Sprintf("version %s, protocol %s", x.Version, x.Protocol)
}

// countOf is only of interest where every item is scored alike: for shares.
func countOf(r Record) string {
	if r.Unit != "share" || r.N == 0 {
		return ""
	}
	return fmt.Sprint(r.N)
}

// uneven footnotes the cells of a metric whose value of some property is not
// the most common one. Cells that do not know theirs are left alone.
func (l *layout) uneven(groups []*group, metric string, notes *footnotes, property func(Record, arm) string, format string) {
	count := map[string]int{}
	var order []string
	of := map[*group][]string{}
	for _, g := range groups {
		for _, r := range g.ok {
			if p := property(r, g.arm); r.Metric == metric && p != "" && !slices.Contains(of[g], p) {
				of[g] = append(of[g], p)
				if count[p] == 0 {
					order = append(order, p)
				}
				count[p]++
			}
		}
	}
	usual := ""
	for _, p := range order {
		if count[p] > count[usual] {
			usual = p
		}
	}
	for _, g := range groups {
		for _, p := range of[g] {
			if p != usual {
				notes.add(fmt.Sprintf(format, p), [2]int{g.row, g.col})
			}
		}
	}
}
