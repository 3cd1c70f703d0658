package compress

import (
	"errors"
	"fmt"
	"path"
	"slices"
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
type Setting = registry.Setting

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
		s.Settings = append(s.Settings, Setting{Name: name, Value: value})
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
		if set.Value != "" { // unset, which cannot be written
			text += " " + set.Name + "=" + set.Value
		}
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
		if err := registry.Fill(w.work, set); err != nil {
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
	if d, ok := w.work.(interface{ On() []string }); ok && len(w.on) == 0 {
		w.on = d.On()
	}
	return w, nil
}

// Full is the stage with all its settings, those too that were not written.
func (w *Worker) Full() Stage {
	full := Stage{Name: w.Stage.Name, Settings: registry.Settings(w.work)}
	if len(w.on) > 0 {
		full.Settings = append(full.Settings, Setting{Name: on, Value: strings.Join(w.on, ",")})
	}
	return full
}

// Text reports whether the stage learns from calibration text.
func (w *Worker) Text() bool {
	m, ok := w.work.(MatrixMethod)
	return w.Method.Text || ok && m.Needs() != Nothing
}

// Matrices reports whether the stage replaces matrices one by one, so that the
// shape of the model stays.
func (w *Worker) Matrices() bool {
	_, ok := w.work.(MatrixMethod)
	return ok
}
