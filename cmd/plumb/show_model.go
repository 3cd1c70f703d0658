package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"plumb/arch"
	"plumb/experiments"
	"plumb/model"
)

// modelFolder reads the shape of the model in the folder dir, or in its folder
// "model" as the stages of trials have it: ours or a foreign one that package
// model knows.
func modelFolder(dir string, _ showOptions) ([]subject, error) {
	if inner := filepath.Join(dir, "model"); exists(filepath.Join(inner, model.ConfigFile)) {
		dir = inner
	} else if trained, err := experiments.ModelFolder(dir); err == nil {
		dir = trained
	}
	path := filepath.Join(dir, model.ConfigFile)
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, folderWithoutModel(dir)
	}
	if err != nil {
		return nil, err
	}
	c, err := readConfig(text)
	if err != nil {
		var foreign error
		if c, _, foreign = model.ReadHFConfig(dir); foreign != nil {
			return nil, fmt.Errorf("%s is neither a config of ours (%w) nor a known foreign one (%w)", path, err, foreign)
		}
	}
	if err := c.Validate(); err != nil {
		return nil, fmt.Errorf("%s:\n%w", path, err)
	}
	if c.Name == "" {
		c.Name = filepath.Clean(dir)
	}
	return []subject{{config: c}}, nil
}

// folderWithoutModel complains where dir is a folder; otherwise it may be a name
// of something else.
func folderWithoutModel(dir string) error {
	if info, err := os.Stat(dir); err == nil && info.IsDir() {
		return fmt.Errorf("folder %s holds no model: it has no %s", dir, model.ConfigFile)
	}
	return nil
}

// readConfig decodes a config of ours and refuses fields that it does not know.
func readConfig(text []byte) (arch.Config, error) {
	var c arch.Config
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields()
	err := decoder.Decode(&c)
	return c, err
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}
