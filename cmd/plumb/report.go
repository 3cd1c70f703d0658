package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"plumb/experiments"
	"plumb/internal/atomicfile"
	"plumb/plots"
	"plumb/results"
)

func init() { commands = append(commands, newReport) }

// reportOptions are the flags of report.
type reportOptions struct{ format, output, view string }

func newReport(a *app) *cobra.Command {
	var o reportOptions
	c := &cobra.Command{
		Use:   "report DIR",
		Short: "print the tables of a run and draw its figures",
		Long: `Print the tables of a run, made from its records alone, and write them in all
formats, with the figures, into the folder report below it. DIR is the folder of
a run, such as runs/quickstart. A run that is still at work can be reported.

Values are means over seeds with their 95 % interval. What is best, and all that
is not significantly worse, is bold, or starred where there is no bold.`,
		Example: `  plumb report runs/quickstart
  plumb report runs/quickstart --format latex --output table.tex
  plumb report runs/quickstart --format csv --view 'accuracy*' | head`,
		Args: exactly("the folder of a run"),
		RunE: func(_ *cobra.Command, args []string) error { return runReport(a, args[0], o) },
	}
	f := c.Flags()
	f.StringVarP(&o.format, "format", "f", "text", "of the tables: "+strings.Join(results.Formats.Names(), ", "))
	f.StringVarP(&o.output, "output", "o", "-", "file for the tables; - is stdout")
	f.StringVar(&o.view, "view", "*", "only views whose name matches this pattern")
	complete(c, "format", results.Formats.Names())
	return c
}

func runReport(a *app, dir string, o reportOptions) error {
	if a.json {
		o.format = "json"
	}
	if _, err := results.Formats.Get(o.format); err != nil {
		return fmt.Errorf("--format: %w", err)
	}
	e, err := experiments.ReadExperiment(dir)
	if err != nil {
		return noRun(dir, err)
	}
	views, err := matchingViews(e.Views, o.view)
	if err != nil {
		return err
	}
	report, err := experiments.ReadReport(dir, views...)
	if err != nil {
		return err
	}
	if err := a.printReport(report, o); err != nil {
		return err
	}
	files, err := report.Write()
	for _, file := range figures(files) {
		a.notef("plumb: figure %s", file)
	}
	return errors.Join(a.whatIsMissing(report), undrawn(err))
}

// undrawn marks the error of figures that have nothing to show as a lack of
// records; what the disk refuses stays what it is.
func undrawn(err error) error {
	if statusOf(err) == statusEnvironment {
		return err
	}
	return withStatus(statusIncomplete, err)
}

// matchingViews picks views by their names.
func matchingViews(views []results.View, pattern string) ([]results.View, error) {
	var found []results.View
	var names []string
	for _, v := range views {
		ok, err := path.Match(pattern, v.Slug())
		if err != nil {
			return nil, fmt.Errorf("--view=%s is no pattern: %v", pattern, err)
		}
		if ok {
			found = append(found, v)
		}
		names = append(names, v.Slug())
	}
	if len(found) == 0 {
		return nil, unknown("view", pattern, names)
	}
	return found, nil
}

// printReport writes the tables to stdout or to the file that was asked for.
func (a *app) printReport(report *experiments.Report, o reportOptions) error {
	if o.output == "-" {
		return a.writeReport(a.out, report, o.format)
	}
	var text bytes.Buffer
	if err := a.writeReport(&tracked{w: &text}, report, o.format); err != nil {
		return err
	}
	return unwritten(atomicfile.Write(o.output, text.Bytes()))
}

// writeReport writes the tables in a format; HTML is a page with the figures.
func (a *app) writeReport(w *tracked, report *experiments.Report, format string) error {
	if format != "html" {
		return a.writeTables(w, report.Tables, format)
	}
	page := results.Report{Title: report.Experiment.Name}
	if report.Experiment.Question != "" {
		page.About = []string{report.Experiment.Question}
	}
	for i, table := range report.Tables {
		section := results.Section{Table: table}
		if view := report.Views[i]; view.Figure != "" {
			figure, err := plots.Draw(plots.Input{View: view, Table: table, Curves: report.Curves})
			if err == nil { // otherwise writing the figures says so
				section.Figure = figure.SVG()
			}
		}
		page.Sections = append(page.Sections, section)
	}
	return results.WriteReport(w, page)
}

// whatIsMissing tells of trials without records, and fails where records were
// damaged.
func (a *app) whatIsMissing(report *experiments.Report) error {
	if n := len(report.Missing); n > 0 {
		a.notef("plumb: %d of %d trials have no records yet: %s", n, n+report.Done, shortList(report.Missing))
	}
	if len(report.Problems) == 0 {
		return nil
	}
	var lines []string
	for _, problem := range report.Problems {
		lines = append(lines, problem.Error())
	}
	return withStatus(statusIncomplete, fmt.Errorf("%s", strings.Join(lines, "\n")))
}

// shortList names the first few of many.
func shortList(names []string) string {
	const most = 3
	if len(names) <= most {
		return strings.Join(names, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(names[:most], ", "), len(names)-most)
}

// noRun adds to an error which folders of runs are below dir.
func noRun(dir string, err error) error {
	entries, _ := os.ReadDir(dir)
	var runs []string
	for _, entry := range entries {
		if _, err := experiments.ReadExperiment(filepath.Join(dir, entry.Name())); err == nil {
			runs = append(runs, filepath.Join(dir, entry.Name()))
		}
	}
	if len(runs) == 0 {
		return err
	}
	return fmt.Errorf("%w; did you mean %s?", err, strings.Join(runs, " or "))
}
