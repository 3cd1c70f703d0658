package main

import (
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"plumb/results"
	"plumb/tasks"
)

func init() { commands = append(commands, newCompare) }

func newCompare(a *app) *cobra.Command {
	var o evalOptions
	c := &cobra.Command{
		Use:   "compare A B",
		Short: "test whether one model scores better than another",
		Long: `Test whether model A scores better than model B, item by item on the same items:
a paired t over the differences, with items that were made together counted as
one. A and B are folders with records.jsonl and items, as plumb eval --output and
runs write them, or models; models are scored first, as plumb eval does it.

Without --tasks all tasks that both have scores of are compared. Below the tasks
stands their plain average, where they have a metric in common. The probability
is two-sided and not corrected for the number of tasks; what is below 0.05 has a
star.`,
		Example: `  plumb compare scores-a scores-b
  plumb compare MODEL_A MODEL_B --tasks csr --data ../shared/data --limit 500
  plumb compare runs/quickstart/0123456789abcdef runs/quickstart/fedcba9876543210 --json`,
		Args: exactly("model or folder of scores A", "model or folder of scores B"),
		RunE: func(_ *cobra.Command, args []string) error { return runCompare(a, args[0], args[1], o) },
	}
	f := c.Flags()
	f.StringArrayVar(&o.tasks, "tasks", nil, "tasks and groups of tasks, with commas between (default: all that both have scores of)")
	f.StringVar(&o.protocol, "protocol", "", "compare every task by this protocol: "+strings.Join(tasks.Protocols(), ", "))
	o.source.add(c)
	f.IntVar(&o.batch, "batch", 16, "items at a time; changes no score")
	f.StringVar(&o.bos, "bos", bosAuto, "whether contexts begin with the start of text: always, never, auto (as the model was trained)")
	addForce(c, &o.force)
	addProgress(c, &o.progress)
	if err := c.RegisterFlagCompletionFunc("tasks", completeList(completeTasks())); err != nil {
		panic("plumb: " + err.Error())
	}
	complete(c, "protocol", tasks.Protocols())
	return c
}

func runCompare(a *app, first, second string, o evalOptions) error {
	names, err := o.compared()
	if err != nil {
		return err
	}
	sides := make([]scored, 2)
	for i, path := range []string{first, second} {
		if sides[i], err = readScored(a, path, names, o); err != nil {
			return err
		}
	}
	if names == nil {
		names = inBoth(sides[0], sides[1])
	}
	if len(names) == 0 {
		return fmt.Errorf("%s and %s have scores of no task in common; --tasks scores models first", first, second)
	}
	rows, err := compareTasks(sides[0], sides[1], names)
	if err != nil {
		return err
	}
	return writeComparisons(a, first, second, rows)
}

// compared are the tasks that the flags ask for, or nil.
func (o *evalOptions) compared() ([]string, error) {
	if err := o.source.addTasks(); err != nil {
		return nil, err
	}
	o.format = "text"
	if len(o.tasks) == 0 {
		return nil, nil
	}
	if err := o.check(); err != nil {
		return nil, err
	}
	return tasks.ResolveProtocol(o.protocol, o.tasks...)
}

// scored is what a model scored, by task.
type scored map[string]results.Items

// readScored takes the items of names, or all where there are none, from the
// folder at path, or scores the model there.
func readScored(a *app, path string, names []string, o evalOptions) (scored, error) {
	kept, err := keptItems(path)
	if err != nil {
		return nil, err
	}
	missing := func(name string) bool { _, ok := kept[name]; return !ok }
	if len(kept) > 0 && !slices.ContainsFunc(names, missing) {
		return kept, nil
	}
	if names == nil {
		return nil, fmt.Errorf("%s holds no scores; --tasks NAMES scores the model there", path)
	}
	m, err := openModel(path)
	if err != nil {
		return nil, err
	}
	if err := m.checkCanary(a, o.force); err != nil {
		return nil, err
	}
	e, err := newEvaluation(a, m, o)
	if err != nil {
		return nil, err
	}
	defer e.meter.finish()
	scores, err := e.run()
	if err != nil {
		return nil, err
	}
	for _, s := range scores {
		if s.Status != results.StatusOK && slices.Contains(names, s.Task) {
			return nil, fmt.Errorf("%s cannot be compared by %s: %s; name tasks without it", path, s.Task, s.Note)
		}
	}
	return e.items, nil
}

// keptItems reads the items files that the records in a folder name.
func keptItems(dir string) (scored, error) {
	file := filepath.Join(dir, "records.jsonl")
	if !exists(file) {
		return nil, nil
	}
	records, _, err := results.ReadRecords(file)
	if err != nil {
		return nil, err
	}
	kept := scored{}
	for _, r := range records {
		if r.Items == "" || r.Status != results.StatusOK {
			continue
		}
		x, err := results.ReadItems(filepath.Join(dir, "items"), r.Items)
		if err != nil {
			return nil, err
		}
		kept[x.Task] = x
	}
	return kept, nil
}

// inBoth lists the tasks that both have, in alphabetical order.
func inBoth(a, b scored) []string {
	names := slices.Sorted(maps.Keys(a))
	return slices.DeleteFunc(names, func(name string) bool { _, ok := b[name]; return !ok })
}

// A comparison is a line of the table.
type comparison struct {
	Task     string  `json:"task"`
	Metric   string  `json:"metric"`
	Unit     string  `json:"unit"`
	A        float64 `json:"a"`
	B        float64 `json:"b"`
	Diff     float64 `json:"difference"` // A - B
	StdErr   float64 `json:"stderr"`     // of Diff
	DF       float64 `json:"degrees_of_freedom"`
	P        float64 `json:"p"`
	N        int     `json:"n"`
	Clusters int     `json:"clusters"`
	Better   string  `json:"better"` // "A", "B", or "" where neither is shown to be
	Note     string  `json:"note,omitempty"`

	result results.Comparison
}

// compareTasks compares two models by every metric of every task, and by the
// average of those metrics that all tasks have.
func compareTasks(a, b scored, names []string) ([]comparison, error) {
	var rows []comparison
	var wrong []error
	for _, name := range names {
		x, y, note := sameStart(a[name], b[name])
		for _, metric := range metricsOf(name) {
			row, err := compareOne(x, y, metric)
			if err != nil {
				wrong = append(wrong, err)
				break
			}
			row.Note = note
			rows = append(rows, row)
		}
	}
	if err := errors.Join(wrong...); err != nil || len(names) < 2 {
		return rows, err
	}
	return append(rows, averageRows(rows, names)...), nil
}

// metricsOf are the metrics of a task, or of a text.
func metricsOf(name string) []string {
	t, err := tasks.All.Get(name)
	if err != nil {
		return []string{"nats_per_token", "bits_per_byte"}
	}
	return t.Metrics
}

// startSetting is the part of a protocol's name that says how texts begin.
var startSetting = regexp.MustCompile(`, bos (always|never)`)

// sameStart lets models be compared of which one was trained with a start token
// and the other was not, and says so.
func sameStart(a, b results.Items) (results.Items, results.Items, string) {
	p, q := startSetting.FindString(a.Protocol), startSetting.FindString(b.Protocol)
	if p == q {
		return a, b, ""
	}
	a.Protocol, b.Protocol = startSetting.ReplaceAllString(a.Protocol, ""), startSetting.ReplaceAllString(b.Protocol, "")
	return a, b, fmt.Sprintf("A with%s, B with%s", strings.TrimPrefix(p, ","), strings.TrimPrefix(q, ","))
}

func compareOne(a, b results.Items, metric string) (comparison, error) {
	measure, err := results.Measures.Get(metric)
	if err != nil {
		return comparison{}, err
	}
	c, err := results.Compare(a, b, metric)
	if err != nil {
		return comparison{}, err
	}
	row := comparison{Task: a.Task, Metric: metric, Unit: measure.Unit}
	row.A, _, _ = measure.Of(a.Items)
	row.B, _, _ = measure.Of(b.Items)
	return row.with(c), nil
}

// with takes over what a test found.
func (row comparison) with(c results.Comparison) comparison {
	row.result = c
	row.Diff, row.StdErr, row.DF, row.P, row.N, row.Clusters = c.Diff, c.SE, c.DF, c.P, c.Items, c.Clusters
	if !c.Testable() {
		row.StdErr, row.P, row.Note = 0, 1, c.Method
		return row
	}
	if c.Significant() {
		lower := results.Better(row.Task+"/"+row.Metric, row.Unit) == "lower"
		row.Better = choose((c.Diff > 0) != lower, "A", "B")
	}
	return row
}

// averageRows are the averages of each metric that all tasks have.
func averageRows(rows []comparison, names []string) []comparison {
	var means []comparison
	for _, metric := range commonMetrics(names) {
		mean := comparison{Task: "average", Metric: metric}
		var parts []results.Comparison
		for _, row := range rows {
			if row.Metric == metric {
				mean.Unit = row.Unit
				mean.A += row.A / float64(len(names))
				mean.B += row.B / float64(len(names))
				parts = append(parts, row.result)
			}
		}
		mean = mean.with(results.AverageOf(parts))
		mean.Note = joinNotes(fmt.Sprintf("plain average over the %d tasks", len(names)), mean.Note)
		means = append(means, mean)
	}
	return means
}

func writeComparisons(a *app, first, second string, rows []comparison) error {
	if a.json {
		for _, row := range rows {
			if err := a.emit(row); err != nil {
				return err
			}
		}
		return nil
	}
	fmt.Fprintf(a.out, "A is %s, B is %s\n\n", visibleText(first), visibleText(second))
	g := grid{header: []string{"task", "metric", "#A", "#B", "#A - B", "", "#stderr", "#p", "", "#n"}}
	var notes []string
	for _, row := range rows {
		g.add(row.Task, row.Metric, fmt.Sprintf("%.4f", row.A), fmt.Sprintf("%.4f", row.B), fmt.Sprintf("%+.4f", row.Diff), "±",
			fmt.Sprintf("%.4f", row.StdErr), fmt.Sprintf("%.4f", row.P), choose(row.Better != "", "* "+row.Better, ""), strconv.Itoa(row.N))
		if row.Note != "" {
			notes = append(notes, row.Task+": "+row.Note)
		}
	}
	if err := g.write(a.out); err != nil || len(notes) == 0 {
		return err
	}
	_, err := fmt.Fprintf(a.out, "\n%s\n", strings.Join(slices.Compact(notes), "\n"))
	return err
}
