package main

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"plumb/experiments"
	"plumb/internal/world"
	"plumb/tasks"
)

// sourceOptions are the flags that say where items come from.
type sourceOptions struct {
	data         []string
	limit, items int
	world        experiments.World
	given        *pflag.FlagSet
}

// add adds the flags to c.
func (o *sourceOptions) add(c *cobra.Command) {
	f := c.Flags()
	f.StringArrayVar(&o.data, "data", nil, "folder with the files of tasks, or TASK=FILE for one of them; may be repeated")
	f.IntVar(&o.limit, "limit", 0, "only the first so many items of each task (default: all)")
	f.IntVar(&o.items, "items", 0, fmt.Sprintf("items of each task of the built-in world (default: %d)", tasks.DefaultItems))
	f.Uint64Var(&o.world.Seed, "world-seed", 1, "of the built-in world (default: the one that the model was trained on, else 1)")
	f.IntVar(&o.world.People, "world-people", 0, "people in it (default: likewise)")
	f.IntVar(&o.world.Rooms, "world-rooms", 0, "rooms in it (default: likewise)")
	f.Lookup("world-seed").DefValue = "0" // keeps "(default 1)" out of the help, which says more
	o.given = f
}

// source checks the flags and returns where items come from. A flag about the
// world wins over the world that the model was trained on.
func (o *sourceOptions) source(learned *experiments.World) (tasks.Source, error) {
	src, err := tasks.ParseSource(o.data)
	wrong := []error{err}
	if o.limit < 0 {
		wrong = append(wrong, fmt.Errorf("--limit=%d must be a number of items, or 0 for all", o.limit))
	}
	if o.items < 0 {
		wrong = append(wrong, fmt.Errorf("--items=%d must be a number of items, or 0 for %d", o.items, tasks.DefaultItems))
	}
	w := o.world
	if learned != nil {
		w = o.overriding(*learned)
	}
	src.Limit, src.Items = o.limit, o.items
	if err := w.Validate(); err != nil {
		wrong = append(wrong, fmt.Errorf("--world-people, --world-rooms: %w", err))
		return src, errors.Join(wrong...)
	}
	src.World, err = world.New(w.Seed, w.Options)
	return src, errors.Join(append(wrong, err)...)
}

// overriding returns w with what the flags say otherwise.
func (o *sourceOptions) overriding(w experiments.World) experiments.World {
	if o.given.Changed("world-seed") {
		w.Seed = o.world.Seed
	}
	if o.given.Changed("world-people") {
		w.People = o.world.People
	}
	if o.given.Changed("world-rooms") {
		w.Rooms = o.world.Rooms
	}
	return w
}

// A loadedTask is a task with its items.
type loadedTask struct {
	name  string
	task  tasks.Task
	items []tasks.Item
	from  tasks.Provenance
}

// loadTasks loads every task that names stand for, or says of all that cannot
// be loaded why.
func loadTasks(names []string, src tasks.Source) ([]loadedTask, error) {
	resolved, err := tasks.Resolve(names...)
	if err != nil {
		return nil, err
	}
	var loaded []loadedTask
	var wrong []error
	for _, name := range resolved {
		task, err := tasks.All.Get(name)
		if err != nil {
			return nil, err
		}
		items, from, err := tasks.Load(name, src)
		wrong = append(wrong, err)
		loaded = append(loaded, loadedTask{name, task, items, from})
	}
	return loaded, errors.Join(wrong...)
}

// completeTasks completes names of tasks and groups.
func completeTasks() []string { return append(tasks.All.Names(), tasks.Groups()...) }
