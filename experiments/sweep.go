package experiments

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// An axis varies settings together: value i sets each of its keys to the i-th
// of its values. A grid has axes of one key, zip of several.
type axis struct {
	keys   []string   // short names, as records have them
	paths  []string   // of the settings, one for each key
	values [][]choice // [value][key]
}

// A choice is one value of one key and where it stands in the spec.
type choice struct {
	value any
	at    string
}

// A point of a sweep assigns settings: what tells its trials from others.
type point struct {
	keys   []string
	paths  []string
	chosen []choice
}

// points spreads the sweep and the list of trials: every combination, the last
// axis fastest. A spec without either is one point.
func (s *Spec) points(r *report) []point {
	axes := s.axes(r)
	if list := s.listAxis(r); list != nil {
		axes = append([]axis{*list}, axes...)
	}
	checkDistinct(axes, r)
	all := []point{{}}
	for _, a := range axes {
		if len(all)*len(a.values) > maxTrials {
			r.at("sweep", "the sweep has more than %d combinations", maxTrials)
			return nil
		}
		var next []point
		for _, p := range all {
			for _, value := range a.values {
				next = append(next, p.with(a, value))
			}
		}
		all = next
	}
	return all
}

// maxTrials bounds what a mistyped range can ask for.
const maxTrials = 10_000

func (p point) with(a axis, values []choice) point {
	p = point{slices.Clone(p.keys), slices.Clone(p.paths), slices.Clone(p.chosen)}
	for i, c := range values {
		if c.at == "" { // a trial of the list that leaves this key alone
			continue
		}
		p.keys, p.paths, p.chosen = append(p.keys, a.keys[i]), append(p.paths, a.paths[i]), append(p.chosen, c)
	}
	return p
}

// axes reads [sweep] in the order in which its keys are written.
func (s *Spec) axes(r *report) []axis {
	flat := map[string]any{}
	flatten(s.Sweep, "", flat)
	var axes []axis
	for _, name := range r.doc.inOrder("sweep", flat) {
		list, ok := flat[name].([]any)
		at := join("sweep", name)
		switch {
		case name == "zip":
			axes = append(axes, s.zips(r, flat[name])...)
		case !ok:
			r.badAxis(name, at, "want a list of values, got %s", describe(flat[name]))
		case len(list) == 0:
			r.badAxis(name, at, "an empty axis leaves no trial; give values or remove it")
		default:
			if path, ok := s.axisPath(r, name, at); ok {
				axes = append(axes, gridAxis(path, at, list))
			}
		}
	}
	return axes
}

// badAxis adds a problem about the values of an axis. Nothing is said of the
// absence of the setting that it would vary.
func (r *report) badAxis(name, at, format string, args ...any) {
	r.at(at, format, args...)
	if path, err := resolve(name, settingPaths()); err == nil {
		r.lost = append(r.lost, path)
	}
}

func gridAxis(path, at string, list []any) axis {
	a := axis{keys: []string{shortName(path, settingPaths())}, paths: []string{path}}
	for i, value := range list {
		a.values = append(a.values, []choice{{value, join(at, strconv.Itoa(i))}})
	}
	return a
}

// axisPath resolves the name of an axis and refuses one that the spec also fixes.
func (s *Spec) axisPath(r *report, name, at string) (string, bool) {
	path, err := resolve(name, settingPaths())
	if err != nil {
		r.at(at, "%v", err)
		return "", false
	}
	if r.doc.has(path) {
		r.at(at, "%s is fixed as well as swept; remove one", path)
		return "", false
	}
	return path, true
}

// zips reads [[sweep.zip]]: the lists of one table go side by side.
func (s *Spec) zips(r *report, value any) []axis {
	var axes []axis
	tables, ok := value.([]any)
	if !ok {
		r.at("sweep.zip", "want [[sweep.zip]], a list of tables, got %s", describe(value))
	}
	for i, element := range tables {
		at := fmt.Sprintf("sweep.zip.%d", i)
		table, ok := element.(map[string]any)
		if !ok || len(table) == 0 {
			r.at(at, "want a table of lists, got %s", describe(element))
			continue
		}
		if a, ok := s.zip(r, table, at); ok {
			axes = append(axes, a)
		}
	}
	return axes
}

func (s *Spec) zip(r *report, table map[string]any, at string) (axis, bool) {
	flat := map[string]any{}
	flatten(table, "", flat)
	var a axis
	for _, name := range r.doc.inOrder(at, flat) {
		list, ok := flat[name].([]any)
		if !ok || len(list) == 0 {
			r.at(join(at, name), "want a list of values, got %s", describe(flat[name]))
			return a, false
		}
		path, ok := s.axisPath(r, name, join(at, name))
		if !ok {
			return a, false
		}
		if a.values == nil {
			a.values = make([][]choice, len(list))
		}
		if len(list) != len(a.values) {
			r.at(join(at, name), "%d values beside %d of %s; zip goes through its lists together", len(list), len(a.values), a.keys[0])
			return a, false
		}
		a.keys, a.paths = append(a.keys, shortName(path, settingPaths())), append(a.paths, path)
		for i, value := range list {
			a.values[i] = append(a.values[i], choice{value, join(join(at, name), strconv.Itoa(i))})
		}
	}
	return a, true
}

// listAxis reads [[trial]]: each table is a value of one axis over all keys
// that any of them sets. The key name only names the trial.
func (s *Spec) listAxis(r *report) *axis {
	if len(s.List) == 0 {
		return nil
	}
	a := &axis{}
	for i, table := range s.List {
		a.values = append(a.values, s.listed(r, a, table, fmt.Sprintf("trial.%d", i)))
	}
	for i := range a.values {
		a.values[i] = append(a.values[i], make([]choice, len(a.keys)-len(a.values[i]))...)
	}
	return a
}

// listed reads one table of the list. A key that no table before it had is a new
// key of the axis.
func (s *Spec) listed(r *report, a *axis, table map[string]any, at string) []choice {
	flat := map[string]any{}
	flatten(table, "", flat)
	row := make([]choice, len(a.keys))
	for _, name := range r.doc.inOrder(at, flat) {
		key, path, ok := s.listedKey(r, name, flat[name], join(at, name))
		if !ok {
			continue
		}
		column := slices.Index(a.keys, key)
		if column < 0 {
			column = len(a.keys)
			a.keys, a.paths, row = append(a.keys, key), append(a.paths, path), append(row, choice{})
		}
		row[column] = choice{flat[name], join(at, name)}
	}
	return row
}

// listedKey resolves a key of a listed trial; path is empty for its name.
func (s *Spec) listedKey(r *report, name string, value any, at string) (key, path string, ok bool) {
	if name != "name" {
		path, ok = s.axisPath(r, name, at)
		return shortName(path, settingPaths()), path, ok
	}
	if _, ok = value.(string); !ok {
		r.at(at, "want a string, got %s", describe(value))
	}
	return name, "", ok
}

// checkDistinct reports settings that two axes vary, and values that an axis
// has twice.
func checkDistinct(axes []axis, r *report) {
	seen := map[string]bool{}
	for _, a := range axes {
		for i, path := range a.paths {
			if path != "" && seen[path] && len(a.values) > 0 {
				r.at(a.values[0][i].at, "%s is varied by two axes", path)
			}
			seen[path] = true
		}
		rows := map[string]bool{}
		for _, value := range a.values {
			text := ""
			for _, c := range value {
				text += formatValue(c.value) + "\x00"
			}
			if rows[text] {
				r.at(firstPlace(value), "the value stands twice in the sweep")
			}
			rows[text] = true
		}
	}
}

func firstPlace(value []choice) string {
	for _, c := range value {
		if c.at != "" {
			return c.at
		}
	}
	return "trial"
}

// flatten lists the values of nested tables by their dotted keys; lists of
// tables stay whole.
func flatten(table map[string]any, path string, out map[string]any) {
	for key, value := range table {
		if inner, ok := value.(map[string]any); ok {
			flatten(inner, join(path, key), out)
			continue
		}
		out[join(path, key)] = value
	}
}

// inOrder lists the keys below path as they are written in the file.
func (d *document) inOrder(path string, keys map[string]any) []string {
	return slices.SortedFunc(maps.Keys(keys), func(a, b string) int {
		pa, pb := d.position(join(path, a)), d.position(join(path, b))
		return cmp.Or(cmp.Compare(pa.line, pb.line), cmp.Compare(pa.col, pb.col), strings.Compare(a, b))
	})
}

// formatValue is a value as keys of records have it.
func formatValue(value any) string {
	switch v := value.(type) {
	case nil:
		return ""
	case string:
		return v
	case float64:
		return strconv.FormatFloat(v, 'g', -1, 64)
	case []any:
		parts := make([]string, len(v))
		for i, element := range v {
			parts[i] = formatValue(element)
		}
		return strings.Join(parts, "+")
	}
	return fmt.Sprint(value)
}
