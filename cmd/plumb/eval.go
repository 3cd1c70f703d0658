package main

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"plumb/eval"
	"plumb/internal/atomicfile"
	"plumb/internal/corpus"
	"plumb/results"
	"plumb/tasks"
)

func init() { commands = append(commands, newEval) }

// evalOptions are the flags of eval.
type evalOptions struct {
	source   sourceOptions
	tasks    []string
	protocol string
	text     string
	split    string
	batch    int
	bos      string
	output   string
	format   string
	progress string
	force    bool
}

// bosAuto leaves the start token to what the model was trained with.
const bosAuto = "auto"

func newEval(a *app) *cobra.Command {
	var o evalOptions
	c := &cobra.Command{
		Use:   "eval MODEL --tasks NAMES",
		Short: "score a trained model on tasks and text",
		Long: `Score a trained model without training it further: tasks of several choices, by
the log-likelihood of each choice, last words, answers that it writes, and text.
MODEL is a folder with model.safetensors, config.json and tokenizer.json, the
folder of a trial or a training stage, a GGUF file, or a .bin of llama2.c.

Tasks are scored by the rules of lm-evaluation-harness; NAME@PROTOCOL, or
--protocol for all of them, asks for others. Of a group the average stands below
its tasks. --shots puts solved examples before each item: the first ones of a
training file beside the task's, or of the task's other items, or with
--shots-seed ones drawn for each item.

Tasks of the built-in world ask about the world that the model was trained on.
Every number comes with its standard error, the number of items behind it and
the score of guessing. The column computed is the share of all requests' tokens
that had to be computed, since requests that begin alike share the work.
--output keeps what every choice scored.

A text is cut into documents as a spec's data.documents says: file, blank_lines
or passages=N.`,
		Example: `  plumb eval runs/quickstart/0123456789abcdef --tasks world
  plumb eval MODEL --tasks hellaswag,winogrande --data ../shared/data --limit 200
  plumb eval MODEL --tasks winogrande --data winogrande=dev.jsonl --format lm-eval
  plumb eval MODEL --tasks csr --data ../shared/data --shots 5 --output scores
  plumb eval MODEL --tasks hellaswag,winogrande,wikitext --protocol llama.cpp --data ../shared/data
  plumb eval MODEL --text valid.txt --json | jq '{metric, value, stderr}'`,
		Args: exactly("the folder of a MODEL"),
		RunE: func(_ *cobra.Command, args []string) error { return runEval(a, args[0], o) },
	}
	f := c.Flags()
	f.StringArrayVar(&o.tasks, "tasks", nil, "tasks and groups of tasks, with commas between (plumb list tasks)")
	f.StringVar(&o.protocol, "protocol", "", "score every task by this protocol: "+strings.Join(tasks.Protocols(), ", "))
	f.StringVar(&o.text, "text", "", "file or folder of text to score")
	f.StringVar(&o.split, "documents", "file", "how --text falls into documents")
	o.source.add(c)
	f.IntVar(&o.batch, "batch", 16, "items at a time; changes no score")
	f.StringVar(&o.bos, "bos", bosAuto, "whether contexts begin with the end of text: always, never, auto (as the model was trained)")
	f.StringVar(&o.format, "format", "text", "of the table: "+strings.Join(scoreFormats.Names(), ", "))
	f.StringVarP(&o.output, "output", "o", "", "folder for records.jsonl and items/, what every choice scored")
	addForce(c, &o.force)
	addProgress(c, &o.progress)
	if err := c.RegisterFlagCompletionFunc("tasks", completeList(completeTasks())); err != nil {
		panic("plumb: " + err.Error())
	}
	complete(c, "format", scoreFormats.Names())
	complete(c, "protocol", tasks.Protocols())
	complete(c, "bos", []string{bosAuto, eval.BOSAlways, eval.BOSNever})
	return c
}

func (o *evalOptions) check() error {
	var wrong []error
	if len(o.tasks) == 0 && o.text == "" {
		wrong = append(wrong, errors.New("nothing to score: give --tasks NAMES (plumb list tasks) or --text FILE"))
	}
	if len(o.tasks) > 0 {
		_, err := tasks.ResolveProtocol(o.protocol, o.tasks...)
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
	if err := o.source.addTasks(); err != nil {
		return err
	}
	if err := o.check(); err != nil {
		return err
	}
	m, err := openModel(path)
	if err != nil {
		return err
	}
	if err := m.checkCanary(a, o.force); err != nil {
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
	e.reportWork()
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
	work    []taskWork
	items   scored // what every choice scored, by task
}

// A taskWork is what a task took.
type taskWork struct {
	task string
	work eval.Work
}

func newEvaluation(a *app, m *trained, o evalOptions) (*evaluation, error) {
	e := &evaluation{app: a, model: m, options: o, bos: o.bos}
	if e.bos == bosAuto && m.ours {
		e.bos = eval.BOSAlways
	}
	src, err := o.source.source(m.world)
	if err == nil && len(o.tasks) > 0 {
		e.loaded, err = loadTasks(o.protocol, o.tasks, src)
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
		found, err := e.task(t)
		if err != nil {
			return nil, err
		}
		scores = append(scores, found...)
	}
	scores = append(scores, averages(e.options.tasks, scores)...)
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

// task scores one task.
func (e *evaluation) task(t loadedTask) ([]score, error) {
	base := score{
		Model: e.model.name, Task: t.name, Version: t.task.Version, Split: t.task.Split, BOS: e.bos,
		Shots: t.from.Shots, ShotsFrom: t.from.ShotsFrom, ShotsPick: t.from.ShotsPick,
		Context: e.model.model.Context(), Data: t.from.File, DataHash: t.from.Hash, Status: results.StatusOK,
	}
	o := e.evalOptions(t.name, "items")
	o.Shots = t.from.ShotsText()
	if t.task.Kind == tasks.Text && t.task.Cut != tasks.Rolling {
		o.Windows = e.options.source.limit
	}
	r, err := eval.Score(e.app.ctx, e.model.model, e.model.tokenizer, t.task, t.items, o)
	if errors.Is(err, eval.ErrInvalid) {
		return base.invalid(t.task.Metrics, err.Error()), nil
	}
	if err != nil {
		return nil, fmt.Errorf("task %s: %w", t.name, err)
	}
	e.work = append(e.work, taskWork{t.name, r.Work})
	base.BOS, base.Protocol, base.TokenHash, base.Note = r.BOS, r.Protocol, r.TokenHash, r.Note()
	base.Truncated, base.Shifted, base.Unscored = r.Truncated, len(r.Shifted), len(r.Unscored)
	base.Requested, base.Computed = r.Work.Tokens, r.Work.Computed
	if reason := r.Invalid(); reason != "" {
		return base.invalid(t.task.Metrics, reason), nil
	}
	stored := r.Stored(t.name, t.task.Version)
	if e.items == nil {
		e.items = scored{}
	}
	e.items[t.name] = stored
	if base.Items, err = e.store(stored); err != nil {
		return nil, err
	}
	return base.measured(r, t.task.Metrics)
}

// measured returns s with each of the metrics of a result.
func (s score) measured(r eval.Result, names []string) ([]score, error) {
	var scores []score
	for _, name := range names {
		metrics, err := r.Metrics(name)
		if errors.Is(err, eval.ErrInvalid) {
			scores = append(scores, s.invalid([]string{name}, err.Error())...)
			continue
		}
		if err != nil {
			return nil, err
		}
		m, one := metrics[0], s
		one.Metric, one.Unit, one.Value, one.StdErr, one.N, one.Clusters = m.Name, m.Unit, results.Number(m.Value), number(m.StdErr), m.N, m.Clusters
		one.Chance, one.Note = number(m.Chance), joinNotes(s.Note, m.Note)
		scores = append(scores, one)
	}
	return scores, nil
}

// averages returns, for each group among the names asked for, the average over
// its tasks of each metric that all of them have. Its error is that of a mean
// of independent numbers.
func averages(names []string, scores []score) []score {
	var means []score
	for _, name := range strings.Split(strings.Join(names, ","), ",") {
		members, isGroup := tasks.Members(strings.TrimSpace(name))
		if !isGroup || len(members) < 2 {
			continue
		}
		for _, metric := range commonMetrics(members) {
			if mean, ok := average(strings.TrimSpace(name), metric, members, scores); ok {
				means = append(means, mean)
			}
		}
	}
	return means
}

// commonMetrics lists the metrics that all tasks have, in the order of the first.
func commonMetrics(members []string) []string {
	var common []string
	for i, name := range members {
		t, err := tasks.All.Get(name)
		if err != nil {
			return nil
		}
		if i == 0 {
			common = slices.Clone(t.Metrics)
		}
		common = slices.DeleteFunc(common, func(m string) bool { return !slices.Contains(t.Metrics, m) })
	}
	return common
}

// average is the mean of a metric over the tasks of a group; ok is false where
// one of them has no value.
func average(group, metric string, members []string, scores []score) (mean score, ok bool) {
	value, variance, chance := 0.0, 0.0, 0.0
	for _, member := range members {
		i := slices.IndexFunc(scores, func(s score) bool { return s.Task == member && s.Metric == metric })
		if i < 0 || scores[i].Value == nil || scores[i].StdErr == nil || scores[i].Chance == nil {
			return mean, false
		}
		mean = scores[i]
		value += *mean.Value
		variance += *mean.StdErr * *mean.StdErr
		chance += *mean.Chance
	}
	n := float64(len(members))
	value, chance = value/n, chance/n
	return score{
		Model: mean.Model, Task: group, Shots: mean.Shots, Metric: metric, Value: &value, Unit: mean.Unit,
		StdErr: results.Number(math.Sqrt(variance) / n), N: len(members), Chance: &chance, BOS: mean.BOS, Context: mean.Context,
		Status: results.StatusOK, Note: fmt.Sprintf("plain average over the %d tasks", len(members)),
	}, true
}

// reportWork says what each task took, and what the sharing of beginnings saved.
func (e *evaluation) reportWork() {
	for _, t := range e.work {
		w := t.work
		line := fmt.Sprintf("%s requests of %s tokens in %s", grouped(w.Requests), grouped(int(w.Tokens)), workTime(w.Time))
		if w.Computed > 0 {
			line += fmt.Sprintf("; %s tokens computed, about %s saved by shared beginnings", grouped(int(w.Computed)), workTime(max(0, w.Saved())))
		}
		e.app.notef("plumb: %s: %s", t.task, line)
	}
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

// workTime is a time in seconds, with digits where it is short.
func workTime(d time.Duration) string {
	if d >= 10*time.Second {
		return timeText(d)
	}
	return fmt.Sprintf("%.2f s", d.Seconds())
}

// keep writes the scores as records.
func (e *evaluation) keep(scores []score) error {
	trial, err := hashFile(weightsFile(e.model.dir))
	if err != nil {
		return err
	}
	var records []results.Record
	for _, s := range scores {
		records = append(records, results.Record{
			Experiment: "eval", Trial: trial[:16], Keys: s.keys(), Metric: s.Task + "/" + s.Metric,
			Value: s.Value, Unit: s.Unit, StdErr: s.StdErr, N: s.N, Items: s.Items, Tokens: s.TokenHash, Status: s.Status, Note: s.Note,
		})
	}
	for _, t := range e.work {
		records = append(records, t.records(trial[:16], e.model.name)...)
	}
	err = results.WriteRecords(filepath.Join(e.options.output, "records.jsonl"), records)
	if err == nil {
		err = e.keepTimings()
	}
	return unwritten(err)
}

// records are the tokens that a task's requests have, and those that were
// computed for them.
func (t taskWork) records(trial, model string) []results.Record {
	var records []results.Record
	for metric, tokens := range map[string]int64{"tokens_requested": t.work.Tokens, "tokens_computed": t.work.Computed} {
		records = append(records, results.Record{
			Experiment: "eval", Trial: trial, Keys: map[string]string{"model": model}, Metric: t.task + "/" + metric,
			Value: results.Number(float64(tokens)), Unit: "tokens", N: t.work.Requests, Status: results.StatusOK,
		})
	}
	slices.SortFunc(records, func(a, b results.Record) int { return strings.Compare(a.Metric, b.Metric) })
	return records
}

// keepTimings writes how long each task took, apart from the records, which are
// the same whenever a model is scored again.
func (e *evaluation) keepTimings() error {
	var lines bytes.Buffer
	for _, t := range e.work {
		writeJSONLine(&lines, struct {
			Task     string  `json:"task"`
			Requests int     `json:"requests"`
			Seconds  float64 `json:"seconds"`
			Saved    float64 `json:"seconds_saved"` // about, by shared beginnings
		}{t.task, t.work.Requests, t.work.Time.Seconds(), max(0, t.work.Saved().Seconds())})
	}
	return atomicfile.Write(filepath.Join(e.options.output, "timings.jsonl"), lines.Bytes())
}

// keys are what a record says of the model and of what stood before the items.
func (s score) keys() map[string]string {
	keys := map[string]string{"model": s.Model}
	if s.Shots > 0 {
		keys["shots"] = strconv.Itoa(s.Shots)
	}
	return keys
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
