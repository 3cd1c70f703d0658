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
	shots        tasks.Shots
	tasksFiles   []string
	world        experiments.World
	given        *pflag.FlagSet
}

// add adds the flags to c.
func (o *sourceOptions) add(c *cobra.Command) {
	f := c.Flags()
	f.StringArrayVar(&o.data, "data", nil, "folder with the files of tasks, or TASK=FILE for one of them; may be repeated")
	f.IntVar(&o.limit, "limit", 0, "only the first so many items of each task (default: all)")
	f.IntVar(&o.items, "items", 0, fmt.Sprintf("items of each task of the built-in world (default: %d)", tasks.DefaultItems))
	f.IntVar(&o.shots.N, "shots", 0, "solved examples before each item: the first of a training file, else of the other items")
	f.Uint64Var(&o.shots.Seed, "shots-seed", 0, "draws the examples of each item at random")
	addTasksFiles(c, &o.tasksFiles)
	f.Uint64Var(&o.world.Seed, "world-seed", 1, "of the built-in world (default: the one that the model was trained on, else 1)")
	f.IntVar(&o.world.People, "world-people", 0, "people in it (default: likewise)")
	f.IntVar(&o.world.Rooms, "world-rooms", 0, "rooms in it (default: likewise)")
	f.Lookup("world-seed").DefValue = "0" // keeps "(default 1)" out of the help, which says more
	o.given = f
}

// addTasksFiles adds the flag that names files with further tasks.
func addTasksFiles(c *cobra.Command, files *[]string) {
	c.Flags().StringArrayVar(files, "tasks-file", nil, "TOML file with tasks, or folder of such files; may be repeated")
}

// addTasks makes the tasks of files known, before names are looked up.
func addTasks(files []string) error {
	var wrong []error
	for _, file := range files {
		wrong = append(wrong, tasks.AddFile(file))
	}
	return errors.Join(wrong...)
}

func (o *sourceOptions) addTasks() error { return addTasks(o.tasksFiles) }

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
	if err := o.shots.Check(); err != nil {
		wrong = append(wrong, fmt.Errorf("--shots: %w", err))
	}
	o.shots.Sample = o.given.Changed("shots-seed")
	w := o.world
	if learned != nil {
		w = o.overriding(*learned)
	}
	src.Limit, src.Items, src.Shots = o.limit, o.items, o.shots
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
func loadTasks(protocol string, names []string, src tasks.Source) ([]loadedTask, error) {
	resolved, err := tasks.ResolveProtocol(protocol, names...)
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
