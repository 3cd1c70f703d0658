package tasks

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"plumb/internal/registry"
)

// Groups are names for several tasks: the built-in kinds that small models
// learn, and those that are kept as a hard set of their own.
var groups = map[string]func(Task) bool{
	"world":      func(t Task) bool { return t.Generate != nil && !t.Hard },
	"world_hard": func(t Task) bool { return t.Generate != nil && t.Hard },
}

// Groups lists the names of the groups in order.
func Groups() []string { return []string{"world", "world_hard"} }

// Resolve turns names of tasks and groups, each possibly a list with commas,
// into the names of tasks: in the order given, groups in alphabetical order,
// each task once. All unknown names are reported at once, with suggestions.
func Resolve(lists ...string) ([]string, error) {
	var names []string
	var errs []error
	for _, list := range lists {
		for _, name := range strings.Split(list, ",") {
			members, err := expand(strings.TrimSpace(name))
			if err != nil {
				errs = append(errs, err)
			}
			for _, member := range members {
				if !slices.Contains(names, member) {
					names = append(names, member)
				}
			}
		}
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	return names, nil
}

// expand returns the members of a group, or the one task called name.
func expand(name string) ([]string, error) {
	if belongs, ok := groups[name]; ok {
		return slices.DeleteFunc(All.Names(), func(n string) bool {
			t, _ := All.Get(n)
			return !belongs(t)
		}), nil
	}
	known := append(All.Names(), Groups()...)
	if slices.Contains(known, name) {
		return []string{name}, nil
	}
	hint := registry.Hint(name, known)
	return nil, fmt.Errorf("no task named %q (have %s; groups %s)%s", name,
		strings.Join(All.Names(), ", "), strings.Join(Groups(), ", "), hint)
}
