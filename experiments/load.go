package experiments

import (
	"fmt"
	"os"
	"reflect"
	"strings"

	"plumb/internal/registry"
)

// Load reads a spec, applies settings of the form key=value to it, and checks
// all of it before anything runs: the error is Problems, every mistake with its
// place.
func Load(path string, set ...string) (*Spec, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("cannot read the spec: %w", err)
	}
	return Parse(path, text, set...)
}

// maxSpec is the most bytes of a spec; the longest here has 4,302.
const maxSpec = 1 << 16

// Parse is Load for a text that is at hand; source names it in errors.
func Parse(source string, text []byte, set ...string) (*Spec, error) {
	if len(text) > maxSpec {
		return nil, Problems{{Source: source, Message: fmt.Sprintf("a spec of %d bytes; at most %d are read", len(text), maxSpec)}}
	}
	doc, err := parse(source, text)
	if err != nil {
		return nil, err
	}
	r := newReport(doc)
	for _, setting := range set {
		r.apply(setting)
	}
	spec := r.spec()
	spec.Source, spec.Text, spec.Set, spec.doc = source, text, set, doc
	spec.check(r)
	if err := r.err(); err != nil {
		return nil, err
	}
	return spec, nil
}

// spec decodes the document over the defaults.
func (r *report) spec() *Spec {
	spec := defaults()
	r.decode(reflect.ValueOf(&spec).Elem(), r.doc.root, "")
	return &spec
}

// apply puts key=value into the document. The value is TOML; a bare word that
// is no TOML is a string.
func (r *report) apply(setting string) {
	where := position{source: "--set " + setting}
	complain := func(path, format string, args ...any) {
		r.found = append(r.found, Problem{Source: where.source, Path: path, Message: fmt.Sprintf(format, args...)})
	}
	key, text, ok := strings.Cut(setting, "=")
	key = strings.TrimSpace(key)
	if !ok || key == "" {
		complain("", "want key=value, such as train.tokens=1e6")
		return
	}
	value, err := parse("", []byte("x = "+text))
	if err != nil {
		value, err = parse("", []byte("x = '"+strings.TrimSpace(text)+"'"))
	}
	if err != nil {
		complain(key, "%q is no TOML value", text)
		return
	}
	if err := r.doc.set(key, value.root["x"], where); err != nil {
		complain(key, "%v", err)
	}
}

// settingPaths lists the keys of Settings with their tables, in order: what an
// axis can vary.
func settingPaths() []string {
	var spec Settings
	return leaves(reflect.ValueOf(&spec).Elem(), "")
}

func leaves(target reflect.Value, path string) []string {
	_, whole := target.Addr().Interface().(chosen)
	if target.Kind() == reflect.Map {
		return nil
	}
	if whole || target.Kind() != reflect.Struct {
		return []string{path}
	}
	var paths []string
	fields := fieldsOf(target)
	for _, key := range sortedKeys(fields) {
		paths = append(paths, leaves(fields[key], join(path, key))...)
	}
	return paths
}

// resolve returns the one setting that name stands for: its path, or as much
// of the end of it as tells it from all others.
func resolve(name string, paths []string) (string, error) {
	var found []string
	for _, path := range paths {
		if path == name {
			return path, nil
		}
		if strings.HasSuffix(path, "."+name) {
			found = append(found, path)
		}
	}
	switch len(found) {
	case 1:
		return found[0], nil
	case 0:
		return "", fmt.Errorf("no setting has this name%s", nearestSetting(name, paths))
	}
	return "", fmt.Errorf("the name may mean %s; write one of them", strings.Join(found, " or "))
}

func nearestSetting(name string, paths []string) string {
	known := append([]string{}, paths...)
	for _, path := range paths {
		known = append(known, leaf(path))
	}
	if near := registry.Nearest(name, known); near != "" {
		return fmt.Sprintf("; did you mean %q?", near)
	}
	return "; an axis is a key of [model], [budget], [train] or [data], such as layers"
}

func leaf(path string) string { return path[strings.LastIndexByte(path, '.')+1:] }

// shortName is the least of a path that resolves to it.
func shortName(path string, paths []string) string {
	if p, err := resolve(leaf(path), paths); err == nil && p == path {
		return leaf(path)
	}
	return path
}
