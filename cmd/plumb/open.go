package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"plumb/experiments"
	"plumb/internal/tokenizer"
	"plumb/model"
)

// A trained model is a folder's model with the tokenizer that it was trained
// with, and the world that its text told of, where that is recorded.
type trained struct {
	name      string // as the command line has it
	dir       string // that holds the weights
	model     *model.Model
	tokenizer *tokenizer.Tokenizer
	world     *experiments.World // nil for a model of unknown training
	ours      bool               // trained here: its texts began with the end of text
}

// openModel reads the model that path means, for scoring and generating: a
// folder with a model, or the folder of a trial or of a training stage.
func openModel(path string) (*trained, error) {
	dir, err := modelDir(path)
	if err != nil {
		return nil, err
	}
	t := &trained{name: path, dir: dir}
	if t.model, err = model.Load(dir); err != nil {
		return nil, err
	}
	if t.tokenizer, err = tokenizer.Load(dir); err != nil {
		return nil, fmt.Errorf("the model in %s has no tokenizer that can be read: %w", dir, err)
	}
	if ids, rows := t.tokenizer.Vocab(), t.model.Config().Vocab; ids > rows {
		return nil, fmt.Errorf("%s: its tokenizer has %d ids and the model only %d: they do not belong together", dir, ids, rows)
	}
	t.model.Freeze()
	t.ours = ownConfig(dir)
	t.world, err = experiments.TrainedWorld(dir)
	return t, err
}

// modelDir returns the folder below path, or path itself, that holds weights.
func modelDir(path string) (string, error) {
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return "", fmt.Errorf("no model folder %s; runs/EXPERIMENT/TRIAL is one after plumb run", path)
	case err != nil:
		return "", err
	case !info.IsDir():
		return "", fmt.Errorf("%s is a file: give the folder that holds %s, %s and a tokenizer.json", path, model.ConfigFile, model.WeightsFile)
	}
	candidates := []string{path, filepath.Join(path, "model")}
	if dir, err := experiments.ModelFolder(path); err == nil {
		candidates = append(candidates, dir)
	}
	for _, dir := range candidates {
		if exists(filepath.Join(dir, model.WeightsFile)) {
			return dir, nil
		}
	}
	return "", fmt.Errorf("folder %s holds no model: neither it nor its folder model has a %s", path, model.WeightsFile)
}

// ownConfig says whether the config in dir is one of ours.
func ownConfig(dir string) bool {
	text, err := os.ReadFile(filepath.Join(dir, model.ConfigFile))
	if err != nil {
		return false
	}
	_, err = readConfig(text)
	return err == nil
}
