// Package registry keeps variants by name: sharings, tasks, presets, kernels.
// A file adds its variant to its package's own Set in an init function, so a
// new variant is a new file and no list has to be edited.
package registry

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// A Set holds the variants of one kind by name. Its zero value is not usable;
// make one with New.
type Set[V any] struct {
	kind     string
	variants map[string]V
}

// New returns an empty set of what kind names in the singular, such as "sharing".
func New[V any](kind string) *Set[V] {
	return &Set[V]{kind: kind, variants: map[string]V{}}
}

// Add puts v under name. A name added twice is a mistake in the program and panics.
func (s *Set[V]) Add(name string, v V) {
	if _, twice := s.variants[name]; twice {
		panic(fmt.Sprintf("registry: %s %q added twice", s.kind, name))
	}
	s.variants[name] = v
}

// Get returns the variant called name, or an error that lists the known ones
// and suggests the nearest.
func (s *Set[V]) Get(name string) (V, error) {
	v, ok := s.variants[name]
	if ok {
		return v, nil
	}
	hint := Hint(name, s.Names())
	return v, fmt.Errorf("no %s named %q (have %s)%s", s.kind, name, strings.Join(s.Names(), ", "), hint)
}

// Names lists the known names in order.
func (s *Set[V]) Names() []string {
	return slices.Sorted(maps.Keys(s.variants))
}

// Hint returns what to put behind a message about an unknown name: a question
// that suggests the nearest of known, or "" when none is near enough.
func Hint(name string, known []string) string {
	if near := Nearest(name, known); near != "" {
		return fmt.Sprintf("; did you mean %q?", near)
	}
	return ""
}

// Nearest returns the known name that is fewest edits away from name, or ""
// when none is near enough to be what was meant.
func Nearest(name string, known []string) string {
	best, bestDistance := "", max(2, len(name)/3)+1
	for _, k := range known {
		if d := distance(strings.ToLower(name), strings.ToLower(k)); d < bestDistance {
			best, bestDistance = k, d
		}
	}
	return best
}

// distance is the number of insertions, deletions, substitutions and swaps of
// neighbours that turn a into b.
func distance(a, b string) int {
	rows := make([][]int, len(a)+1)
	for i := range rows {
		rows[i] = make([]int, len(b)+1)
		rows[i][0] = i
	}
	for j := range rows[0] {
		rows[0][j] = j
	}
	for i := 1; i <= len(a); i++ {
		for j := 1; j <= len(b); j++ {
			substitution := rows[i-1][j-1]
			if a[i-1] != b[j-1] {
				substitution++
			}
			rows[i][j] = min(rows[i-1][j]+1, rows[i][j-1]+1, substitution)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				rows[i][j] = min(rows[i][j], rows[i-2][j-2]+1)
			}
		}
	}
	return rows[len(a)][len(b)]
}
