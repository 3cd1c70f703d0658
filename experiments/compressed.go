package experiments

import (
	"context"
	"encoding/json"
	"math"
	"path/filepath"

	"plumb/compress"
	"plumb/eval"
	"plumb/internal/corpus"
	"plumb/internal/tokenizer"
	"plumb/model"
	"plumb/results"
	"plumb/train"
)

// changeError is the metric of how far the matrices are from what they were: the
// root mean square over matrices of |W-W'| / |W|.
const changeError = "compress/error"

// changesFile tells what became of every matrix.
const changesFile = "changes.jsonl"

// Compress implements Executor.
func (trainer) Compress(ctx context.Context, job *Job) (Outcome, error) {
	before, err := statusOf(job.ModelDir)
	if err != nil || before.Status != results.StatusOK {
		return before, job.concludeStep(nil, nil, job.record(changeError, "share", before), err)
	}
	m, err := model.Load(filepath.Join(job.ModelDir, modelFolder))
	if err != nil {
		return Outcome{}, err
	}
	cal, err := job.calibration(m.Context())
	if err != nil {
		return Outcome{}, err
	}
	smaller, changes, err := job.Step.Compress(ctx, m, cal, func(done, all int) { job.Progress(Progress{Done: done, Total: all}) })
	if err != nil {
		return Outcome{}, err
	}
	if err := job.writeChanges(changes); err != nil {
		return Outcome{}, err
	}
	record := job.record(changeError, "share", Outcome{Status: results.StatusOK})
	record.Value, record.N = results.Number(meanError(changes)), len(changes)
	return Outcome{Status: results.StatusOK}, job.concludeStep(smaller, nil, record, nil)
}

// meanError is the root mean square of the changes' errors, 0 where none is known.
func meanError(changes []compress.Change) float64 {
	sum, n := 0.0, 0
	for _, c := range changes {
		if c.Error >= 0 && !math.IsInf(c.Error, 0) {
			sum, n = sum+float64(c.Error*c.Error), n+1
		}
	}
	return math.Sqrt(sum / float64(max(1, n)))
}

// calibration is the text that the step is shown; nil where it wants none.
func (job *Job) calibration(context int) (*compress.Calibration, error) {
	if !job.Step.Calibrates() {
		return nil, nil
	}
	c := job.Trial.Calibration
	folder := map[string]string{"train": trainFolder, "valid": validFolder}[c.Text]
	s, err := corpus.Open(filepath.Join(job.DataDir, folder))
	if err != nil {
		return nil, err
	}
	return Calibrate(s, c.Tokens, context, job.Trial.Settings.Data.Packing, c.Seed)
}

// writeChanges writes what became of the matrices, without what took how long.
func (job *Job) writeChanges(changes []compress.Change) error {
	type line struct {
		Slot   string         `json:"slot"`
		Form   string         `json:"form"`
		Error  *float64       `json:"error"`
		Output *float64       `json:"output_error"`
		Notes  compress.Notes `json:"notes,omitempty"`
	}
	var text []byte
	for _, c := range changes {
		one, err := json.Marshal(line{c.Slot, c.Form, finiteOrNil(c.Error), finiteOrNil(c.Output), c.Notes})
		if err != nil {
			return err
		}
		text = append(append(text, one...), '\n')
	}
	return job.disk.write(filepath.Join(job.Dir, changesFile), text)
}

func finiteOrNil(v float64) *float64 {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return nil
	}
	return &v
}

// concludeStep writes the files of a recipe's stage: its model unless there is
// none, its curve, and its record.
func (job *Job) concludeStep(m *model.Model, curve []results.Point, record results.Record, err error) error {
	if err != nil {
		return err
	}
	if m != nil {
		tok, err := tokenizer.Load(filepath.Join(job.DataDir, tokenizerFile))
		if err != nil {
			return err
		}
		if err := job.keepModel(m, tok); err != nil {
			return err
		}
	}
	if err := job.writeCurve(filepath.Join(job.Dir, curveFile), curve, record.Status, map[string]string{}); err != nil {
		return err
	}
	if err := job.writeRecords([]results.Record{record}); err != nil {
		return err
	}
	return job.disk.removeAll(filepath.Join(job.Dir, checkpointDir))
}

// Heal implements Executor.
func (trainer) Heal(ctx context.Context, job *Job) (Outcome, error) {
	before, err := statusOf(job.ModelDir)
	if err != nil || before.Status != results.StatusOK {
		return before, job.concludeStep(nil, nil, job.record(trainNats, "nats/token", before), err)
	}
	student, err := model.Load(filepath.Join(job.ModelDir, modelFolder))
	if err != nil {
		return Outcome{}, err
	}
	teacher, err := model.Load(filepath.Join(job.BaseDir, modelFolder))
	if err != nil {
		return Outcome{}, err
	}
	healed, out, err := job.heal(ctx, student, teacher)
	switch {
	case err != nil:
		return Outcome{}, err
	case out.Status == train.Stopped:
		return Outcome{}, ctx.Err()
	case out.Status == train.Diverged:
		o := Outcome{results.StatusDiverged, out.Note}
		return o, job.concludeStep(nil, curveOf(out), job.record(trainNats, "nats/token", o), nil)
	}
	o := Outcome{Status: results.StatusOK}
	record, curve := job.record(trainNats, "nats/token", o), curveOf(out)
	last := curve[len(curve)-1]
	record.Value, record.N = last.Train, int(last.Tokens)
	return o, job.concludeStep(healed, curve, record, nil)
}

// heal trains the student on the rows behind those that were learned from before.
func (job *Job) heal(ctx context.Context, student, teacher *model.Model) (*model.Model, train.Outcome, error) {
	d, err := openData(job.DataDir)
	if err != nil {
		return nil, train.Outcome{}, err
	}
	rows, err := corpus.NewRows(d.learn, student.Context()+1, job.Trial.Settings.Data.Packing, job.Seed)
	if err != nil {
		return nil, train.Outcome{}, err
	}
	dir := filepath.Join(job.Dir, checkpointDir)
	if err := job.disk.mkdir(dir); err != nil {
		return nil, train.Outcome{}, err
	}
	docs := d.heldOut(job.Trial.Settings.Data.ValidTokens)
	return job.Step.Train(ctx, student, teacher, train.Options{
		Config: job.Stage.Train, ID: job.ID, Dir: dir, Rows: rows, Seed: job.Seed, First: job.First, Warn: job.Warn,
		Valid: func(m *model.Model) (float64, error) {
			r, err := eval.Perplexity(ctx, m, d.tok, docs, eval.Options{})
			return r.NatsPerToken, err
		},
		Progress: func(p train.Progress) {
			job.Progress(Progress{Done: p.Step, Total: p.Steps, Tokens: p.Tokens, Loss: p.Loss})
		},
	})
}
