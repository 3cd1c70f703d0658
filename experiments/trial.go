package experiments

import (
	"fmt"
	"slices"
	"strings"

	"plumb/arch"
	"plumb/tasks"
	"plumb/train"
)

// A Trial is one model to train and measure, with nothing left to decide but
// what it tunes.
type Trial struct {
	Number   int               // from 1, in the order of the sweep
	Keys     map[string]string // what the sweep varies, as in records; without the seed
	Axes     []string          // the keys in the order of the spec
	Seed     uint64
	Settings Settings
	Tasks    []string // settings' tasks with groups spread
	Shape    arch.Config
	Residual *arch.Residual // how near the shape came to its budget; nil without one
	Tuned    []Candidate    // the runs that find the best settings; empty when nothing is tuned
	First    uint64         // the seed at which they are run

	Recipe      *Recipe     // what becomes of the model after training; nil leaves it as trained
	Compared    bool        // the spec has recipes: models are also measured for their size
	Calibration Calibration // of Recipe
}

// Label names the trial for people: layers=4 sharing=none seed=1.
func (t *Trial) Label() string {
	return strings.TrimLeft(fmt.Sprintf("%s seed=%d", t.point(), t.Seed), " ")
}

// Trials lists all models of the spec, seeds fastest. Each call returns trials
// of its own.
func (s *Spec) Trials() []*Trial {
	all := make([]*Trial, len(s.made))
	for i, t := range s.made {
		own := *t
		all[i] = &own
	}
	return all
}

// trials makes all models of the spec and reports what is wrong with any.
func (s *Spec) trials(r *report) []*Trial {
	var all []*Trial
	points, recipes := s.points(r), s.recipes(r)
	if n := len(points) * (1 + len(recipes)) * len(s.Seeds); n > maxTrials {
		r.at("seeds", "%d trials: points of the sweep, recipes and seeds make at most %d", n, maxTrials)
		return nil
	}
	for _, p := range points {
		for _, shared := range s.withRecipes(s.trial(p, r), recipes) {
			for _, seed := range s.Seeds {
				t := *shared
				t.Number, t.Seed, t.First = len(all)+1, seed, s.Seeds[0]
				all = append(all, &t)
			}
		}
	}
	r.everywhere(points)
	return all
}

// trial makes the trial of a point: the spec with the point's choices in it,
// read and checked like a spec without a sweep.
func (s *Spec) trial(p point, r *report) *Trial {
	doc := s.doc.clone()
	keys := map[string]string{}
	for i, c := range p.chosen {
		keys[p.keys[i]] = formatValue(c.value)
		if p.paths[i] == "" {
			continue
		}
		where := s.doc.position(c.at)
		if where.as == "" {
			where.as = c.at
		}
		if err := doc.set(p.paths[i], c.value, where); err != nil {
			r.at(c.at, "%v", err)
		}
	}
	own := newReport(doc)
	for _, path := range r.lost {
		own.bad[path] = true
	}
	spec := own.spec()
	t := &Trial{Keys: keys, Axes: p.keys, Settings: spec.Settings}
	t.Settings.Data.Vocab = t.Settings.Data.vocab()
	t.check(own)
	s.checkRecipes(t, own)
	r.merge(own, t.point())
	return t
}

// check reports everything impossible in the settings, and solves the shape.
func (t *Trial) check(r *report) {
	t.Tasks = checkTasks(t.Settings.Tasks, r)
	t.Settings.Data.check(r, t.Tasks)
	checkNonNegative(r, "limit", t.Settings.Limit)
	checkNonNegative(r, "items", t.Settings.Items)
	if err := (tasks.Shots{N: t.Settings.Shots}).Check(); err != nil {
		r.at("shots", "%v", err)
	}
	t.solve(r)
	t.Tuned = t.Settings.Train.candidates(r)
	for _, c := range append([]Candidate{{Train: t.Settings.Train.Config}}, t.Tuned...) {
		checkTrain(c.Train, t.Shape.Context, r)
	}
}

func checkNonNegative(r *report, path string, value int) {
	if value < 0 {
		r.at(path, "%d is negative", value)
	}
}

func checkTasks(names []string, r *report) []string {
	var known []string
	for i, name := range names {
		members, err := tasks.Resolve(name)
		if err != nil {
			r.at(fmt.Sprintf("tasks.%d", i), "%v", err)
		}
		for _, member := range members {
			if !slices.Contains(known, member) {
				known = append(known, member)
			}
		}
	}
	return known
}

// checkTrain reports what a training run cannot do, each beside its key.
func checkTrain(c train.Config, context int, r *report) {
	for _, line := range errorLines(c.Check(max(1, context))) {
		path := join("train", firstKey(line, "train."))
		if r.ok(path) {
			r.at(path, "%s", line)
		}
	}
}

// errorLines are the lines of a joined error.
func errorLines(err error) []string {
	if err == nil {
		return nil
	}
	return strings.Split(err.Error(), "\n")
}

// firstKey returns the first word of a message that is a key below the table
// prefix, such as "learning_rate" in "learning_rate = 20: ...".
func firstKey(message, prefix string) string {
	paths := settingPaths()
	for _, word := range strings.FieldsFunc(message, func(r rune) bool { return !(r == '.' || r == '_' || r >= 'a' && r <= 'z' || r >= '0' && r <= '9') }) {
		if slices.Contains(paths, prefix+word) {
			return word
		}
	}
	return ""
}
