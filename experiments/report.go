package experiments

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"plumb/internal/atomicfile"
	"plumb/plots"
	"plumb/results"
	"plumb/tasks"
)

// A Report is the tables and figures of a run folder, made from its records
// alone. It can be made while the run goes on.
type Report struct {
	Experiment Experiment
	Tables     []*results.Table // one for each view that has records
	Views      []results.View   // those views
	Curves     []results.Curve
	Done       int      // trials that have their records
	Missing    []string // labels of those that have not, and whether they failed
	Problems   []error  // damaged records, views without records
	folder     string
	speeds     *speeds // nil where nothing was timed
}

// ReadReport makes the report of a run folder, with the views of the spec that
// was last run there, or with others.
func ReadReport(folder string, views ...results.View) (*Report, error) {
	e, err := ReadExperiment(folder)
	if err != nil {
		return nil, err
	}
	if len(views) == 0 {
		views = e.Views
	}
	r := &Report{Experiment: e, folder: folder}
	records := r.read()
	items := results.ItemFolders(folder)
	for _, view := range views {
		if len(records) == 0 {
			break
		}
		table, err := view.Table(records, items)
		if err != nil {
			r.Problems = append(r.Problems, fmt.Errorf("view %s: %w", view.Slug(), err))
			continue
		}
		if r.speeds != nil {
			table.Caption = append(table.Caption, r.speeds.caption(table)...)
		}
		r.Tables, r.Views = append(r.Tables, table), append(r.Views, view)
	}
	return r, nil
}

// read collects the records and curves of all trials that are complete.
func (r *Report) read() []results.Record {
	var all []results.Record
	failed := map[string]string{}
	s := openStore(r.folder, disk{})
	for _, trial := range r.Experiment.Trials {
		done, err := s.complete(trial.ID)
		var records []results.Record
		if err == nil && done {
			records, err = readRecords(s.folder(trial.ID))
		}
		if err == nil && done {
			var c results.Curve
			c, err = results.ReadCurve(filepath.Join(s.folder(trial.ID), curveFile))
			r.Curves = append(r.Curves, c)
		}
		if err != nil || !done {
			f, ok := s.failed(trial.ID)
			if ok {
				failed[trial.ID] = f.Reason
				trial.Label += ", which failed"
			}
			r.Missing = append(r.Missing, trial.Label)
		}
		if err != nil {
			r.Problems = append(r.Problems, fmt.Errorf("%w; run the spec again to have the work redone", err))
			continue
		}
		if done {
			r.Done++
			all = append(all, records...)
		}
	}
	return slices.Concat(all, r.failures(all, failed), r.timings(all))
}

// failures makes records that say what failed, for every metric that trials
// which did not fail have, so that no table passes over them.
func (r *Report) failures(all []results.Record, failed map[string]string) []results.Record {
	seen := map[string]bool{}
	var records []results.Record
	for _, have := range all {
		if seen[have.Metric] || have.Metric == tuneNats {
			continue
		}
		seen[have.Metric] = true
		for _, trial := range r.Experiment.Trials {
			if reason, ok := failed[trial.ID]; ok {
				records = append(records, results.Record{Experiment: r.Experiment.Name, Trial: trial.ID, Seed: trial.Seed, Keys: trial.Keys,
					Metric: have.Metric, Unit: have.Unit, Status: results.StatusFailed, Note: reason})
			}
		}
	}
	return records
}

// endings are the file names of table formats.
var endings = map[string]string{"text": "txt", "markdown": "md", "latex": "tex", "csv": "csv", "html": "html", "json": "json"}

// Write writes every table in every format, and every figure, into the folder
// report of the run, and returns the paths. What cannot be drawn is reported
// after the rest is written.
func (r *Report) Write() (paths []string, err error) {
	folder := filepath.Join(r.folder, "report")
	if err := os.MkdirAll(folder, 0o777); err != nil {
		return nil, environment(err)
	}
	var errs []error
	for i, table := range r.Tables {
		written, err := writeTable(folder, table)
		paths, errs = append(paths, written...), append(errs, err)
		written, err = r.writeFigure(folder, i)
		paths, errs = append(paths, written...), append(errs, err)
	}
	return paths, environment(errors.Join(errs...))
}

func writeTable(folder string, table *results.Table) (paths []string, err error) {
	for _, format := range results.Formats.Names() {
		var text bytes.Buffer
		if err := table.Write(&text, format, results.Style{}); err != nil {
			return paths, err
		}
		ending := endings[format]
		if ending == "" {
			ending = format
		}
		path := filepath.Join(folder, table.Name+"."+ending)
		if err := atomicfile.Write(path, text.Bytes()); err != nil {
			return paths, err
		}
		paths = append(paths, path)
	}
	return paths, nil
}

func (r *Report) writeFigure(folder string, i int) ([]string, error) {
	if r.Views[i].Figure == "" || untimed(r.Tables[i]) {
		return nil, nil
	}
	figure, err := plots.Draw(plots.Input{View: r.Views[i], Table: r.Tables[i], Curves: r.Curves})
	if err != nil {
		return nil, fmt.Errorf("figure of view %s: %w", r.Views[i].Slug(), err)
	}
	return figure.Write(folder, r.Views[i].Slug())
}

// untimed says whether a table asks for a measurement that nothing here could
// make: of that there is no figure.
func untimed(t *results.Table) bool {
	for j := range t.Cols {
		none := true
		for i := range t.Rows {
			none = none && t.Cells[i][j].Word == string(results.StatusUnavailable)
		}
		if none {
			return true
		}
	}
	return false
}

// checkFigure reports a kind of figure that does not exist.
func checkFigure(v results.View) error {
	if v.Figure == "" {
		return nil
	}
	_, err := plots.Kinds.Get(v.Figure)
	return err
}

// views returns the views of the spec, or one of everything that it measures.
func (s *Spec) views() []results.View {
	if len(s.Views) > 0 {
		return s.Views
	}
	all := s.Trials()
	view := results.View{Name: s.Name, Rows: "trial"}
	if len(all) > 0 {
		for _, name := range all[0].Tasks {
			if task, err := tasks.All.Get(name); err == nil {
				view.Metrics = append(view.Metrics, name+"/"+task.Metrics[0])
			}
		}
		if len(all[0].Axes) > 0 {
			view.Rows = strings.Join(all[0].Axes, ", ")
		}
	}
	view.Metrics = append(view.Metrics, validBits)
	return []results.View{view}
}
