package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"plumb/experiments"
	"plumb/results"
	"plumb/tasks"
)

func init() { commands = append(commands, newRun) }

// runOptions are the flags of run.
type runOptions struct {
	spec     specOptions
	out      string
	jobs     int
	only     string
	failed   bool
	retime   bool
	dryRun   bool
	progress string
}

func newRun(a *app) *cobra.Command {
	var o runOptions
	c := &cobra.Command{
		Use:   "run [SPEC]",
		Short: "train and score every model of a spec, and show the tables",
		Long: `Train and score every model of a spec, print its tables, and draw its figures.
SPEC is a TOML file, - for stdin, or the name of a spec that comes with the
program (plumb list specs); without one the quickstart is run, which needs no
data.

What has its records already is not done again, and what was interrupted goes
on from its last checkpoint. An interrupt (Ctrl-C) leaves checkpoints and stops;
a second one stops at once. Several processes may run the same spec: they share
the work.

A spec with [speed] has its models timed when all else is done, in turn and with
nothing else at work in this process. They are not timed again unless --retime is
given, or other models have come; that speeds are from another machine is said.

Results go below --out, in a folder with the name of the spec: records, what
every choice of every item scored, models, and in its folder report tables and
figures.`,
		Example: `  plumb run
  plumb run experiments/specs/depth-vs-width-novels.toml --data ../shared/data
  plumb run quickstart --set train.tokens=1e6 --set seeds=[1] --only 'layers=4 *'
  plumb run spec.toml --failed`,
		Args:              atMost("a SPEC"),
		ValidArgsFunction: completeFirst(specNames, true),
		RunE: func(_ *cobra.Command, args []string) error {
			return runSpec(a, strings.Join(args, ""), o)
		},
	}
	f := c.Flags()
	o.spec.add(c)
	f.StringVarP(&o.out, "out", "o", "runs", "folder for the results of all specs")
	f.IntVarP(&o.jobs, "jobs", "j", 0, "trials at a time (default: one a core)")
	f.StringVar(&o.only, "only", "", "only trials whose label, ID or number matches this pattern, such as 'layers=4 *'")
	f.BoolVar(&o.failed, "failed", false, "only trials that failed or diverged, anew")
	f.BoolVar(&o.retime, "retime", false, "time the models of a spec with [speed] again, here, whatever was measured")
	f.BoolVar(&o.dryRun, "dry-run", false, "say what would be done, as plumb plan does")
	addProgress(c, &o.progress)
	return c
}

// specOptions are the flags of commands that read a spec.
type specOptions struct {
	set   []string
	data  []string
	tasks []string // files that state some
}

func (o *specOptions) add(c *cobra.Command) {
	c.Flags().StringArrayVar(&o.set, "set", nil, "change a key of the spec, such as --set train.tokens=1e6; may be repeated")
	c.Flags().StringArrayVar(&o.data, "data", nil, "folder with texts and the files of tasks, or TASK=FILE for one of them; may be repeated")
	addTasksFiles(c, &o.tasks)
}

// load reads the spec and says where its data are; mistakes in both are
// reported together.
func (o *specOptions) load(a *app, name string) (*experiments.Spec, tasks.Source, error) {
	if err := addTasks(o.tasks); err != nil {
		return nil, tasks.Source{}, err
	}
	var spec *experiments.Spec
	var err error
	if name == "-" {
		spec, err = readSpec(a.in, o.set)
	} else {
		spec, err = loadSpec(name, o.set)
	}
	source, wrong := tasks.ParseSource(o.data)
	if wrong != nil {
		wrong = fmt.Errorf("--data: %w", wrong)
	}
	return spec, source, errors.Join(err, wrong)
}

func checkJobs(jobs int) error {
	const most = 1024
	if jobs < 0 || jobs > most {
		return fmt.Errorf("--jobs=%d must be from 1 to %d, or 0 for one a core", jobs, most)
	}
	return nil
}

func runSpec(a *app, name string, o runOptions) error {
	if err := checkJobs(o.jobs); err != nil {
		return err
	}
	if o.dryRun {
		return planSpec(a, name, planOptions{spec: o.spec, out: o.out, jobs: o.jobs, only: o.only})
	}
	spec, source, err := o.spec.load(a, name)
	if err != nil {
		return err
	}
	m, err := a.newMeter(o.progress)
	if err != nil {
		return err
	}
	defer m.finish()
	a.notef("plumb: %s has %d trials; results go to %s", spec.Name, len(spec.Trials()), filepath.Join(o.out, spec.Name))
	line := newRunLine(a, m)
	summary, err := experiments.Run(a.ctx, spec, experiments.Options{
		Out: o.out, Source: source, Jobs: o.jobs, Workers: a.workers, Only: o.only, Failed: o.failed, Observe: line.observe,
		Timer: newTimer, Retime: o.retime,
	})
	m.finish()
	var refused *experiments.EnvironmentError
	var memory *experiments.MemoryError
	if errors.As(err, &refused) && !errors.As(err, &memory) {
		err = fmt.Errorf("%w; results go below --out=%s: free room there, or name another folder", err, o.out)
	}
	if summary == nil {
		return err
	}
	return a.conclude(summary, err)
}

// conclude shows what a run came to and returns the error that says what is
// missing.
func (a *app) conclude(s *experiments.Summary, err error) error {
	a.notef("plumb: %s", summaryText(s))
	if s.Interrupted {
		a.notef("plumb: stopped; the same command goes on from here")
		return errors.Join(err, context.Canceled)
	}
	if err != nil {
		return err
	}
	files, err := a.reportRun(s.Folder)
	if a.json {
		s.Failed, s.Diverged = append([]experiments.TrialReport{}, s.Failed...), append([]experiments.TrialReport{}, s.Diverged...)
		err = errors.Join(err, a.emit(struct {
			Summary *experiments.Summary `json:"summary"`
			Files   []string             `json:"files"`
		}{s, files}))
	}
	return errors.Join(incomplete(s), undrawn(err))
}

// reportRun prints the tables of a run and says where its figures are.
func (a *app) reportRun(folder string) (files []string, err error) {
	report, err := experiments.ReadReport(folder)
	if err != nil {
		return nil, err
	}
	if err := a.writeTables(a.out, report.Tables, choose(a.json, "json", "text")); err != nil {
		return nil, err
	}
	files, err = report.Write()
	if !a.json {
		for _, file := range figures(files) {
			fmt.Fprintf(a.out, "figure %s\n", file)
		}
	}
	if len(files) > 0 {
		a.notef("plumb: tables and figures are in %s", filepath.Join(folder, "report"))
	}
	for _, problem := range report.Problems {
		a.notef("plumb: %v", problem)
	}
	return files, err
}

// writeTables prints tables with a blank line between them where people read.
func (a *app) writeTables(w *tracked, tables []*results.Table, format string) error {
	for i, t := range tables {
		if i > 0 && format != "json" && format != "csv" {
			fmt.Fprintln(w)
		}
		if err := t.Write(w, format, results.Style{Color: a.colorful(w.w)}); err != nil {
			return err
		}
	}
	if format == "text" && len(tables) > 0 {
		fmt.Fprintln(w)
	}
	return nil
}

// figures picks the figures among the files of a report.
func figures(files []string) []string {
	return slices.DeleteFunc(slices.Clone(files), func(file string) bool {
		return !slices.Contains([]string{".svg", ".png"}, filepath.Ext(file))
	})
}

// summaryText says what became of the trials of a run.
func summaryText(s *experiments.Summary) string {
	if s.Trials == 0 {
		return "no trial failed or diverged; nothing was left to do"
	}
	text := fmt.Sprintf("%d of %d trials have their records", s.Done, s.Trials)
	switch {
	case s.Ran > 0:
		text += fmt.Sprintf("; %d %s done in %s (%s of processor time)", s.Ran, plural(s.Ran, "stage"), timeText(s.Wall), timeText(s.CPU))
	case s.Done == s.Trials:
		text += "; nothing was left to do"
	}
	if n := len(s.Failed); n > 0 {
		text += fmt.Sprintf("; %d failed", n)
	}
	if n := len(s.Diverged); n > 0 {
		text += fmt.Sprintf("; %d diverged", n)
	}
	return text
}

func plural(n int, noun string) string {
	if n == 1 {
		return noun
	}
	return noun + "s"
}

// incomplete lists the trials that failed or diverged.
func incomplete(s *experiments.Summary) error {
	if s.Complete() {
		return nil
	}
	lines := append(troubles("failed", s.Failed), troubles("diverged", s.Diverged)...)
	return withStatus(statusIncomplete, fmt.Errorf("incomplete: %d of %d trials failed, %d diverged; --failed tries them again\n%s",
		len(s.Failed), s.Trials, len(s.Diverged), strings.Join(lines, "\n")))
}

// troubles has a line for each reason: the first of the trials that it is the
// reason of, and how many more there are.
func troubles(what string, trials []experiments.TrialReport) []string {
	var lines, reasons []string
	first, count := map[string]experiments.TrialReport{}, map[string]int{}
	for _, t := range trials {
		reason, _, _ := strings.Cut(t.Reason, "\n")
		if count[reason]++; count[reason] == 1 {
			first[reason] = t
			reasons = append(reasons, reason)
		}
	}
	for _, reason := range reasons {
		t, more := first[reason], ""
		if n := count[reason] - 1; n > 0 {
			more = fmt.Sprintf(" and %d more", n)
		}
		lines = append(lines, fmt.Sprintf("  %s %s (%s)%s: %s", t.Trial, what, t.Label, more, reason))
	}
	return lines
}
