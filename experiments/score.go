package experiments

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"strconv"
	"strings"

	"plumb/eval"
	"plumb/internal/tokenizer"
	"plumb/model"
	"plumb/results"
	"plumb/tasks"
)

// Score implements Executor: it writes all records of a trial, and what they
// were computed from, so that a table needs this folder only.
func (trainer) Score(ctx context.Context, job *Job) (Outcome, error) {
	s := &scoring{Job: job}
	measure := s.validation
	if job.Trial.Recipe != nil {
		measure = func() error { return s.remeasure(ctx) }
	}
	if err := measure(); err != nil {
		return Outcome{}, err
	}
	if err := s.tuning(); err != nil {
		return Outcome{}, err
	}
	if err := s.tasks(ctx); err != nil {
		return Outcome{}, err
	}
	s.facts()
	if err := s.sizes(); err != nil {
		return Outcome{}, err
	}
	return s.outcome, s.writeRecords(s.records)
}

// A scoring collects the records of a trial.
type scoring struct {
	*Job
	outcome Outcome // of the training
	records []results.Record
}

// keyed gives a record the trial's name and keys.
func (s *scoring) keyed(r results.Record) results.Record {
	r.Experiment, r.Trial, r.Seed, r.Keys = s.Experiment, s.ID, s.Trial.Seed, s.Trial.Keys
	return r
}

func (s *scoring) add(r results.Record) { s.records = append(s.records, s.keyed(r)) }

// validation takes over what the training stage measured, and its curve.
func (s *scoring) validation() error {
	records, err := readRecords(s.ModelDir)
	if err != nil {
		return err
	}
	for _, r := range records {
		s.outcome = Outcome{r.Status, r.Note}
		if r.Items != "" {
			items, err := results.ReadItems(filepath.Join(s.ModelDir, itemsFolder), r.Items)
			if err != nil {
				return err
			}
			if _, err := s.writeItems(items); err != nil {
				return err
			}
		}
		r.Note = joinNotes(r.Note, s.edgeNote())
		if s.Trial.Compared {
			r.Origin = results.Inherited
			s.perplexity(r)
		}
		s.add(r)
	}
	c, err := results.ReadCurve(filepath.Join(s.ModelDir, curveFile))
	if err != nil {
		return err
	}
	return s.writeCurve(filepath.Join(s.Dir, curveFile), c.Points, c.Status, s.Trial.Keys)
}

// edgeNote says which settings were best at the edge of what was tried.
func (s *scoring) edgeNote() string {
	if s.Tuning == nil {
		return ""
	}
	best := s.Trial.Tuned[s.Tuning.Best].Keys
	var notes []string
	for _, key := range s.Tuning.Edge {
		notes = append(notes, fmt.Sprintf("best %s, %s, is at the edge of the range tried", key, best[key]))
	}
	return strings.Join(notes, "; ")
}

func joinNotes(a, b string) string {
	if a == "" || b == "" {
		return a + b
	}
	return a + "; " + b
}

// tuning records which settings were best, and at the first seed what each of
// them came to.
func (s *scoring) tuning() error {
	if s.Tuning == nil {
		return nil
	}
	best := s.Trial.Tuned[s.Tuning.Best]
	for _, key := range sortedKeys(best.Keys) {
		value, err := strconv.ParseFloat(best.Keys[key], 64)
		if err != nil {
			return err
		}
		s.add(results.Record{Metric: "tuned/" + key, Unit: "setting", Value: &value, N: len(s.Trial.Tuned), Status: results.StatusOK, Note: s.edgeNote()})
	}
	if s.Trial.Seed != s.Trial.First {
		return nil
	}
	for i, dir := range s.TuningDirs {
		r, err := readMetric(dir, validNats)
		if err != nil {
			return err
		}
		r.Metric, r.Items = tuneNats, ""
		r = s.keyed(r)
		r.Keys = maps.Clone(r.Keys)
		maps.Copy(r.Keys, s.Trial.Tuned[i].Keys)
		s.records = append(s.records, r)
	}
	return nil
}

// tasks scores every task, or says of each that the training diverged.
func (s *scoring) tasks(ctx context.Context) error {
	if len(s.Trial.Tasks) == 0 {
		return nil
	}
	if s.outcome.Status != results.StatusOK {
		for _, name := range s.Trial.Tasks {
			s.refuse(name, s.outcome)
		}
		return nil
	}
	dir := filepath.Join(s.ModelDir, modelFolder)
	m, err := model.Load(dir)
	if err != nil {
		return err
	}
	m.Freeze()
	tok, err := tokenizer.Load(dir)
	if err != nil {
		return err
	}
	for i, name := range s.Trial.Tasks {
		if err := s.task(ctx, m, tok, name, i); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	return nil
}

// refuse records a task that has no score.
func (s *scoring) refuse(name string, o Outcome) {
	task, err := tasks.All.Get(name)
	if err != nil {
		panic("experiments: a checked task is gone: " + err.Error())
	}
	for _, metric := range task.Metrics {
		measure, err := results.Measures.Get(metric)
		if err != nil {
			panic("experiments: a task has an unknown metric: " + err.Error())
		}
		s.add(results.Record{Metric: name + "/" + metric, Unit: measure.Unit, Status: o.Status, Note: o.Note})
	}
}

func (s *scoring) task(ctx context.Context, m *model.Model, tok *tokenizer.Tokenizer, name string, number int) error {
	task, err := tasks.All.Get(name)
	if err != nil {
		return err
	}
	items, from, err := s.sources.load(s.Trial, name)
	if err != nil {
		return err
	}
	r, err := eval.Score(ctx, m, tok, task, items, eval.Options{BOS: bosSetting, Shots: from.ShotsText(), Progress: func(done, total int) {
		s.Progress(Progress{Done: number*total + done, Total: len(s.Trial.Tasks) * total})
	}})
	if errors.Is(err, eval.ErrInvalid) {
		s.refuse(name, Outcome{results.StatusInvalid, err.Error()})
		return nil
	}
	if err != nil {
		return err
	}
	if why := r.Invalid(); why != "" {
		s.refuse(name, Outcome{results.StatusInvalid, why})
		return nil
	}
	hash, err := s.writeItems(r.Stored(name, task.Version))
	if err != nil {
		return err
	}
	return s.measured(task, name, r, hash)
}

// measured adds a record for each metric of a task.
func (s *scoring) measured(task tasks.Task, name string, r eval.Result, hash string) error {
	metrics, err := r.Metrics(task.Metrics...)
	if err != nil {
		return err
	}
	for _, metric := range metrics {
		record := results.Record{
			Metric: name + "/" + metric.Name, Unit: metric.Unit, Items: hash, Tokens: r.TokenHash,
			Status: results.StatusOK, Note: metric.Note,
		}
		measure(&record, metric.Value, metric.StdErr, metric.N)
		if s.Trial.Compared {
			record.Origin = results.Measured
		}
		s.add(record)
	}
	return nil
}

// facts records what the shape costs. A compressed model has sizes of its own.
func (s *scoring) facts() {
	if s.Trial.Recipe != nil {
		return
	}
	for _, fact := range shapeFacts {
		value := fact.of(s.Trial.Shape)
		r := results.Record{Metric: fact.metric, Unit: fact.unit, Value: &value, N: 1, Status: results.StatusOK}
		if s.Trial.Compared {
			r.Origin = results.Computed
		}
		s.add(r)
	}
}
