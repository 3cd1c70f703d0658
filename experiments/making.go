package experiments

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"os"
	"path/filepath"
	"slices"

	"plumb/compress"
	"plumb/internal/atomicfile"
	"plumb/internal/corpus"
	"plumb/internal/tokenizer"
	"plumb/model"
	"plumb/train"
)

// A Making applies a recipe to one model, outside of a spec. What it has done is
// kept in a folder of its own: a making that was interrupted, and is then done
// again, goes on from there to the same bytes.
type Making struct {
	Recipe    Recipe
	Model     *model.Model // at the start; it is not changed, and may teach
	Tokenizer *tokenizer.Tokenizer
	Training  train.Config                      // that Model was trained with, or train.Defaults
	Text      iter.Seq2[corpus.Document, error] // to calibrate on and to learn from; nil for none
	Tokens    int                               // of it to calibrate on
	Seed      uint64                            // of the choice of these, and of the order of training
	Folder    string                            // for what is done; one process at a time may use it
	Progress  func(step, done, all int)
	Note      func(string) // about what is as it should be, but may surprise

	disk        disk
	stages      []*Stage // of the steps, as a spec would have them
	store       *store
	learn       *corpus.Stream
	calibration *compress.Calibration
}

// A Made says what a step of a recipe did.
type Made struct {
	Stage   string   `json:"stage"`
	Seconds float64  `json:"seconds"` // since it was begun, or gone on with, last
	Changes []Change `json:"changes,omitempty"`
	Learned *Learned `json:"trained,omitempty"`
}

// A Change is what became of one matrix. Error and Output are shares; nil where
// they are not known.
type Change struct {
	Slot    string         `json:"slot"`
	Form    string         `json:"form"`
	Error   *float64       `json:"error"`
	Output  *float64       `json:"output_error"`
	Notes   compress.Notes `json:"notes,omitempty"`
	Seconds float64        `json:"seconds"`
}

// Learned says how a step of training went.
type Learned struct {
	Steps        int     `json:"steps"`
	Tokens       int     `json:"tokens"`
	First        float64 `json:"first_loss"` // nats per token of the first stretch of the curve
	Last         float64 `json:"last_loss"`
	TeacherFLOPs float64 `json:"teacher_flops,omitempty"`
	Next         int64   `json:"next_row"` // of the text, that a later step begins with
}

// Names in the folder of a making.
const (
	makingText  = "text"
	makingLock  = "recipe"
	makingState = "made.json"
)

// Foresee follows the recipe on the outline of the model, and says why it cannot
// work or would not fit into memory.
func (m *Making) Foresee() ([]Foreseen, error) {
	all, err := m.Recipe.Foresee(m.Model.Outline(), m.Training)
	if err != nil {
		return all, err
	}
	have := Options{}.availableMemory()
	for _, f := range all {
		bytes, help := m.memory(f)
		if need := withGarbage(baseMemory + bytes); have > 0 && need > have {
			return all, &EnvironmentError{fmt.Errorf("stage %q needs about %d MB of memory and %d are available; %s", f.Step.Stage.Name, need>>20, have>>20, help)}
		}
	}
	return all, nil
}

// memory is what a step takes, in bytes, and what would take less.
func (m *Making) memory(f Foreseen) (bytes int, help string) {
	switch {
	case f.Step.Trains():
		return f.Memory, fmt.Sprintf("a smaller batch= needs less, down to one row of %d tokens", m.Model.Context())
	case f.Step.Calibrates():
		return compressMemory(m.Model.Config(), m.Tokens), "a shorter calibration text needs less"
	}
	return compressMemory(m.Model.Config(), 0), "a smaller model is needed"
}

// ID names all that the result depends on, as that of the last stage. The text
// has to be read for it.
func (m *Making) ID() string { return m.stages[len(m.stages)-1].ID }

// Calibration is the text that methods are shown; nil where none wants any.
func (m *Making) Calibration() *compress.Calibration { return m.calibration }

// Run goes through the steps, those that are done already left out. It returns
// the smaller model and what each step did. When ctx ends, training leaves a
// checkpoint.
func (m *Making) Run(ctx context.Context) (*model.Model, []Made, error) {
	if m.Note == nil {
		m.Note = func(string) {}
	}
	if m.Progress == nil {
		m.Progress = func(int, int, int) {}
	}
	if err := os.MkdirAll(m.Folder, 0o777); err != nil {
		return nil, nil, &EnvironmentError{err}
	}
	held, by, err := openLocks(filepath.Join(m.Folder, lockFolder)).take(makingLock)
	if err != nil {
		return nil, nil, environment(err)
	}
	if held == nil {
		return nil, nil, &EnvironmentError{fmt.Errorf("%s is in use by %s: wait for it, or name another folder", m.Folder, by)}
	}
	defer held.release()
	small, made, err := m.run(ctx)
	return small, made, environment(err)
}

func (m *Making) run(ctx context.Context) (*model.Model, []Made, error) {
	m.store = openStore(m.Folder, m.disk)
	if err := m.read(ctx); err != nil {
		return nil, nil, err
	}
	if err := m.name(); err != nil {
		return nil, nil, err
	}
	if err := m.readings(); err != nil {
		return nil, nil, err
	}
	small, made, err := m.resume()
	if err != nil {
		return nil, nil, err
	}
	for i := len(made); i < len(m.stages); i++ {
		if small, made, err = m.step(ctx, i, small, made); err != nil {
			return nil, made, err
		}
	}
	return small, made, nil
}

// read turns the text into tokens, and chooses those that methods are shown.
func (m *Making) read(ctx context.Context) (err error) {
	if m.Text == nil {
		return nil
	}
	folder := filepath.Join(m.Folder, makingText)
	if err := os.RemoveAll(folder); err != nil { // of a making that was killed
		return err
	}
	defer os.RemoveAll(folder)
	if m.learn, err = corpus.Build(until(ctx, m.Text), m.Tokenizer, folder); err != nil {
		return fmt.Errorf("the text to learn from: %w", err)
	}
	if slices.ContainsFunc(m.Recipe.Steps, Step.Calibrates) {
		m.calibration, err = Calibrate(m.learn, m.Tokens, m.Model.Context(), makingPacking, m.Seed)
	}
	return err
}

// name finds the stages of the steps. What they depend on is told as in a spec,
// with hashes of the model and the text in the place of stages.
func (m *Making) name() error {
	start, text := hashModel(m.Model), ""
	if m.learn != nil {
		text = m.learn.Hash
	}
	before, first := start, int64(0)
	m.stages = nil
	for i := range m.Recipe.Steps {
		step := &m.Recipe.Steps[i]
		in, kind := any(nil), CompressStage
		c := train.Config{}
		if step.Trains() {
			kind, c = HealStage, step.Config(m.Training)
			in = healInputs{before, start, step.Stage.String(), c, text, makingPacking, first, m.Seed, Numerics}
		} else {
			one := compressInputs{Model: before, Stage: step.Stage.String(), Numerics: Numerics}
			if step.Calibrates() {
				one.Calibration = &calibrationInput{text, makingPacking, Calibration{"train", m.Tokens, m.Seed}}
			}
			in = one
		}
		s, err := newStage(kind, nil, in)
		if err != nil {
			return err
		}
		s.Step, s.Train, s.First = step, c, first
		if step.Trains() {
			first += rowsOf(c, m.Model.Context())
		}
		m.stages, before = append(m.stages, s), s.ID
	}
	return nil
}

// makingPacking is how rows are cut where no spec says.
const makingPacking = "document"

// rows cuts the text for training.
func (m *Making) rows() (*corpus.Rows, error) {
	if m.learn == nil {
		return nil, errors.New("training learns from text: give it some")
	}
	return corpus.NewRows(m.learn, m.Model.Context()+1, makingPacking, m.Seed)
}

// readings reports a text that is too short for a row, and notes how often one
// that is shorter than what training asks for is read.
func (m *Making) readings() error {
	context := m.Model.Context()
	for _, s := range m.stages {
		if s.Kind != HealStage {
			continue
		}
		rows, err := m.rows()
		if err != nil {
			return fmt.Errorf("stage %q: %w", s.Step.Stage.Name, err)
		}
		if n := rowsOf(s.Train, context); n > int64(rows.Count()) {
			m.Note(fmt.Sprintf("stage %q learns from %d tokens, and the text has rows for %d: it is read %.1f times, each time in another order",
				s.Step.Stage.Name, n*int64(context), rows.Count()*context, float64(n)/float64(rows.Count())))
		}
	}
	return nil
}

// resume finds the last step that is done, and its model.
func (m *Making) resume() (*model.Model, []Made, error) {
	for i := len(m.stages) - 1; i >= 0; i-- {
		id := m.stages[i].ID
		ok, err := m.store.complete(id)
		var damaged *atomicfile.DamagedError
		if errors.As(err, &damaged) {
			m.Note(fmt.Sprintf("%v; the work is done again", damaged))
			if err := m.store.disk.removeAll(m.store.folder(id)); err != nil {
				return nil, nil, err
			}
			continue
		}
		if err != nil {
			return nil, nil, err
		}
		if !ok {
			continue
		}
		var made []Made
		text, err := os.ReadFile(filepath.Join(m.store.folder(id), makingState))
		if err == nil {
			err = json.Unmarshal(text, &made)
		}
		if err != nil {
			return nil, nil, err
		}
		small, err := model.Load(filepath.Join(m.store.folder(id), modelFolder))
		return small, made, err
	}
	return m.Model, nil, nil
}

// Kept reports whether the folder holds anything to go on from, and removes it
// where it does not.
func (m *Making) Kept() (bool, error) {
	for _, s := range m.stages {
		folder := m.store.folder(s.ID)
		checkpoints, _ := os.ReadDir(filepath.Join(folder, checkpointDir))
		if _, err := os.Stat(filepath.Join(folder, stageFile)); err == nil || len(checkpoints) > 0 {
			return true, nil
		}
	}
	return false, os.RemoveAll(m.Folder)
}

// Unfinished reports whether folder holds what a making has left there.
func Unfinished(folder string) bool {
	_, err := os.Stat(filepath.Join(folder, lockFolder))
	return !errors.Is(err, fs.ErrNotExist)
}
