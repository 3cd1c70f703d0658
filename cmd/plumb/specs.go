package main

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"plumb/experiments"
)

func init() {
	listings.Add("specs", listing{"specs that come with the program", []string{"name", "#trials", "question"}, listSpecs})
}

func listSpecs() ([]entry, error) {
	var entries []entry
	for _, name := range specNames() {
		spec, err := loadSpec(name, nil)
		if err != nil {
			return nil, err
		}
		trials := len(spec.Trials())
		entries = append(entries, entry{
			[]string{name, fmt.Sprint(trials), spec.Question},
			struct {
				Name     string   `json:"name"`
				Question string   `json:"question"`
				Trials   int      `json:"trials"`
				Tasks    []string `json:"tasks"`
			}{name, spec.Question, trials, spec.Tasks},
		})
	}
	return entries, nil
}

// quickstart is the spec that is run when none is named.
const quickstart = "quickstart"

// specNames lists the specs that come with the program.
func specNames() []string { return experiments.Shipped.Names() }

// loadSpec reads the spec that name means: a file, or one that comes with the
// program. An empty name means the quickstart.
func loadSpec(name string, set []string) (*experiments.Spec, error) {
	name = cmp.Or(name, quickstart)
	info, err := os.Stat(name)
	isFile := err == nil && !info.IsDir()
	if isFile || filepath.Ext(name) == ".toml" || strings.ContainsRune(name, filepath.Separator) {
		return experiments.Load(name, set...)
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	text, err := experiments.Shipped.Get(name)
	if err != nil {
		return nil, unknown("spec", name, specNames())
	}
	return experiments.Parse("specs/"+name+".toml", text, set...)
}

// readSpec reads a spec from a stream.
func readSpec(r io.Reader, set []string) (*experiments.Spec, error) {
	text, err := io.ReadAll(r)
	if err != nil {
		return nil, err
	}
	return experiments.Parse("stdin", text, set...)
}
