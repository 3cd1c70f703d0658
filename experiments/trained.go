package experiments

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
)

// ModelFolder returns the folder with the model of a stage: of a training
// stage, or of the training stage that a trial's score stage names.
func ModelFolder(stage string) (string, error) {
	stage, err := filepath.Abs(stage)
	if err != nil {
		return "", err
	}
	s := openStore(filepath.Dir(stage), disk{})
	m, err := s.manifest(filepath.Base(stage))
	if err != nil {
		return "", err
	}
	if m.Kind != ScoreStage {
		return filepath.Join(stage, modelFolder), nil
	}
	var in scoreInputs
	if err := json.Unmarshal(m.Inputs, &in); err != nil {
		return "", err
	}
	if in.Train == "" {
		in.Train, err = s.best(in)
	}
	return filepath.Join(s.folder(in.Train), modelFolder), err
}

// best returns the training stage that the candidates of a tuned trial decide.
func (s *store) best(in scoreInputs) (string, error) {
	best, least := "", math.Inf(1)
	for i, id := range in.Candidates {
		record, err := readMetric(s.folder(id), validNats)
		if err != nil {
			return "", err
		}
		if i < len(in.Final) && (best == "" || record.Value != nil && *record.Value < least) {
			best = in.Final[i]
			if record.Value != nil {
				least = *record.Value
			}
		}
	}
	return best, nil
}

// TrainedWorld returns the built-in world that the model in dir learnt from. It
// is nil where dir is not the model folder of a training stage, where the data
// stage is gone, or where the text was not the world's.
func TrainedWorld(dir string) (*World, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	stage := filepath.Dir(dir)
	if _, err := os.Stat(filepath.Join(stage, stageFile)); errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	s := openStore(filepath.Dir(stage), disk{})
	var training trainInputs
	if err := s.inputs(filepath.Base(stage), TrainStage, &training); err != nil {
		return nil, err
	}
	var data dataInputs
	err = s.inputs(training.Data, DataStage, &data)
	if errors.Is(err, fs.ErrNotExist) || err == nil && data.World == nil {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return &World{data.WorldSeed, *data.World}, nil
}

// inputs reads what a stage of the given kind depends on.
func (s *store) inputs(id, kind string, into any) error {
	m, err := s.manifest(id)
	if err != nil {
		return err
	}
	if m.Kind != kind {
		return fmt.Errorf("%s is a %s stage, not a %s stage", s.folder(id), m.Kind, kind)
	}
	return json.Unmarshal(m.Inputs, into)
}
