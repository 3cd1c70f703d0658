package experiments

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"plumb/internal/atomicfile"
	"plumb/train"
)

// An Origin says what a model was made of, where it stands by itself and not in
// the folder of a stage.
type Origin struct {
	Format string `json:"format"`
	Model  string `json:"model"`  // that it was made of, as the command line had it
	Recipe string `json:"recipe"` // with all settings
	ID     string `json:"id"`     // hash of all that it depends on
	// Foreign says that the model it was made of was not trained here, so that its
	// texts may begin otherwise.
	Foreign bool   `json:"foreign"`
	World   *World `json:"world,omitempty"` // that the model learnt from
}

const (
	originFile   = "origin.json"
	originFormat = "plumb-origin-1"
	mostOrigin   = 1 << 20 // bytes
)

// Write puts o beside the weights in dir.
func (o Origin) Write(dir string) error {
	o.Format = originFormat
	text, err := json.MarshalIndent(o, "", "  ")
	if err != nil {
		return err
	}
	return atomicfile.Write(filepath.Join(dir, originFile), append(text, '\n'))
}

// ReadOrigin reads what stands beside the weights in dir; nil where nothing does.
func ReadOrigin(dir string) (*Origin, error) {
	path := filepath.Join(dir, originFile)
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) { // a model may be a single file
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, mostOrigin+1))
	if err != nil {
		return nil, err
	}
	var o Origin
	if len(text) > mostOrigin {
		err = fmt.Errorf("more than the %d bytes that it may have", mostOrigin)
	} else {
		err = json.Unmarshal(text, &o)
	}
	if err == nil && o.Format != originFormat {
		err = fmt.Errorf("format %q is not %q of this version", o.Format, originFormat)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w; make the model again, or remove the file if the model was trained here", path, err)
	}
	return &o, nil
}

// stageOf returns the store and the ID of the stage whose model folder dir is; ok
// is false where it is none.
func stageOf(dir string) (s *store, id string, ok bool, err error) {
	dir, err = filepath.Abs(dir)
	if err != nil {
		return nil, "", false, err
	}
	stage := filepath.Dir(dir)
	if _, err := os.Stat(filepath.Join(stage, stageFile)); err != nil || filepath.Base(dir) != modelFolder {
		return nil, "", false, nil
	}
	return openStore(filepath.Dir(stage), disk{}), filepath.Base(stage), true, nil
}

// training reads what the training behind a stage depends on: of a recipe's stage,
// that of the model at its start.
func (s *store) training(id string) (in trainInputs, err error) {
	for {
		m, err := s.manifest(id)
		if err != nil {
			return in, err
		}
		if m.Kind != CompressStage && m.Kind != HealStage {
			return in, s.inputs(id, TrainStage, &in)
		}
		var before struct {
			Model string `json:"model"`
		}
		if err := json.Unmarshal(m.Inputs, &before); err != nil {
			return in, err
		}
		id = before.Model
	}
}

// TrainedConfig returns the settings that the model in dir was trained with; false
// where dir is not the model folder of a stage, or that training is gone.
func TrainedConfig(dir string) (train.Config, bool, error) {
	s, id, ok, err := stageOf(dir)
	if !ok || err != nil {
		return train.Config{}, false, err
	}
	in, err := s.training(id)
	if errors.Is(err, fs.ErrNotExist) {
		return train.Config{}, false, nil
	}
	c := in.Train
	c.CheckpointSeconds = train.Defaults().CheckpointSeconds
	return c, err == nil, err
}
