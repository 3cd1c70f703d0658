package experiments

import (
	"fmt"
	"path"
	"slices"
	"strconv"

	"plumb/results"
)

// choose picks the trials that the options ask for.
func (r *runner) choose(all []*identity) ([]*identity, error) {
	named, err := matching(all, r.options.Only)
	if err != nil || !r.options.Failed {
		return named, err
	}
	var chosen []*identity
	for _, t := range named {
		again, err := r.retry(t)
		if err != nil {
			return nil, err
		}
		if again {
			chosen = append(chosen, t)
		}
	}
	return chosen, nil
}

// matching returns the trials that a pattern means. That there is none is an error.
func matching(all []*identity, pattern string) ([]*identity, error) {
	var chosen []*identity
	for _, t := range all {
		ok, err := t.named(pattern)
		if err != nil {
			return nil, err
		}
		if ok {
			chosen = append(chosen, t)
		}
	}
	if len(chosen) == 0 {
		return nil, fmt.Errorf("no trial matches %q; the first of %d is %q, with ID %s", pattern, len(all), all[0].trial.Label(), all[0].score.ID)
	}
	return chosen, nil
}

// named says whether a pattern means this trial.
func (t *identity) named(pattern string) (bool, error) {
	if pattern == "" {
		return true, nil
	}
	for _, name := range []string{t.trial.Label(), t.score.ID, strconv.Itoa(t.trial.Number)} {
		ok, err := path.Match(pattern, name)
		if err != nil {
			return false, fmt.Errorf("--only %q is no pattern: %v", pattern, err)
		}
		if ok {
			return true, nil
		}
	}
	return false, nil
}

// retry says whether a trial failed or diverged before, and makes room for
// another try at it.
func (r *runner) retry(t *identity) (bool, error) {
	names := []string{t.data.ID, t.score.ID, t.score.ID + chosenSuffix}
	for _, s := range append(slices.Clone(t.candidates), t.finals...) {
		names = append(names, s.ID)
	}
	for _, name := range names {
		if _, failed := r.store.failed(name); failed {
			return true, nil
		}
	}
	record, err := readMetric(r.store.folder(t.score.ID), validNats)
	if err != nil || record.Status != results.StatusDiverged {
		return false, nil
	}
	if _, err := r.store.setAside(t.score.ID); err != nil {
		return false, err
	}
	for _, s := range t.finals {
		if record, err := readMetric(r.store.folder(s.ID), validNats); err == nil && record.Status == results.StatusDiverged {
			if _, err := r.store.setAside(s.ID); err != nil {
				return false, err
			}
		}
	}
	return true, nil
}
