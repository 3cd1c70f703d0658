package experiments

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"plumb/internal/atomicfile"
	"plumb/results"
)

// An Experiment is what report needs to know of a run: it stands beside the
// stages, so that tables can be made without the spec.
type Experiment struct {
	Name     string            `json:"name"`
	Question string            `json:"question,omitempty"`
	Trials   []ExperimentTrial `json:"trials"`
	Views    []results.View    `json:"views"`
	Spec     string            `json:"spec"`          // the file, as written
	Set      []string          `json:"set,omitempty"` // what the command line changed
}

// An ExperimentTrial names a trial's folder, and what its records are about.
type ExperimentTrial struct {
	ID    string            `json:"id"`
	Label string            `json:"label"`
	Keys  map[string]string `json:"keys"`
	Seed  uint64            `json:"seed"`
}

// describe writes what report needs, about all trials of the spec.
func (r *runner) describe(all []*identity) error {
	e := Experiment{Name: r.spec.Name, Question: r.spec.Question, Views: r.spec.views(), Spec: string(r.spec.Text), Set: r.spec.Set}
	for _, t := range all {
		e.Trials = append(e.Trials, ExperimentTrial{t.score.ID, t.trial.Label(), t.trial.Keys, t.trial.Seed})
	}
	data, err := json.MarshalIndent(e, "", "  ")
	if err != nil {
		return err
	}
	if err := r.store.disk.mkdir(r.store.root); err != nil {
		return err
	}
	file, data := filepath.Join(r.store.root, summaryFile), append(data, '\n')
	return r.locks.alone(func() error {
		if old, err := os.ReadFile(file); err == nil && slices.Equal(old, data) {
			return nil
		}
		if err := atomicfile.Clean(r.store.root); err != nil {
			return err
		}
		return r.store.disk.write(file, data)
	})
}

// ReadExperiment reads what a run left about its spec.
func ReadExperiment(folder string) (Experiment, error) {
	var e Experiment
	file := filepath.Join(folder, summaryFile)
	text, err := os.ReadFile(file)
	if err != nil {
		return e, fmt.Errorf("%s is no folder of a run: %w", folder, err)
	}
	if err := json.Unmarshal(text, &e); err != nil {
		return e, fmt.Errorf("%s is damaged (%v); run the spec again to have it rewritten", file, err)
	}
	return e, nil
}
