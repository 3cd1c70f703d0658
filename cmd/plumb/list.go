package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"plumb/arch"
	"plumb/internal/registry"
	"plumb/kernels"
	"plumb/tasks"
)

// A listing is one kind of thing that `plumb list` lists.
type listing struct {
	about  string
	header []string
	// entries returns what there is, in order: the cells of a row for people, and
	// an object for --json.
	entries func() ([]entry, error)
}

// An entry is one line of a listing.
type entry struct {
	cells  []string
	object any
}

// listings holds what can be listed, by the word that asks for it.
var listings = registry.New[listing]("listing")

func init() {
	commands = append(commands, newList)
	listings.Add("sharings", listing{"ways for layers to share blocks", []string{"name", "4 blocks run twice"}, listSharings})
	listings.Add("presets", listing{"published shapes", []string{"name", "#layers", "#width", "#parameters", "#body"}, listPresets})
	listings.Add("kernels", listing{"implementations of the kernels that this processor runs, fastest first", []string{"name", "in use"}, listKernels})
	listings.Add("tasks", listing{"benchmarks, and groups of them", []string{"name", "about"}, listTasks})
}

func newList(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "list " + strings.Join(listings.Names(), "|"),
		Short: "list what can be named in specs and commands",
		Long: `List what can be named in specs and commands. With --json every entry is one
object.`,
		Example: `  plumb list presets
  plumb list tasks --json | jq -r .name`,
		Args:              exactly("what to list: " + strings.Join(listings.Names(), ", ")),
		ValidArgsFunction: completeFirst(listings.Names, false),
		RunE:              func(_ *cobra.Command, args []string) error { return runList(a, args[0]) },
	}
}

func runList(a *app, kind string) error {
	l, err := listings.Get(kind)
	if err != nil {
		return err
	}
	entries, err := l.entries()
	if err != nil {
		return err
	}
	table := grid{header: l.header}
	for _, e := range entries {
		if a.json {
			if err := a.emit(e.object); err != nil {
				return err
			}
		}
		table.add(e.cells...)
	}
	if a.json {
		return nil
	}
	return table.write(a.out)
}

func listSharings() ([]entry, error) {
	var entries []entry
	for _, name := range arch.Sharings.Names() {
		share, err := arch.Sharings.Get(name)
		if err != nil {
			return nil, err
		}
		order := share(4, 2)
		example := strings.Trim(fmt.Sprint(order), "[]")
		entries = append(entries, entry{
			[]string{name, example},
			struct {
				Name    string `json:"name"`
				Blocks  int    `json:"blocks"`
				Repeat  int    `json:"repeat"`
				Example []int  `json:"example"` // block of each layer
			}{name, 4, len(order) / 4, order},
		})
	}
	return entries, nil
}

func listPresets() ([]entry, error) {
	var entries []entry
	for _, name := range arch.Presets.Names() {
		c, err := arch.Presets.Get(name)
		if err != nil {
			return nil, err
		}
		p := c.Params()
		entries = append(entries, entry{
			[]string{name, fmt.Sprint(c.Layers), fmt.Sprint(c.Width), grouped(p.Total), grouped(p.Body)},
			struct {
				Name   string      `json:"name"`
				Layers int         `json:"layers"`
				Blocks int         `json:"blocks"`
				Width  int         `json:"width"`
				Params arch.Params `json:"params"`
			}{name, c.Layers, c.BlockCount(), c.Width, p},
		})
	}
	return entries, nil
}

func listKernels() ([]entry, error) {
	var entries []entry
	for _, name := range kernels.Names() {
		used := ""
		if name == kernels.Chosen() {
			used = "yes"
		}
		entries = append(entries, entry{
			[]string{name, used},
			struct {
				Name   string `json:"name"`
				Chosen bool   `json:"chosen"`
			}{name, used != ""},
		})
	}
	return entries, nil
}

func listTasks() ([]entry, error) {
	type object struct {
		Name    string   `json:"name"`
		About   string   `json:"about,omitempty"`
		Version string   `json:"version,omitempty"`
		Metrics []string `json:"metrics,omitempty"`
		Tasks   []string `json:"tasks,omitempty"` // of a group
	}
	var entries []entry
	for _, name := range tasks.All.Names() {
		t, err := tasks.All.Get(name)
		if err != nil {
			return nil, err
		}
		entries = append(entries, entry{[]string{name, t.About}, object{Name: name, About: t.About, Version: t.Version, Metrics: t.Metrics}})
	}
	for _, group := range tasks.Groups() {
		members, err := tasks.Resolve(group)
		if err != nil {
			return nil, err
		}
		slices.Sort(members)
		entries = append(entries, entry{[]string{group, "all of " + strings.Join(members, ", ")}, object{Name: group, Tasks: members}})
	}
	return entries, nil
}
