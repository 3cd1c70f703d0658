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
	dir       string // that holds the weights, or the file that is the model
	model     *model.Model
	tokenizer *tokenizer.Tokenizer
	world     *experiments.World // nil for a model of unknown training
	ours      bool               // trained here: its texts began with the end of text
}

// openModel reads the model that path means, for scoring and generating: a
// folder with a model, or the folder of a trial or of a training stage.
func openModel(path string) (*trained, error) {
	t, err := openThawed(path)
	if err == nil {
		t.model.Freeze()
	}
	return t, err
}

// openThawed reads the model that path means, its weights open to all.
func openThawed(path string) (*trained, error) {
	t, err := openWeights(path)
	if err != nil {
		return nil, err
	}
	dir := t.dir
	if t.tokenizer, err = t.loadTokenizer(); err != nil {
		return nil, fmt.Errorf("the model in %s has no tokenizer that can be read: %w", dir, err)
	}
	if ids, rows := t.tokenizer.Vocab(), t.model.Config().Vocab; ids > rows {
		return nil, fmt.Errorf("%s: its tokenizer has %d ids and the model only %d: they do not belong together", dir, ids, rows)
	}
	origin, err := experiments.ReadOrigin(dir)
	if err != nil {
		return nil, err
	}
	t.ours = ownConfig(dir) && (origin == nil || !origin.Foreign)
	t.world, err = experiments.TrainedWorld(dir)
	return t, err
}

// openWeights reads a model and leaves its tokenizer alone.
func openWeights(path string) (*trained, error) {
	dir, err := modelDir(path)
	if err != nil {
		return nil, err
	}
	m, err := model.Load(dir)
	if err != nil {
		return nil, err
	}
	return &trained{name: path, dir: dir, model: m}, nil
}

// loadTokenizer reads the tokenizer that belongs to t: from its folder, the GGUF
// file that it is, or what stands beside another file.
func (t *trained) loadTokenizer() (*tokenizer.Tokenizer, error) {
	if info, err := os.Stat(t.dir); err == nil && !info.IsDir() && filepath.Ext(t.dir) != ".gguf" {
		return tokenizer.Load(filepath.Dir(t.dir))
	}
	return tokenizer.Load(t.dir)
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
		return path, nil
	}
	candidates := []string{path, filepath.Join(path, "model")}
	if dir, err := experiments.ModelFolder(path); err == nil {
		candidates = append(candidates, dir)
	}
	for _, dir := range candidates {
		if model.CheckWeights(dir) == nil {
			return dir, nil
		}
	}
	if err := model.CheckWeights(path); errors.Is(err, model.ErrPickle) {
		return "", err
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

// weightsFile returns the file that tells the model in dir from others: of its
// weights, or the index of several, or dir itself where it is a file.
func weightsFile(dir string) string {
	for _, name := range []string{model.WeightsFile, model.IndexFile} {
		if path := filepath.Join(dir, name); exists(path) {
			return path
		}
	}
	return dir
}
