package experiments

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"plumb/internal/corpus"
	"plumb/internal/registry"
	"plumb/internal/tokenizer"
	"plumb/internal/world"
	"plumb/results"
	"plumb/tasks"
)

// WorldText is the value of data.train and data.valid that stands for the text
// of the built-in world.
const WorldText = "world"

// check reports everything that is wrong beyond keys and types.
func (s *Spec) check(r *report) {
	s.checkName(r)
	s.checkSeeds(r)
	s.checkSpeed(r)
	for name, why := range reserved {
		if r.doc.has(name) {
			r.at(name, "%s", why)
		}
	}
	s.made = s.trials(r)
	s.checkViews(r, s.made)
}

func (s *Spec) checkName(r *report) {
	clean := func(c rune) bool {
		return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '-' || c == '_' || c == '.'
	}
	odd := strings.TrimFunc(s.Name, clean)
	switch {
	case !r.ok("name"):
	case s.Name == "":
		r.at("name", "the name of the experiment is missing; its folder below runs is named after it")
	case odd != "" || strings.HasPrefix(s.Name, ".") || len(s.Name) > 100:
		r.at("name", "%q cannot name a folder; use at most 100 letters, digits, dots, dashes and underscores, and begin with no dot", s.Name)
	}
}

func (s *Spec) checkSeeds(r *report) {
	if len(s.Seeds) == 0 {
		r.at("seeds", "an empty list leaves no trial; give at least one seed")
		s.Seeds = []uint64{1}
	}
	for i, seed := range s.Seeds {
		if slices.Contains(s.Seeds[:i], seed) {
			r.at(fmt.Sprintf("seeds.%d", i), "seed %d stands twice", seed)
		}
	}
}

// check reports impossible settings of the data.
func (d Data) check(r *report, names []string) {
	if d.Train == "" {
		r.at("data.train", `a file or folder of text below --data is wanted, or "world"`)
	}
	if (d.Train == WorldText) != (d.Valid == WorldText) && d.Valid != "" {
		r.at("data.valid", "%q beside data.train = %q: text of the world and text of files do not mix", d.Valid, d.Train)
	}
	if !(d.ValidShare > 0 && d.ValidShare < 1) {
		r.at("data.valid_share", "%v is no share of the documents between 0 and 1", d.ValidShare)
	}
	checkNonNegative(r, "data.valid_tokens", d.ValidTokens)
	checkNonNegative(r, "data.train_bytes", d.TrainBytes)
	checkChoice(r, "data.packing", d.Packing, corpus.Packings()...)
	if err := checkSplit(d.Documents); err != nil {
		r.at("data.documents", "%v", err)
	}
	if err := d.World.Options.Validate(); err != nil {
		for _, line := range errorLines(err) {
			r.at(join("data.world", firstKey(line, "data.world.")), "%s", line)
		}
	} else if d.Train == WorldText {
		d.checkTopics(r, names)
		d.checkWorldVocab(r)
	}
}

// checkWorldVocab reports a vocabulary that the world's text cannot fill.
func (d Data) checkWorldVocab(r *report) {
	if d.Vocab.Bytes || !r.ok("data.vocab") {
		return
	}
	var short *tokenizer.ShortTextError
	if errors.As(worldVocabFits(d.World, d.Vocab.Size), &short) {
		r.at("data.vocab", "%d ids are more than this world has words for; ask for at most %d", short.Vocab, short.Most)
	}
}

// checkSplit asks corpus, which reads the split before it looks for the file.
func checkSplit(split string) error {
	for _, err := range corpus.Documents("", split) {
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

// checkTopics reports built-in tasks that the world's text says nothing about.
func (d Data) checkTopics(r *report, names []string) {
	mixture, err := world.ParseMixture(d.World.WithDefaults().Mixture)
	if err != nil {
		return
	}
	for _, name := range names {
		kind, isWorld := strings.CutPrefix(name, "world_")
		if !isWorld {
			continue
		}
		if about, err := world.Describe(kind); err == nil && mixture[about.Topic] == 0 {
			r.at("tasks", "%s asks about %s, of which data.world.mixture writes nothing", name, about.Topic)
		}
	}
}

func checkChoice(r *report, at, value string, known ...string) {
	if slices.Contains(known, value) {
		return
	}
	hint := registry.Hint(value, known)
	r.at(at, "%q is none of %s%s", value, strings.Join(known, ", "), hint)
}

// checkViews reports views that no record of these trials could fill.
func (s *Spec) checkViews(r *report, all []*Trial) {
	names := map[string]bool{}
	for i, view := range s.Views {
		at := fmt.Sprintf("view.%d", i)
		for _, err := range view.Check() {
			r.at(join(at, viewKey(err.Error())), "%v", err)
		}
		s.checkMetrics(r, at, view, all)
		s.checkKeys(r, join(at, "rows"), view.Rows, all)
		s.checkKeys(r, join(at, "cols"), view.Cols, all)
		for key := range view.Against {
			s.checkKeys(r, join(at, "against."+key), key, all)
		}
		for key := range view.Where {
			s.checkKeys(r, join(at, "where."+key), key, all)
		}
		if err := checkFigure(view); err != nil {
			r.at(join(at, "figure"), "%v", err)
		}
		slug := strings.ToLower(view.Slug()) // not every disk tells upper case from lower
		if names[slug] {
			r.at(at, "two views are called %q; give one of them another name", slug)
		}
		names[slug] = true
	}
}

// viewKey guesses which key of a view a message is about.
func viewKey(message string) string {
	for _, key := range []string{"where", "best", "width", "axis", "metric", "rows"} {
		if strings.HasPrefix(message, key) || strings.HasPrefix(message, "a view needs "+key) || strings.HasPrefix(message, "a view needs a "+key) {
			return key
		}
	}
	return ""
}

// checkMetrics reports metrics that no trial measures. Where the list of tasks
// cannot be read, what they would measure is unknown.
func (s *Spec) checkMetrics(r *report, at string, view results.View, all []*Trial) {
	if r.bad["tasks"] {
		return
	}
	known := metricNames(all)
	complain := func(path, metric string) {
		hint := registry.Hint(metric, known)
		r.at(path, "no trial measures %q%s (have %s)", metric, hint, strings.Join(known, ", "))
	}
	if view.Metric != "" && !matches(view.Metric, known) {
		complain(join(at, "metric"), view.Metric)
	}
	for i, metric := range view.Metrics {
		if !matches(metric, known) {
			complain(fmt.Sprintf("%s.metrics.%d", at, i), metric)
		}
	}
}

func matches(pattern string, names []string) bool {
	return slices.ContainsFunc(names, func(name string) bool {
		ok, err := path.Match(pattern, name)
		return ok || err != nil || name == pattern
	})
}

// checkKeys reports keys of a view that neither the sweep nor a record has.
func (s *Spec) checkKeys(r *report, at, list string, all []*Trial) {
	if len(all) == 0 {
		return
	}
	known := []string{"metric", "seed", "trial", "experiment"}
	for _, path := range r.lost {
		known = append(known, shortName(path, settingPaths()))
	}
	for _, t := range all {
		for _, key := range append(slices.Clone(t.Axes), tunedKeys(t)...) {
			if !slices.Contains(known, key) {
				known = append(known, key)
			}
		}
	}
	for _, key := range strings.Split(list, ",") {
		key = strings.TrimSpace(key)
		if key == "" || slices.Contains(known, key) {
			continue
		}
		hint := registry.Hint(key, known)
		r.at(at, "no axis of the sweep is called %q%s (have %s)", key, hint, strings.Join(known, ", "))
	}
}

func tunedKeys(t *Trial) []string {
	if len(t.Tuned) == 0 {
		return nil
	}
	return sortedKeys(t.Tuned[0].Keys)
}

// Metrics that every trial has beside those of its tasks.
const (
	validNats = "valid/nats_per_token"
	validBits = "valid/bits_per_byte"
	trainNats = "train/nats_per_token"  // of the last stretch of the training curve
	tuneNats  = "tuning/nats_per_token" // of each candidate, with its settings among the keys
)

// metricNames lists what the trials measure.
func metricNames(all []*Trial) []string {
	var names []string
	add := func(name string) {
		if !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	for _, t := range all {
		for _, name := range t.Tasks {
			task, err := tasks.All.Get(name)
			if err != nil {
				continue
			}
			for _, metric := range task.Metrics {
				add(name + "/" + metric)
			}
		}
	}
	add(validBits)
	add(validNats)
	add(trainNats)
	for _, t := range all {
		for _, key := range tunedKeys(t) {
			add("tuned/" + key)
			add(tuneNats)
		}
	}
	for _, fact := range shapeFacts {
		add(fact.metric)
	}
	for _, name := range comparedMetrics(all) {
		add(name)
	}
	return names
}
