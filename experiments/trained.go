package experiments

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"path/filepath"
)

// ModelFolder returns the folder with the model of a stage: of one that makes a
// model, or of the one that a trial's score stage names.
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
	id, err := s.scored(in)
	return filepath.Join(s.folder(id), modelFolder), err
}

// scored is the stage whose model a trial's score stage measures.
func (s *store) scored(in scoreInputs) (string, error) {
	best := 0
	if in.Train == "" {
		var err error
		if best, err = s.best(in); err != nil {
			return "", err
		}
	}
	switch {
	case best < len(in.Recipe):
		return in.Recipe[best], nil
	case in.Train != "":
		return in.Train, nil
	case best < len(in.Final):
		return in.Final[best], nil
	}
	return "", fmt.Errorf("%s: a trial that names no training", s.root)
}

// best returns which of the candidates of a tuned trial is best.
func (s *store) best(in scoreInputs) (int, error) {
	best, least := 0, math.Inf(1)
	for i, id := range in.Candidates {
		record, err := readMetric(s.folder(id), validNats)
		if err != nil {
			return 0, err
		}
		if i < len(in.Final) && record.Value != nil && *record.Value < least {
			best, least = i, *record.Value
		}
	}
	return best, nil
}

// TrainedWorld returns the built-in world that the model in dir learnt from, before
// it was compressed if it was. It is nil where dir is not the model folder of a
// stage and no origin stands there, where the stages are gone, or where the text was
// not the world's.
func TrainedWorld(dir string) (*World, error) {
	if o, err := ReadOrigin(dir); o != nil || err != nil {
		if err != nil {
			return nil, err
		}
		return o.World, nil
	}
	s, id, ok, err := stageOf(dir)
	if !ok || err != nil {
		return nil, err
	}
	training, err := s.training(id)
	var data dataInputs
	if err == nil {
		err = s.inputs(training.Data, DataStage, &data)
	}
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
