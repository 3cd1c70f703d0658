package experiments

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"

	"plumb/eval"
	"plumb/internal/corpus"
	"plumb/internal/tokenizer"
	"plumb/model"
	"plumb/results"
	"plumb/train"
)

// data is what a data stage left.
type data struct {
	tok   *tokenizer.Tokenizer
	learn *corpus.Stream
	valid *corpus.Stream
}

func openData(folder string) (d data, err error) {
	if d.tok, err = tokenizer.Load(filepath.Join(folder, tokenizerFile)); err != nil {
		return d, err
	}
	if d.learn, err = corpus.Open(filepath.Join(folder, trainFolder)); err != nil {
		return d, err
	}
	d.valid, err = corpus.Open(filepath.Join(folder, validFolder))
	return d, err
}

// heldOut returns documents of the validation text with about tokens tokens; 0
// means all. It takes whole documents, spread evenly over the text, or the
// beginning of each where they are too few and long for that.
func (d data) heldOut(tokens int) []eval.Document {
	docs := eval.Documents(d.valid.Tokens, d.valid.Starts, d.valid.Bytes, d.tok.EndOfText())
	all := len(d.valid.Tokens)
	if tokens == 0 || all <= tokens {
		return docs
	}
	stride := (all + tokens - 1) / tokens
	if len(docs) < fewDocuments*stride {
		return d.beginnings(docs, float64(tokens)/float64(all))
	}
	var chosen []eval.Document
	for i := 0; i < len(docs); i += stride {
		chosen = append(chosen, docs[i])
	}
	return chosen
}

// fewDocuments is how many whole documents validation needs at least.
const fewDocuments = 20

// beginnings cuts every document to a share of its tokens.
func (d data) beginnings(docs []eval.Document, share float64) []eval.Document {
	cut := make([]eval.Document, len(docs))
	for i, doc := range docs {
		kept := doc.Tokens[:max(1, int(share*float64(len(doc.Tokens))))]
		cut[i] = eval.Document{Tokens: kept, Bytes: len(d.tok.Decode(kept))}
	}
	return cut
}

// validTask names the validation text among items.
const (
	validTask    = "valid"
	validVersion = "1"
)

// Train implements Executor.
func (trainer) Train(ctx context.Context, job *Job) (Outcome, error) {
	d, err := openData(job.DataDir)
	if err != nil {
		return Outcome{}, err
	}
	m, err := model.New(job.Trial.Shape, job.Stage.Train.Init, job.Seed)
	if err != nil {
		return Outcome{}, err
	}
	docs := d.heldOut(job.Trial.Settings.Data.ValidTokens)
	out, err := job.learn(ctx, m, d, docs)
	if err != nil {
		return Outcome{}, err
	}
	if out.Status == train.Stopped {
		return Outcome{}, ctx.Err()
	}
	return job.conclude(ctx, m, d, docs, out)
}

// learn trains m on the rows of the data.
func (job *Job) learn(ctx context.Context, m *model.Model, d data, docs []eval.Document) (train.Outcome, error) {
	rows, err := corpus.NewRows(d.learn, m.Context()+1, job.Trial.Settings.Data.Packing, job.Seed)
	if err != nil {
		return train.Outcome{}, err
	}
	dir := filepath.Join(job.Dir, checkpointDir)
	if err := job.disk.mkdir(dir); err != nil {
		return train.Outcome{}, err
	}
	return train.Run(ctx, m, train.Options{
		Config: job.Stage.Train, ID: job.ID, Dir: dir, Rows: rows, Warn: job.Warn,
		Valid: func(m *model.Model) (float64, error) {
			r, err := eval.Perplexity(ctx, m, d.tok, docs, eval.Options{})
			return r.NatsPerToken, err
		},
		Progress: func(p train.Progress) {
			job.Progress(Progress{Done: p.Step, Total: p.Steps, Tokens: p.Tokens, Loss: p.Loss})
		},
	})
}

// conclude measures the trained model on the held-out text and writes the
// stage's files. A model that diverged is not kept; its last checkpoint is.
func (job *Job) conclude(ctx context.Context, m *model.Model, d data, docs []eval.Document, out train.Outcome) (Outcome, error) {
	outcome := Outcome{Status: results.StatusOK}
	var rolling eval.Rolling
	var err error
	if out.Status == train.Diverged {
		outcome = Outcome{results.StatusDiverged, out.Note}
	} else if rolling, err = eval.Perplexity(ctx, m, d.tok, docs, eval.Options{}); errors.Is(err, eval.ErrInvalid) {
		outcome = Outcome{results.StatusDiverged, err.Error()}
	} else if err != nil {
		return outcome, err
	}
	if outcome.Status == results.StatusOK {
		if err := job.keepModel(m, d.tok); err != nil {
			return outcome, err
		}
	}
	curve := curveOf(out)
	if n := len(curve); n > 0 && outcome.Status == results.StatusOK {
		curve[n-1].Valid = results.Number(rolling.NatsPerToken)
	}
	if err := job.writeMeasures(rolling, curve, outcome); err != nil {
		return outcome, err
	}
	if err := job.writeCurve(filepath.Join(job.Dir, curveFile), curve, outcome.Status, map[string]string{}); err != nil {
		return outcome, err
	}
	if outcome.Status == results.StatusOK {
		return outcome, job.disk.removeAll(filepath.Join(job.Dir, checkpointDir))
	}
	return outcome, nil
}

func (job *Job) keepModel(m *model.Model, tok *tokenizer.Tokenizer) error {
	dir := filepath.Join(job.Dir, modelFolder)
	err := job.disk.do("save", dir, func() error { return m.Save(dir) })
	if err != nil {
		return err
	}
	return job.disk.write(filepath.Join(dir, tokenizerFile), tok.JSON())
}

// writeMeasures writes the two measures of the validation text, with its
// documents as items, and the training loss.
func (job *Job) writeMeasures(r eval.Rolling, curve []results.Point, o Outcome) error {
	loss := job.record(trainNats, "nats/token", o)
	bits := job.record(validBits, "bits/byte", o)
	nats := job.record(validNats, "nats/token", o)
	if o.Status == results.StatusOK {
		items := r.Stored(validTask, validVersion)
		hash, err := job.writeItems(items)
		if err != nil {
			return err
		}
		measure(&bits, r.BitsPerByte, r.BitsStdErr, r.Tokens)
		measure(&nats, r.NatsPerToken, r.NatsStdErr, r.Tokens)
		last := curve[len(curve)-1]
		loss.Value, loss.N = last.Train, int(last.Tokens)
		bits.Items, nats.Items, bits.Tokens, nats.Tokens = hash, hash, r.TokenHash, r.TokenHash
	}
	return job.writeRecords([]results.Record{bits, nats, loss})
}

// record starts a record of this stage.
func (job *Job) record(metric, unit string, o Outcome) results.Record {
	return results.Record{
		Experiment: job.Experiment, Trial: job.ID, Seed: job.Seed, Keys: map[string]string{},
		Metric: metric, Unit: unit, Status: o.Status, Note: o.Note,
	}
}

// measure puts a value with its standard error into a record.
func measure(r *results.Record, value, stdErr float64, n int) {
	r.Value, r.N = results.Number(value), n
	if stdErr >= 0 { // not NaN
		r.StdErr = results.Number(stdErr)
	}
}

func (job *Job) writeRecords(records []results.Record) error {
	path := filepath.Join(job.Dir, recordsFile)
	return job.disk.do("write", path, func() error { return results.WriteRecords(path, records) })
}

func (job *Job) writeItems(items results.Items) (hash string, err error) {
	dir := filepath.Join(job.Dir, itemsFolder)
	if err := job.disk.mkdir(dir); err != nil {
		return "", err
	}
	err = job.disk.do("write", dir, func() error {
		hash, err = items.Write(dir)
		return err
	})
	if err != nil {
		return "", fmt.Errorf("items of %s: %w", items.Task, err)
	}
	return hash, nil
}

func curveOf(out train.Outcome) []results.Point {
	points := make([]results.Point, len(out.Curve))
	for i, p := range out.Curve {
		points[i] = results.Point{Step: p.Step, Tokens: int64(p.Tokens), Train: results.Number(p.Loss), Valid: p.Valid}
	}
	return points
}

func (job *Job) writeCurve(path string, points []results.Point, status results.Status, keys map[string]string) error {
	c := results.Curve{Experiment: job.Experiment, Trial: job.ID, Seed: job.Seed, Keys: keys, Status: status, Points: points}
	return job.disk.do("write", path, func() error { return results.WriteCurve(path, c) })
}
