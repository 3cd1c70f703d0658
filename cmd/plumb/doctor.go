package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"plumb/internal/machine"
	"plumb/kernels"
	"plumb/tasks"
)

func init() { commands = append(commands, newDoctor) }

func newDoctor(a *app) *cobra.Command {
	var o doctorOptions
	c := &cobra.Command{
		Use:   "doctor",
		Short: "check this machine: processor, kernels, folders, versions",
		Long: `Check this machine. Every implementation of the kernels that the processor runs
is compared bit by bit with the one in pure Go, and its matrix product is timed
on one core. Folders are tried for room and permission; with --data, the files
of each task are looked for.

The status is 1 where kernels disagree, and 6 where results could not be
written.`,
		Example: `  plumb doctor
  plumb doctor --data ../shared/data --out runs
  plumb doctor --json | jq '.kernels[] | {name, gflops}'`,
		Args: exactly(),
		RunE: func(*cobra.Command, []string) error { return runDoctor(a, o) },
	}
	c.Flags().StringVar(&o.out, "out", "runs", "folder that results would go to")
	c.Flags().StringVar(&o.data, "data", "", "folder to look for the files of tasks in")
	return c
}

// doctorOptions are the flags of doctor.
type doctorOptions struct{ out, data string }

// A diagnosis is all that doctor finds.
type diagnosis struct {
	Version string            `json:"version"`
	Machine machine.Facts     `json:"machine"`
	Kernels []kernels.Checked `json:"kernels"`
	Paths   []pathCheck       `json:"paths"`
	Tasks   []taskFile        `json:"tasks,omitempty"`
}

// A pathCheck says whether a folder can be written to. Where it does not exist
// yet, the nearest folder above it is tried.
type pathCheck struct {
	Name  string `json:"name"`
	Path  string `json:"path"`
	Free  int    `json:"free_bytes"`
	Error string `json:"error,omitempty"`
	err   error
}

// A taskFile says which file of a data folder a task would read.
type taskFile struct {
	Task string `json:"task"`
	File string `json:"file,omitempty"` // empty where none of its files exists
}

func runDoctor(a *app, o doctorOptions) error {
	if err := checkFolder(o.data); err != nil {
		return err
	}
	d := diagnosis{
		Version: version(), Machine: machine.Look(), Kernels: kernels.Check(),
		Paths: []pathCheck{checkPath("results", o.out), checkPath("temporary files", os.TempDir())},
	}
	if o.data != "" {
		d.Tasks = findTasks(o.data)
	}
	err := a.ctx.Err()
	if err != nil {
		return err
	}
	if a.json {
		err = a.emit(d)
	} else {
		err = d.write(a)
	}
	return errors.Join(err, d.failures())
}

// checkFolder demands that path, unless it is empty, is a folder.
func checkFolder(path string) error {
	if path == "" {
		return nil
	}
	info, err := os.Stat(path)
	if err == nil && !info.IsDir() {
		return fmt.Errorf("--data=%s is a file: give the folder that holds the data", path)
	}
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("--data=%s: there is no such folder", path)
	}
	return err
}

// checkPath tries to make a file in path or in what exists of it.
func checkPath(name, path string) pathCheck {
	full, err := filepath.Abs(path)
	if err != nil {
		full = path
	}
	check := pathCheck{Name: name, Path: full}
	dir := existing(full)
	if check.err = tryWrite(dir); check.err != nil {
		check.Error = check.err.Error()
		return check
	}
	if free, err := machine.FreeDisk(dir); err == nil {
		check.Free = free
	}
	return check
}

// existing returns path or the nearest folder above it that exists.
func existing(path string) string {
	for {
		_, err := os.Stat(path)
		parent := filepath.Dir(path)
		if err == nil || parent == path {
			return path
		}
		path = parent
	}
}

// tryWrite makes a file in dir and removes it.
func tryWrite(dir string) error {
	f, err := os.CreateTemp(dir, ".plumb-doctor-*")
	if err != nil {
		return err
	}
	return errors.Join(f.Close(), os.Remove(f.Name()))
}

// findTasks looks for the files of every task that reads one.
func findTasks(data string) []taskFile {
	var found []taskFile
	for _, name := range tasks.All.Names() {
		task, err := tasks.All.Get(name)
		if err != nil || len(task.Files) == 0 {
			continue
		}
		file, _ := tasks.Find(name, tasks.Source{Dir: data}) // that there is none is no failure
		found = append(found, taskFile{Task: name, File: file})
	}
	return found
}

// failures returns what must not stay as it is.
func (d diagnosis) failures() error {
	for _, k := range d.Kernels {
		if len(k.Differ) > 0 {
			return withStatus(statusBug, fmt.Errorf("kernels %s and generic disagree on %s", k.Name, strings.Join(k.Differ, ", ")))
		}
	}
	for _, p := range d.Paths {
		if p.err != nil {
			return withStatus(statusEnvironment, fmt.Errorf("cannot write %s: %w", p.Name, p.err))
		}
	}
	return nil
}

// write prints d for people.
func (d diagnosis) write(a *app) error {
	for _, table := range []grid{d.machineTable(), d.kernelTable(a), d.pathTable(a), d.taskTable()} {
		if len(table.rows) == 0 {
			continue
		}
		if err := table.write(a.out); err != nil {
			return err
		}
		fmt.Fprintln(a.out)
	}
	return nil
}

func (d diagnosis) machineTable() grid {
	m := d.Machine
	g := grid{header: []string{"machine", ""}}
	g.add("version", d.Version)
	g.add("system", m.System)
	g.add("processor", m.Processor)
	g.add("features", strings.Join(m.Features, " "))
	g.add("cores", fmt.Sprint(m.Cores))
	g.add("memory", fmt.Sprintf("%s, %s available", bytesText(m.Memory), bytesText(m.Available)))
	load := fmt.Sprintf("%.2f", m.Load)
	if m.Load > float64(m.Cores)/2 {
		load += ": busy, so that timings will be unsteady"
	}
	g.add("load", load)
	return g
}

func (d diagnosis) kernelTable(a *app) grid {
	g := grid{header: []string{"kernels", "in use", "against generic", "#GFLOP/s on a core", "#of at most"}}
	for _, k := range d.Kernels {
		verdict := fmt.Sprintf("same bits in %d cases", k.Cases)
		if len(k.Differ) > 0 {
			verdict = a.red("DIFFERS: " + strings.Join(k.Differ, ", "))
		}
		g.add(k.Name, choose(k.Chosen, "yes", ""), verdict, fmt.Sprintf("%.1f", k.GFLOPs), fmt.Sprintf("%.1f", k.Peak))
	}
	return g
}

func (d diagnosis) pathTable(a *app) grid {
	g := grid{header: []string{"folder", "path", "#free", "state"}}
	for _, p := range d.Paths {
		state := "writable"
		if p.Error != "" {
			state = a.red("FAILED: " + p.Error)
		}
		g.add(p.Name, p.Path, bytesText(p.Free), state)
	}
	return g
}

func (d diagnosis) taskTable() grid {
	g := grid{header: []string{"task", "file"}}
	for _, t := range d.Tasks {
		g.add(t.Task, choose(t.File != "", t.File, "none of its files is there"))
	}
	return g
}
