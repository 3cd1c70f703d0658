package results

import (
	"cmp"
	"fmt"
	"maps"
	"path"
	"slices"
	"strconv"
	"strings"

	"plumb/internal/registry"
)

// A View says which records to show and how to lay them out: one table, and
// the figure drawn from it.
type View struct {
	Name    string         `toml:"name" json:"name,omitempty"`       // names the files; default made from metric, rows and cols
	Title   string         `toml:"title" json:"title,omitempty"`     // above the table; default made likewise
	Metric  string         `toml:"metric" json:"metric,omitempty"`   // such as "winogrande/acc"; * stands for anything but a slash
	Metrics []string       `toml:"metrics" json:"metrics,omitempty"` // several, in the order to show them
	Rows    string         `toml:"rows" json:"rows,omitempty"`       // a key, or several with commas between; also metric, seed, trial, experiment
	Cols    string         `toml:"cols" json:"cols,omitempty"`       // likewise; empty for one column
	Where   map[string]any `toml:"where" json:"where,omitempty"`     // key → the value, or list of values, that it must have; a list also orders
	Against map[string]any `toml:"against" json:"against,omitempty"` // key → value: each row is also compared with that row, in columns of differences
	Best    string         `toml:"best" json:"best,omitempty"`       // what is compared for bold: "table", "row", "column", "none"; default table, or the column when there are several metrics

	Figure    string `toml:"figure" json:"figure,omitempty"`       // kind of figure: lines, bars, curves; empty for none
	Width     string `toml:"width" json:"width,omitempty"`         // "column" (8.5 cm, the default) or "page" (17.5 cm)
	Axis      string `toml:"axis" json:"axis,omitempty"`           // "linear", "log", "category"; default by the values
	Reference string `toml:"reference" json:"reference,omitempty"` // published numbers to draw beside, such as "mobilellm-table11.csv:hellaswag"
}

// Slug is a name for the view's files: letters, digits, dots and dashes.
func (v View) Slug() string {
	name := v.Name
	if name == "" {
		name = strings.Join(nonEmpty(append(v.metrics(), v.Rows, v.Cols)), "-by-")
	}
	var b strings.Builder
	for _, r := range name {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '.' && b.Len() > 0 || r == '_' {
			b.WriteRune(r)
		} else if s := b.String(); s != "" && !strings.HasSuffix(s, "-") {
			b.WriteByte('-')
		}
	}
	slug := strings.TrimSuffix(b.String(), "-")
	if slug == "" {
		return "view"
	}
	return slug[:min(len(slug), 100)]
}

func nonEmpty(list []string) []string {
	return slices.DeleteFunc(list, func(s string) bool { return s == "" })
}

// metrics are the names or patterns that the view asks for.
func (v View) metrics() []string {
	return nonEmpty(append([]string{v.Metric}, v.Metrics...))
}

// Check says what is wrong with the view itself, all of it, before there are
// any records.
func (v View) Check() []error {
	var errs []error
	complain := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	if len(v.metrics()) == 0 {
		complain("a view needs a metric, such as \"winogrande/acc\", or a list of metrics")
	}
	for _, pattern := range v.metrics() {
		if _, err := path.Match(pattern, ""); err != nil {
			complain("metric %q is no pattern: %v", pattern, err)
		}
	}
	if strings.TrimSpace(v.Rows) == "" {
		complain("a view needs rows, a key such as \"layers\"")
	}
	errs = append(errs, oneOf("best", v.Best, "table", "row", "column", "none")...)
	errs = append(errs, oneOf("width", v.Width, "column", "page")...)
	errs = append(errs, oneOf("axis", v.Axis, "linear", "log", "category")...)
	for _, key := range slices.Sorted(maps.Keys(v.Where)) {
		if _, err := whereValues(v.Where[key]); err != nil {
			complain("where.%s: %v", key, err)
		}
	}
	return errs
}

func oneOf(what, value string, known ...string) []error {
	if value == "" || slices.Contains(known, value) {
		return nil
	}
	hint := registry.Hint(value, known)
	return []error{fmt.Errorf("%s %q is none of %s%s", what, value, strings.Join(known, ", "), hint)}
}

// whereValues turns a value of Where into the texts that a key may have.
func whereValues(value any) ([]string, error) {
	list, isList := value.([]any)
	if texts, ok := value.([]string); ok {
		return texts, nil
	}
	if !isList {
		list = []any{value}
	}
	if len(list) == 0 {
		return nil, fmt.Errorf("an empty list admits nothing")
	}
	texts := make([]string, len(list))
	for i, v := range list {
		switch v := v.(type) {
		case string:
			texts[i] = v
		case bool:
			texts[i] = strconv.FormatBool(v)
		case int:
			texts[i] = strconv.Itoa(v)
		case int64:
			texts[i] = strconv.FormatInt(v, 10)
		case float64:
			texts[i] = strconv.FormatFloat(v, 'g', -1, 64)
		default:
			return nil, fmt.Errorf("%v is neither text, number nor truth value", v)
		}
	}
	return texts, nil
}

// KeysOf splits a view's rows or columns, such as "layers, sharing", into keys.
func KeysOf(list string) []string {
	keys := strings.Split(list, ",")
	for i := range keys {
		keys[i] = strings.TrimSpace(keys[i])
	}
	return nonEmpty(keys)
}

// lookup returns what a record has under a key, which may also be one of its fields.
func lookup(r Record, key string) (string, bool) {
	switch key {
	case "metric":
		return r.Metric, true
	case "seed":
		return strconv.FormatUint(r.Seed, 10), true
	case "trial":
		return r.Trial, true
	case "experiment":
		return r.Experiment, true
	}
	value, ok := r.Keys[key]
	return value, ok
}

// layout is a view made concrete by the records it found.
type layout struct {
	view       View
	rows, cols []string // keys
	metrics    []string // found, in order
	records    []Record // chosen, without duplicates, in an order of their own
}

// arrange chooses the records of the view.
func (v View) arrange(records []Record) (*layout, error) {
	if errs := v.Check(); len(errs) > 0 {
		return nil, errs[0]
	}
	l := &layout{view: v, rows: KeysOf(v.Rows), cols: KeysOf(v.Cols)}
	var err error
	if l.metrics, err = v.findMetrics(records); err != nil {
		return nil, err
	}
	for _, r := range records {
		if slices.Contains(l.metrics, r.Metric) && v.admits(r) {
			l.records = append(l.records, r)
		}
	}
	if len(l.records) == 0 {
		return nil, fmt.Errorf("no record of %s has what where asks for", strings.Join(l.metrics, ", "))
	}
	l.records = inOrder(l.records)
	for _, key := range append(slices.Clone(l.rows), l.cols...) {
		if err := knownKey(l.records, key); err != nil {
			return nil, err
		}
	}
	if len(l.metrics) > 1 && !slices.Contains(l.rows, "metric") && !slices.Contains(l.cols, "metric") {
		l.cols = append(l.cols, "metric")
	}
	return l, nil
}

// findMetrics lists the metrics of the records that the view asks for, in the
// view's order, those of one pattern by name.
func (v View) findMetrics(records []Record) (found []string, err error) {
	have := map[string]bool{}
	for _, r := range records {
		have[r.Metric] = true
	}
	names := slices.Sorted(maps.Keys(have))
	for _, pattern := range v.metrics() {
		before := len(found)
		for _, name := range names {
			if ok, _ := path.Match(pattern, name); (ok || pattern == name) && !slices.Contains(found, name) {
				found = append(found, name)
			}
		}
		if len(found) == before && !slices.Contains(found, pattern) {
			hint := registry.Hint(pattern, names)
			return nil, fmt.Errorf("no record of metric %q (have %s)%s", pattern, list(names), hint)
		}
	}
	return found, nil
}

func list(names []string) string {
	if len(names) == 0 {
		return "none"
	}
	return strings.Join(names, ", ")
}

func knownKey(records []Record, key string) error {
	have := map[string]bool{}
	for _, r := range records {
		if _, ok := lookup(r, key); ok {
			return nil
		}
		for k := range r.Keys {
			have[k] = true
		}
	}
	names := append(slices.Sorted(maps.Keys(have)), "experiment", "metric", "seed", "trial")
	hint := registry.Hint(key, names)
	return fmt.Errorf("no record has a key %q (have %s)%s", key, strings.Join(names, ", "), hint)
}

// admits says whether r has what Where asks for. Numbers are compared as
// numbers, so 1e-3 finds 0.001.
func (v View) admits(r Record) bool {
	for key, want := range v.Where {
		have, _ := lookup(r, key)
		values, _ := whereValues(want)
		if !slices.ContainsFunc(values, func(w string) bool { return sameValue(have, w) }) {
			return false
		}
	}
	return true
}

// AdmitsCurve says whether c has what Where asks for. Conditions on keys that
// curves do not have, such as metric, do not exclude it.
func (v View) AdmitsCurve(c Curve) bool {
	r := Record{Experiment: c.Experiment, Trial: c.Trial, Seed: c.Seed, Keys: c.Keys}
	for key := range v.Where {
		if value, ok := lookup(r, key); !ok || value == "" {
			continue
		}
		one := View{Where: map[string]any{key: v.Where[key]}}
		if !one.admits(r) {
			return false
		}
	}
	return true
}

func sameValue(a, b string) bool {
	if a == b {
		return true
	}
	x, errX := strconv.ParseFloat(a, 64)
	y, errY := strconv.ParseFloat(b, 64)
	return errX == nil && errY == nil && x == y
}

// inOrder sorts records by what they say, so that no order of files or workers
// shows, and drops exact duplicates.
func inOrder(records []Record) []Record {
	type keyed struct {
		key string
		r   Record
	}
	sorted := make([]keyed, len(records))
	for i, r := range records {
		sorted[i] = keyed{string(encodeJSON(r)), r}
	}
	slices.SortFunc(sorted, func(a, b keyed) int {
		return cmp.Or(cmp.Compare(a.r.Seed, b.r.Seed), cmp.Compare(a.key, b.key))
	})
	sorted = slices.CompactFunc(sorted, func(a, b keyed) bool { return a.key == b.key })
	out := make([]Record, len(sorted))
	for i, s := range sorted {
		out[i] = s.r
	}
	return out
}

// headings returns the distinct values that the records have under keys, in
// order: as Where lists them, metrics as the view does, numbers by size, and
// other texts by name with "none" before all.
func (l *layout) headings(keys []string) []Heading {
	seen := map[string]bool{}
	var headings []Heading
	for _, r := range l.records {
		values := valuesOf(r, keys)
		id := strings.Join(values, "\x00")
		if !seen[id] {
			seen[id] = true
			headings = append(headings, Heading{Values: values})
		}
	}
	slices.SortFunc(headings, func(a, b Heading) int {
		for i, key := range keys {
			if c := l.compareValues(key, a.Values[i], b.Values[i]); c != 0 {
				return c
			}
		}
		return 0
	})
	return headings
}

func valuesOf(r Record, keys []string) []string {
	values := make([]string, len(keys))
	for i, key := range keys {
		values[i], _ = lookup(r, key)
	}
	return values
}

func (l *layout) compareValues(key, a, b string) int {
	if key == "metric" {
		return cmp.Compare(slices.Index(l.metrics, a), slices.Index(l.metrics, b))
	}
	if want, ok := l.view.Where[key]; ok {
		values, _ := whereValues(want)
		position := func(v string) int {
			return slices.IndexFunc(values, func(w string) bool { return sameValue(v, w) })
		}
		return cmp.Compare(position(a), position(b))
	}
	return CompareNatural(a, b)
}

// CompareNatural orders numbers by size before texts, and texts by their parts,
// so that "immediate x2" stands before "immediate x10". "none" is first.
func CompareNatural(a, b string) int {
	if (a == "none") != (b == "none") {
		return cmp.Or(boolCompare(b == "none", a == "none"))
	}
	x, errX := strconv.ParseFloat(a, 64)
	y, errY := strconv.ParseFloat(b, 64)
	switch {
	case errX == nil && errY == nil:
		return cmp.Or(cmp.Compare(x, y), cmp.Compare(a, b))
	case errX == nil:
		return -1
	case errY == nil:
		return 1
	}
	return cmp.Or(slices.CompareFunc(parts(a), parts(b), compareParts), cmp.Compare(a, b))
}

func boolCompare(a, b bool) int {
	return cmp.Compare(oneIf(a), oneIf(b))
}

// parts cuts a text into runs of digits and of other bytes.
func parts(s string) (out []string) {
	digit := func(i int) bool { return s[i] >= '0' && s[i] <= '9' }
	start := 0
	for i := 1; i <= len(s); i++ {
		if i == len(s) || digit(i) != digit(i-1) {
			out = append(out, s[start:i])
			start = i
		}
	}
	return out
}

func compareParts(a, b string) int {
	x, errX := strconv.ParseUint(a, 10, 64)
	y, errY := strconv.ParseUint(b, 10, 64)
	if errX == nil && errY == nil {
		return cmp.Compare(x, y)
	}
	return cmp.Compare(a, b)
}
