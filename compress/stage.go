package compress

import (
	"errors"
	"fmt"
	"path"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"plumb/internal/registry"
)

// A Stage is one step of a recipe: a name and settings, written
// "svd keep=0.5 on=ffn.*". The same words stand in specs and on the command line.
type Stage struct {
	Name     string
	Settings []Setting // in the order in which they were written
}

// A Setting is name=value.
type Setting struct{ Name, Value string }

// ParseStage reads a stage. It does not know names; see Method and train.
func ParseStage(text string) (Stage, error) {
	words := strings.Fields(text)
	if len(words) == 0 {
		return Stage{}, errors.New("a stage without a name: wanted is NAME or NAME KEY=VALUE ...")
	}
	s := Stage{Name: words[0]}
	if strings.Contains(s.Name, "=") {
		return Stage{}, fmt.Errorf("stage %q begins with a setting: its name comes first", text)
	}
	for _, word := range words[1:] {
		name, value, ok := strings.Cut(word, "=")
		if !ok || name == "" || value == "" {
			return Stage{}, fmt.Errorf("stage %q: %q is no KEY=VALUE", text, word)
		}
		if slices.ContainsFunc(s.Settings, func(other Setting) bool { return other.Name == name }) {
			return Stage{}, fmt.Errorf("stage %q sets %s twice", text, name)
		}
		s.Settings = append(s.Settings, Setting{name, value})
	}
	return s, nil
}

// ParseRecipe reads stages with | between them.
func ParseRecipe(text string) ([]Stage, error) {
	var stages []Stage
	for part := range strings.SplitSeq(text, "|") {
		s, err := ParseStage(part)
		if err != nil {
			return nil, err
		}
		stages = append(stages, s)
	}
	return stages, nil
}

// String writes the stage as ParseStage reads it, settings by name, so that two
// stages are the same exactly if their strings are.
func (s Stage) String() string {
	sorted := slices.SortedFunc(slices.Values(s.Settings), func(a, b Setting) int { return strings.Compare(a.Name, b.Name) })
	text := s.Name
	for _, set := range sorted {
		text += " " + set.Name + "=" + set.Value
	}
	return text
}

// on is the setting that all methods for matrices have: which slots they work on.
const on = "on"

// A Worker is a method with its settings, ready to be applied.
type Worker struct {
	Stage  Stage
	Method Method
	on     []string // patterns of slots; none means all matrices of blocks
	work   any
}

// Worker finds the method of s, fills in its settings and checks them.
func (s Stage) Worker() (*Worker, error) {
	method, err := Methods.Get(s.Name)
	if err != nil {
		return nil, err
	}
	w := &Worker{Stage: s, Method: method, work: method.New()}
	_, matrices := w.work.(MatrixMethod)
	for _, set := range s.Settings {
		if set.Name == on && matrices {
			w.on = strings.Split(set.Value, ",")
			continue
		}
		if err := fill(w.work, set); err != nil {
			return nil, fmt.Errorf("stage %q: %w", s, err)
		}
	}
	for _, pattern := range w.on {
		if _, err := path.Match(pattern, ""); err != nil {
			return nil, fmt.Errorf("stage %q: %s=%s: %w", s, on, pattern, err)
		}
	}
	if c, ok := w.work.(interface{ Check() error }); ok {
		if err := c.Check(); err != nil {
			return nil, fmt.Errorf("stage %q: %w", s, err)
		}
	}
	return w, nil
}

// covers reports whether w works on a slot: one of its patterns matches the whole
// name, or what follows the number of the block ("ffn.*").
func (w *Worker) covers(slot string, block int) bool {
	if len(w.on) == 0 {
		return block >= 0
	}
	_, part, _ := strings.Cut(strings.TrimPrefix(slot, "blocks."), ".")
	for _, pattern := range w.on {
		whole, _ := path.Match(pattern, slot)
		within, _ := path.Match(pattern, part)
		if whole || within && block >= 0 {
			return true
		}
	}
	return false
}

// fill sets the field of the struct that into points to whose tag names set.
func fill(into any, set Setting) error {
	v := reflect.ValueOf(into).Elem()
	var known []string
	for i := range v.NumField() {
		name := v.Type().Field(i).Tag.Get("stage")
		if name == set.Name {
			return parse(v.Field(i), set)
		}
		if name != "" {
			known = append(known, name)
		}
	}
	if len(known) == 0 {
		return fmt.Errorf("no setting %q; this stage has none", set.Name)
	}
	return fmt.Errorf("no setting %q; this stage has %s%s", set.Name, strings.Join(known, ", "), registry.Hint(set.Name, known))
}

// parse reads the value of set into a field.
func parse(field reflect.Value, set Setting) error {
	var err error
	switch field.Kind() {
	case reflect.Bool:
		var b bool
		b, err = strconv.ParseBool(set.Value)
		field.SetBool(b)
	case reflect.Int:
		var f float64 // so that 2e6 is a number of tokens
		f, err = strconv.ParseFloat(set.Value, 64)
		if err == nil && f != float64(int64(f)) {
			err = errors.New("not a whole number")
		}
		field.SetInt(int64(f))
	case reflect.Float64:
		var f float64
		f, err = strconv.ParseFloat(set.Value, 64)
		field.SetFloat(f)
	case reflect.String:
		field.SetString(set.Value)
	default:
		panic("compress: a setting of type " + field.Type().String())
	}
	if err != nil {
		var wrong *strconv.NumError
		if errors.As(err, &wrong) {
			err = wrong.Err
		}
		return fmt.Errorf("%s=%s: %w; wanted is a %s", set.Name, set.Value, err, field.Type())
	}
	return nil
}
