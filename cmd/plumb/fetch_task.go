package main

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"plumb/internal/atomicfile"
	"plumb/internal/hub"
	"plumb/internal/parquet"
	"plumb/tasks"
)

// fetchTaskOptions are the flags of fetch task.
type fetchTaskOptions struct {
	fetchOptions
	data  string
	train bool
}

func newFetchTask(a *app) *cobra.Command {
	var o fetchTaskOptions
	c := &cobra.Command{
		Use:   "task NAMES",
		Short: "bring the files of tasks, as JSON Lines",
		Long: `Bring the official files of tasks, where --data DIR of other commands looks for
them. NAMES are names of tasks and groups with commas between. The hub has each
data set as Parquet; its rows are written as JSON Lines in the same order, and are
tried as items of the task. A file that is there with other content is left alone.`,
		Example: `  plumb fetch task hellaswag
  plumb fetch task winogrande,hellaswag --data data --train
  plumb eval MODEL --tasks hellaswag --data data`,
		Args:              exactly("NAMES of tasks: " + strings.Join(tasks.Origins(), ", ")),
		ValidArgsFunction: completeList(tasks.Origins()),
		RunE:              func(_ *cobra.Command, args []string) error { return fetchFailure(fetchTasks(a, args[0], o)) },
	}
	c.Flags().StringVar(&o.data, "data", "data", "folder to put the files below")
	c.Flags().BoolVar(&o.train, "train", false, "the split that solved examples are taken from, too")
	o.add(c)
	return c
}

// fetchedTask is what --json prints of each file.
type fetchedTask struct {
	Task    string `json:"task"`
	Dataset string `json:"dataset"`
	Commit  string `json:"commit"`
	Config  string `json:"config"`
	Split   string `json:"split"`
	File    string `json:"file"`
	Rows    int    `json:"rows"`
}

func fetchTasks(a *app, list string, o fetchTaskOptions) error {
	names, err := tasks.Resolve(list)
	if err != nil {
		return err
	}
	var wrong []error
	for _, name := range names {
		_, err := tasks.OriginOf(name)
		wrong = append(wrong, err)
	}
	if err := errors.Join(wrong...); err != nil {
		return err
	}
	client, finish, err := o.client(a)
	if err != nil {
		return err
	}
	defer finish()
	for _, name := range names {
		if err := fetchTask(a, client, name, o); err != nil {
			return err
		}
	}
	return nil
}

// fetchTask brings one task's files.
func fetchTask(a *app, client *hub.Client, name string, o fetchTaskOptions) error {
	origin, err := tasks.OriginOf(name)
	if err != nil {
		return err
	}
	s, err := client.Snapshot(a.ctx, hub.Repo{Kind: hub.Dataset, Name: origin.Dataset}, tasks.OriginRevision)
	if err != nil {
		return fmt.Errorf("task %s: %w", name, err)
	}
	for _, split := range origin.Splits {
		if split.Train && !o.train {
			continue
		}
		path := filepath.Join(o.data, filepath.FromSlash(split.File))
		rows, err := fetchSplit(a, client, s, origin.Pattern(split), path)
		if err != nil {
			return fmt.Errorf("task %s: %w", name, err)
		}
		if err := tryTask(a, name, o.data, path, split); err != nil {
			return err
		}
		done := fetchedTask{name, origin.Dataset, s.Commit, origin.Config, split.Split, path, rows}
		if a.json {
			err = a.emit(done)
		} else {
			_, err = fmt.Fprintf(a.out, "%s: %d rows of %s, %s\n", path, rows, origin.Dataset, split.Split)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// fetchSplit writes the rows of the Parquet files that fit pattern to path.
func fetchSplit(a *app, client *hub.Client, s *hub.Snapshot, pattern, path string) (rows int, err error) {
	files, err := s.Matching(pattern)
	if err != nil {
		return 0, err
	}
	if err := client.Fetch(a.ctx, s, files); err != nil {
		return 0, err
	}
	var lines bytes.Buffer
	for _, name := range files {
		n, err := appendRows(&lines, filepath.Join(s.Dir, filepath.FromSlash(name)))
		if err != nil {
			return 0, fmt.Errorf("%s/%s: %w", s.Repo, name, err)
		}
		rows += n
	}
	return rows, writeNew(path, lines.Bytes())
}

// appendRows appends the rows of the Parquet file at path, a line each, as far
// as a task file may be long.
func appendRows(lines *bytes.Buffer, path string) (rows int, err error) {
	info, err := os.Stat(path)
	if err != nil {
		return 0, err
	}
	if info.Size() > tasks.MaxFileBytes {
		return 0, fmt.Errorf("%d bytes, more than the %d a task file may have", info.Size(), tasks.MaxFileBytes)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return 0, err
	}
	for row, err := range parquet.Rows(data) {
		if err != nil {
			return rows, err
		}
		lines.Write(row)
		lines.WriteByte('\n')
		if rows++; lines.Len() > tasks.MaxFileBytes {
			return rows, fmt.Errorf("more than the %d bytes of rows that a task file may have", tasks.MaxFileBytes)
		}
	}
	return rows, nil
}

// writeNew writes data to path unless it is there already; what else is there is
// left alone.
func writeNew(path string, data []byte) error {
	old, err := os.ReadFile(path)
	switch {
	case err == nil && bytes.Equal(old, data):
		return nil
	case err == nil:
		return fmt.Errorf("%s is there with other content; remove it, or give another folder with --data", path)
	case !errors.Is(err, fs.ErrNotExist):
		return err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
		return unwritten(err)
	}
	return unwritten(atomicfile.Write(path, data))
}

// tryTask reads the file that was fetched as its task does, and says when
// another file in the folder is read in its place.
func tryTask(a *app, name, dir, path string, split tasks.OriginSplit) error {
	if _, _, err := tasks.Load(name, tasks.Source{Files: map[string]string{name: path}}); err != nil {
		return fmt.Errorf("%s was fetched, but cannot be read: %w", path, err)
	}
	if found, err := tasks.Find(name, tasks.Source{Dir: dir}); err == nil && found != path && !split.Train {
		a.notef("plumb: %s is read first; --data %s=%s reads what was fetched", found, name, path)
	}
	return nil
}
