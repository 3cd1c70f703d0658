package experiments

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"hash"
	"math"
	"path/filepath"
	"slices"
	"time"

	"plumb/compress"
	"plumb/model"
	"plumb/train"
)

// step does step i, keeps what it made, and removes what the one before it kept.
func (m *Making) step(ctx context.Context, i int, small *model.Model, made []Made) (*model.Model, []Made, error) {
	s, start := m.stages[i], time.Now()
	if err := m.store.begin(s.ID); err != nil {
		return nil, made, err
	}
	do := m.compress
	if s.Kind == HealStage {
		do = m.train
	}
	next, did, err := do(ctx, i, small)
	if err != nil {
		return nil, made, err
	}
	did.Stage, did.Seconds = s.Step.Stage.String(), time.Since(start).Seconds()
	made = append(made, did)
	if err := m.keep(s, next, made); err != nil {
		return nil, made, err
	}
	if i > 0 {
		err = m.store.disk.removeAll(m.store.folder(m.stages[i-1].ID))
	}
	return next, made, err
}

// keep writes the model of a step that is done.
func (m *Making) keep(s *Stage, small *model.Model, made []Made) error {
	folder := m.store.folder(s.ID)
	if err := m.store.disk.do("save", folder, func() error { return small.Save(filepath.Join(folder, modelFolder)) }); err != nil {
		return err
	}
	text, err := json.Marshal(made)
	if err != nil {
		return err
	}
	if err := m.store.disk.write(filepath.Join(folder, makingState), text); err != nil {
		return err
	}
	if err := m.store.commit(s); err != nil {
		return err
	}
	return m.store.disk.removeAll(filepath.Join(folder, checkpointDir))
}

// compress does a step that does not train.
func (m *Making) compress(ctx context.Context, i int, small *model.Model) (*model.Model, Made, error) {
	next, changes, err := m.stages[i].Step.Compress(ctx, small, m.calibration, func(done, all int) { m.Progress(i, done, all) })
	if err != nil {
		return nil, Made{}, err
	}
	var did Made
	for _, c := range changes {
		did.Changes = append(did.Changes, Change{c.Slot, c.Form, finiteOrNil(c.Error), finiteOrNil(c.Output), finiteNotes(c.Notes), c.Time.Seconds()})
	}
	return next, did, nil
}

// finiteNotes leaves out what JSON cannot say.
func finiteNotes(all compress.Notes) compress.Notes {
	finite := compress.Notes{}
	for name, v := range all {
		if !math.IsNaN(v) && !math.IsInf(v, 0) {
			finite[name] = v
		}
	}
	return finite
}

// train does a step that trains, from its checkpoint if there is one.
func (m *Making) train(ctx context.Context, i int, small *model.Model) (*model.Model, Made, error) {
	s := m.stages[i]
	rows, err := m.rows()
	if err != nil {
		return nil, Made{}, err
	}
	dir := filepath.Join(m.store.folder(s.ID), checkpointDir)
	if err := m.store.disk.mkdir(dir); err != nil {
		return nil, Made{}, err
	}
	next, out, err := s.Step.Train(ctx, small, m.Model, train.Options{
		Config: s.Train, ID: s.ID, Dir: dir, Rows: rows, Seed: m.Seed, First: s.First, Warn: func(err error) { m.Note(err.Error()) },
		Progress: func(p train.Progress) { m.Progress(i, p.Step, p.Steps) },
	})
	switch {
	case err != nil:
		return nil, Made{}, fmt.Errorf("stage %q: %w", s.Step.Stage.Name, err)
	case out.Status == train.Stopped:
		return nil, Made{}, ctx.Err()
	case out.Status != train.Done:
		return nil, Made{}, fmt.Errorf("stage %q %s: %s; a smaller lr= may help", s.Step.Stage.Name, out.Status, out.Note)
	}
	learned := &Learned{Steps: out.Steps, Tokens: out.Tokens, TeacherFLOPs: out.TeacherFLOPs, Next: out.Next}
	if n := len(out.Curve); n > 0 {
		learned.First, learned.Last = out.Curve[0].Loss, out.Curve[n-1].Loss
	}
	return next, Made{Learned: learned}, nil
}

// hashModel names a model by its shape and all that it stores.
func hashModel(m *model.Model) string {
	sum := sha256.New()
	config := m.Config()
	config.Name = ""
	text, err := json.Marshal(config)
	if err != nil {
		panic("experiments: a shape cannot be written: " + err.Error())
	}
	sum.Write(text)
	for _, a := range m.Arrays() {
		fmt.Fprintf(sum, "\n%s %s %v ", a.Name, a.DType, a.Shape)
		hashFloats(sum, a.Data)
		sum.Write(a.Bytes)
	}
	return hex.EncodeToString(sum.Sum(nil))[:16]
}

// hashFloats adds numbers to a sum, some at a time.
func hashFloats(sum hash.Hash, all []float32) {
	var buf []byte
	for part := range slices.Chunk(all, 1<<14) {
		buf = buf[:0]
		for _, v := range part {
			buf = binary.LittleEndian.AppendUint32(buf, math.Float32bits(v))
		}
		sum.Write(buf)
	}
}
