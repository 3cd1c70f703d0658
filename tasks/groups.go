package tasks

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"plumb/internal/registry"
)

// commonSense are the eight tasks of MobileLLM's tables, in their order.
var commonSense = []string{"arc_easy", "arc_challenge", "boolq", "piqa", "social_iqa", "hellaswag", "openbookqa", "winogrande"}

// groups are names for several tasks.
var groups = map[string]func() []string{
	"csr": func() []string { return slices.Clone(commonSense) },
	"benchmarks": func() []string {
		return append(slices.Clone(commonSense), "lambada_openai", "lambada_standard", "race", "triviaqa", "wikitext")
	},
	"world":      func() []string { return where(func(_ string, t Task) bool { return t.Generate != nil && !t.Hard }) },
	"world_hard": func() []string { return where(func(_ string, t Task) bool { return t.Generate != nil && t.Hard }) },
}

// where lists the tasks that belong, in alphabetical order.
func where(belongs func(name string, t Task) bool) []string {
	return slices.DeleteFunc(All.Names(), func(name string) bool {
		t, _ := All.Get(name)
		return !belongs(name, t)
	})
}

// Groups lists the names of the groups in order: csr, the eight tasks of common
// sense of MobileLLM's tables; benchmarks, these and all others that
// lm-evaluation-harness has too; and the built-in kinds that small models learn,
// and those that are kept as a hard set of their own.
func Groups() []string { return slices.Sorted(maps.Keys(groups)) }

// Members lists the tasks of a group; ok is false where name is no group.
func Members(name string) (members []string, ok bool) {
	list, ok := groups[name]
	if !ok {
		return nil, false
	}
	return list(), true
}

// aliases are second names of tasks. A second protocol has them too.
var aliases = map[string]string{}

// Canonical returns the name of the task that name may be a second name of.
func Canonical(name string) string {
	base, protocol, second := strings.Cut(name, "@")
	if full, ok := aliases[base]; ok {
		base = full
	}
	if second {
		return base + "@" + protocol
	}
	return base
}

// Resolve turns names of tasks and groups, each possibly a list with commas,
// into the names of tasks: in the order given, each task once, second names
// replaced. All unknown names are reported at once, with suggestions.
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

// Protocols lists the protocols beside that of lm-evaluation-harness: what
// stands behind the @ of tasks' names.
func Protocols() []string {
	var names []string
	for _, name := range All.Names() {
		if _, protocol, ok := strings.Cut(name, "@"); ok {
			names = append(names, protocol)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// ResolveProtocol is Resolve with every task under the given protocol, none
// for "". All tasks that do not have it are reported at once.
func ResolveProtocol(protocol string, lists ...string) ([]string, error) {
	names, err := Resolve(lists...)
	if err != nil || protocol == "" {
		return names, err
	}
	if !slices.Contains(Protocols(), protocol) {
		hint := registry.Hint(protocol, Protocols())
		return nil, fmt.Errorf("no protocol named %q (have %s)%s", protocol, strings.Join(Protocols(), ", "), hint)
	}
	var errs []error
	for i, name := range names {
		base, _, _ := strings.Cut(name, "@")
		names[i] = base + "@" + protocol
		if !slices.Contains(All.Names(), names[i]) {
			errs = append(errs, fmt.Errorf("task %s has no protocol %s", base, protocol))
		}
	}
	return names, errors.Join(errs...)
}

// expand returns the members of a group, or the one task called name.
func expand(name string) ([]string, error) {
	if members, ok := Members(name); ok {
		return members, nil
	}
	full := Canonical(name)
	known := append(All.Names(), Groups()...)
	if slices.Contains(known, full) {
		return []string{full}, nil
	}
	hint := registry.Hint(name, append(known, slices.Sorted(maps.Keys(aliases))...))
	plain := where(func(name string, _ Task) bool { return !strings.Contains(name, "@") })
	return nil, fmt.Errorf("no task named %q (have %s; groups %s)%s", name,
		strings.Join(plain, ", "), strings.Join(Groups(), ", "), hint)
}
