package main

import (
	"errors"
	"fmt"
	"math"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"plumb/eval"
	"plumb/internal/corpus"
	"plumb/results"
	"plumb/tasks"
)

func init() { commands = append(commands, newEval) }

// evalOptions are the flags of eval.
type evalOptions struct {
	source   sourceOptions
	tasks    []string
	text     string
	split    string
	batch    int
	bos      string
	output   string
	format   string
	progress string
}

// bosAuto leaves the start token to what the model was trained with.
const bosAuto = "auto"

func newEval(a *app) *cobra.Command {
	var o evalOptions
	c := &cobra.Command{
		Use:   "eval MODEL --tasks NAMES",
		Short: "score a trained model on tasks and text",
		Long: `Score a trained model without training it further: tasks of several choices, by
the log-likelihood of each choice, and text, in nats per token and bits per byte.
MODEL is a folder with model.safetensors, config.json and tokenizer.json, or the
folder of a trial or a training stage.

Tasks of the built-in world ask about the world that the model was trained on.
Every number comes with its standard error, the number of items behind it and
the score of guessing. --output keeps what every choice scored.

A text is cut into documents as a spec's data.documents says: file, blank_lines
or passages=N.`,
		Example: `  plumb eval runs/quickstart/0123456789abcdef --tasks world
  plumb eval MODEL --tasks hellaswag,winogrande --data ../shared/data --limit 200
  plumb eval MODEL --tasks winogrande --data winogrande=dev.jsonl --format lm-eval
  plumb eval MODEL --text valid.txt --json | jq '{metric, value, stderr}'`,
		Args: exactly("the folder of a MODEL"),
		RunE: func(_ *cobra.Command, args []string) error { return runEval(a, args[0], o) },
	}
	f := c.Flags()
	f.StringArrayVar(&o.tasks, "tasks", nil, "tasks and groups of tasks, with commas between (plumb list tasks)")
	f.StringVar(&o.text, "text", "", "file or folder of text to score")
	f.StringVar(&o.split, "documents", "file", "how --text falls into documents")
	o.source.add(c)
	f.IntVar(&o.batch, "batch", 16, "items at a time; changes no score")
	f.StringVar(&o.bos, "bos", bosAuto, "whether contexts begin with the end of text: always, never, auto (as the model was trained)")
	f.StringVar(&o.format, "format", "text", "of the table: "+strings.Join(scoreFormats.Names(), ", "))
	f.StringVarP(&o.output, "output", "o", "", "folder for records.jsonl and items/, what every choice scored")
	addProgress(c, &o.progress)
	if err := c.RegisterFlagCompletionFunc("tasks", completeList(completeTasks())); err != nil {
		panic("plumb: " + err.Error())
	}
	complete(c, "format", scoreFormats.Names())
	complete(c, "bos", []string{bosAuto, eval.BOSAlways, eval.BOSNever})
	return c
}

func (o *evalOptions) check() error {
	var wrong []error
	if len(o.tasks) == 0 && o.text == "" {
		wrong = append(wrong, errors.New("nothing to score: give --tasks NAMES (plumb list tasks) or --text FILE"))
	}
	if len(o.tasks) > 0 {
		_, err := tasks.Resolve(o.tasks...)
		wrong = append(wrong, err)
	}
	if o.batch < 1 {
		wrong = append(wrong, fmt.Errorf("--batch=%d must be at least 1", o.batch))
	}
	if !slices.Contains([]string{bosAuto, eval.BOSAlways, eval.BOSNever}, o.bos) {
		wrong = append(wrong, fmt.Errorf("--bos=%s is none of auto, always, never", o.bos))
	}
	if _, err := scoreFormats.Get(o.format); err != nil {
		wrong = append(wrong, fmt.Errorf("--format: %w", err))
	}
	return errors.Join(wrong...)
}

func runEval(a *app, path string, o evalOptions) error {
	if err := o.check(); err != nil {
		return err
	}
	m, err := openModel(path)
	if err != nil {
		return err
	}
	e, err := newEvaluation(a, m, o)
	if err != nil {
		return err
	}
	defer e.meter.finish()
	scores, err := e.run()
	if err != nil {
		return err
	}
	e.meter.finish()
	if o.output != "" {
		if err := e.keep(scores); err != nil {
			return err
		}
	}
	if err := writeScores(a, scores, o); err != nil {
		return err
	}
	return invalidScores(scores)
}

// invalidScores is an error when some scores are not to be believed.
func invalidScores(scores []score) error {
	var wrong []string
	for _, s := range scores {
		if s.Status != results.StatusOK && !slices.Contains(wrong, s.Task) {
			wrong = append(wrong, s.Task)
		}
	}
	if len(wrong) == 0 {
		return nil
	}
	return withStatus(statusIncomplete, fmt.Errorf("no valid score for %s; the notes say why", strings.Join(wrong, ", ")))
}

// An evaluation scores one model on tasks that are loaded.
type evaluation struct {
	app     *app
	model   *trained
	options evalOptions
	bos     string
	loaded  []loadedTask
	docs    []eval.Document
	meter   *meter
	items   []results.Items // of the scores, for --output
}

func newEvaluation(a *app, m *trained, o evalOptions) (*evaluation, error) {
	e := &evaluation{app: a, model: m, options: o, bos: o.bos}
	if e.bos == bosAuto {
		e.bos = eval.BOSNever
		if m.ours {
			e.bos = eval.BOSAlways
		}
	}
	src, err := o.source.source(m.world)
	if err == nil && len(o.tasks) > 0 {
		e.loaded, err = loadTasks(o.tasks, src)
	}
	if err == nil && o.text != "" {
		e.docs, err = readDocuments(o.text, o.split, m)
	}
	if err == nil {
		e.meter, err = a.newMeter(o.progress)
	}
	if err == nil && e.asksWorld() && m.world == nil {
		a.notef("plumb: no record of the world that %s was trained on beside it; asking about the world of seed %d", m.name, o.source.world.Seed)
	}
	return e, err
}

// asksWorld says whether a task is about the built-in world.
func (e *evaluation) asksWorld() bool {
	return slices.ContainsFunc(e.loaded, func(t loadedTask) bool { return t.task.Generate != nil })
}

func (e *evaluation) run() ([]score, error) {
	var scores []score
	for _, t := range e.loaded {
		found, err := e.choices(t)
		if err != nil {
			return nil, err
		}
		scores = append(scores, found...)
	}
	if e.docs == nil {
		return scores, nil
	}
	found, err := e.rolling()
	return append(scores, found...), err
}

// evalOptions are those of package eval, with progress under the given name.
func (e *evaluation) evalOptions(what, unit string) eval.Options {
	began := time.Now()
	report := func(done, total int) {
		e.meter.show(scoringStatus(what, unit, done, total, time.Since(began)))
	}
	return eval.Options{Batch: e.options.batch, BOS: e.bos, Progress: report}
}

// choices scores one task of several choices.
func (e *evaluation) choices(t loadedTask) ([]score, error) {
	base := score{
		Model: e.model.name, Task: t.name, Version: t.task.Version, Split: t.task.Split, BOS: e.bos,
		Context: e.model.model.Context(), Unit: "share", Data: t.from.File, DataHash: t.from.Hash, Status: results.StatusOK,
	}
	r, err := eval.MultipleChoice(e.app.ctx, e.model.model, e.model.tokenizer, t.items, e.evalOptions(t.name, "items"))
	if errors.Is(err, eval.ErrInvalid) {
		return base.invalid(t.task.Metrics, err.Error()), nil
	}
	if err != nil {
		return nil, fmt.Errorf("task %s: %w", t.name, err)
	}
	base.TokenHash, base.Note = r.TokenHash, r.Note()
	base.Truncated, base.Shifted, base.Unscored = r.Truncated, len(r.Shifted), len(r.Unscored)
	if reason := r.Invalid(); reason != "" {
		return base.invalid(t.task.Metrics, reason), nil
	}
	if base.Items, err = e.store(r.Stored(t.name, t.task.Version)); err != nil {
		return nil, err
	}
	return base.measured(r, t.task.Metrics)
}

// measured returns s with each of the metrics of a result.
func (s score) measured(r eval.Result, names []string) ([]score, error) {
	metrics, err := r.Metrics(names...)
	var scores []score
	for _, m := range metrics {
		one := s
		one.Metric, one.Value, one.StdErr, one.N, one.Clusters = m.Name, results.Number(m.Value), number(m.StdErr), m.N, m.Clusters
		one.Chance, one.Note = results.Number(m.Chance), joinNotes(s.Note, m.Note)
		scores = append(scores, one)
	}
	return scores, err
}

// rolling scores the text.
func (e *evaluation) rolling() ([]score, error) {
	const version = "1.0"
	base := score{
		Model: e.model.name, Task: "text", Version: version, BOS: eval.BOSAlways, Context: e.model.model.Context(),
		Data: e.options.text, Status: results.StatusOK,
	}
	r, err := eval.Perplexity(e.app.ctx, e.model.model, e.model.tokenizer, e.docs, e.evalOptions("text", "windows"))
	if errors.Is(err, eval.ErrInvalid) {
		return base.invalid([]string{"nats_per_token", "bits_per_byte"}, err.Error()), nil
	}
	if err != nil {
		return nil, fmt.Errorf("text %s: %w", e.options.text, err)
	}
	base.TokenHash, base.Clusters = r.TokenHash, len(r.Items)
	base.Note = fmt.Sprintf("%d documents of %d bytes; the error counts each %s as independent", r.Documents, r.Bytes, r.Clusters)
	if base.Items, err = e.store(r.Stored("text", version)); err != nil {
		return nil, err
	}
	nats, bits := base, base
	nats.Metric, nats.Unit, nats.Value, nats.StdErr, nats.N = "nats_per_token", "nats/token", results.Number(r.NatsPerToken), number(r.NatsStdErr), r.Tokens
	bits.Metric, bits.Unit, bits.Value, bits.StdErr, bits.N = "bits_per_byte", "bits/byte", results.Number(r.BitsPerByte), number(r.BitsStdErr), r.Bytes
	return []score{nats, bits}, nil
}

// number is a pointer to v, or nil where v is no number.
func number(v float64) *float64 {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return nil
	}
	return &v
}

// joinNotes joins what the notes say, each once.
func joinNotes(notes ...string) string {
	notes = slices.DeleteFunc(notes, func(s string) bool { return s == "" })
	return strings.Join(slices.Compact(notes), "; ")
}

// store writes an items file where --output asks for it, and returns its hash.
func (e *evaluation) store(x results.Items) (string, error) {
	if e.options.output == "" {
		return "", nil
	}
	hash, err := x.Write(filepath.Join(e.options.output, "items"))
	return hash, unwritten(err)
}

// keep writes the scores as records.
func (e *evaluation) keep(scores []score) error {
	trial, err := hashFile(filepath.Join(e.model.dir, "model.safetensors"))
	if err != nil {
		return err
	}
	var records []results.Record
	for _, s := range scores {
		records = append(records, results.Record{
			Experiment: "eval", Trial: trial[:16], Keys: map[string]string{"model": s.Model}, Metric: s.Task + "/" + s.Metric,
			Value: s.Value, Unit: s.Unit, StdErr: s.StdErr, N: s.N, Items: s.Items, Tokens: s.TokenHash, Status: s.Status, Note: s.Note,
		})
	}
	return unwritten(results.WriteRecords(filepath.Join(e.options.output, "records.jsonl"), records))
}

// readDocuments reads and tokenises a text.
func readDocuments(path, split string, m *trained) ([]eval.Document, error) {
	var docs []eval.Document
	for d, err := range corpus.Documents(path, split) {
		if err != nil {
			return nil, fmt.Errorf("--text: %w", err)
		}
		docs = append(docs, eval.Document{Tokens: m.tokenizer.Encode(d.Text), Bytes: len(d.Text)})
	}
	if len(docs) == 0 {
		return nil, fmt.Errorf("--text=%s holds no text: files end in .txt or .jsonl, also with .gz or .zst", path)
	}
	return docs, nil
}
