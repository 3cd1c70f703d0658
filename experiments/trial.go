package experiments

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"math"
	"reflect"
	"slices"
	"strings"

	"plumb/arch"
	"plumb/model"
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
}

// A Candidate is one combination of tuned settings.
type Candidate struct {
	Keys   map[string]string // key of train → value
	Train  train.Config
	AtEdge []string // keys of which the value is the least or greatest tried
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
	points := s.points(r)
	for _, p := range points {
		shared := s.trial(p, r)
		for _, seed := range s.Seeds {
			t := *shared
			t.Number, t.Seed, t.First = len(all)+1, seed, s.Seeds[0]
			all = append(all, &t)
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
	spec := own.spec()
	t := &Trial{Keys: keys, Axes: p.keys, Settings: spec.Settings}
	t.Settings.Data.Vocab = t.Settings.Data.vocab()
	t.check(own)
	r.merge(own, t.point())
	return t
}

// check reports everything impossible in the settings, and solves the shape.
func (t *Trial) check(r *report) {
	t.Tasks = checkTasks(t.Settings.Tasks, r)
	t.Settings.Data.check(r, t.Tasks)
	checkNonNegative(r, "limit", t.Settings.Limit)
	checkNonNegative(r, "items", t.Settings.Items)
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

// solve fills in the shape: as the spec gives it, or as its budget allows.
func (t *Trial) solve(r *report) {
	shape := t.shape(r)
	budget, ok := t.Settings.Budget.chosen(r)
	if !ok || !r.ok("model") || !r.ok("data.vocab") {
		t.Shape = shape
		return
	}
	if budget != (arch.Budget{}) {
		shape = t.fit(shape, budget, r)
	} else {
		shape = t.complete(shape, r)
	}
	if t.Settings.Model.EmbeddingScale.RootWidth {
		shape.EmbeddingScale = math.Sqrt(float64(shape.Width))
	}
	t.Shape = shape
	if r.ok("model") && r.ok("budget") {
		checkShape(shape, r)
	}
}

func checkShape(shape arch.Config, r *report) {
	for _, line := range append(errorLines(shape.Validate()), errorLines(model.Runnable(shape))...) {
		path := join("model", firstKey(line, "model."))
		if strings.HasPrefix(line, "vocab") {
			path = "data.vocab"
		}
		r.at(path, "%s", line)
	}
}

// shape is what the spec says of the model, without the sizes that follow.
func (t *Trial) shape(r *report) arch.Config {
	m := t.Settings.Model
	c := m.Config
	c.Vocab, c.EmbeddingScale = t.Settings.Data.Vocab.Size, m.EmbeddingScale.Factor
	name, repeat, err := arch.ParseSharing(m.Sharing)
	if err != nil {
		r.at("model.sharing", "%v", err)
		repeat = 1
	}
	c.Sharing, c.Repeat = name, repeat
	m.layers(&c, r)
	m.checkSizes(c, r)
	return c
}

// layers counts the layers from layers or blocks.
func (m Model) layers(c *arch.Config, r *report) {
	switch {
	case m.Blocks < 0:
		r.at("model.blocks", "%d is not at least 1", m.Blocks)
	case c.Layers < 0:
		r.at("model.layers", "%d is not at least 1", c.Layers)
	case m.Blocks > 0 && c.Layers > 0:
		r.at("model.blocks", "give layers or blocks, not both: layers are blocks × %d", c.Repeat)
	case m.Blocks > 0:
		c.Layers = m.Blocks * c.Repeat
	case c.Layers == 0:
		r.at("model.layers", "model.layers or model.blocks is missing")
	case c.Layers%c.Repeat != 0:
		r.at("model.layers", "%d layers are no multiple of the repeat count of sharing %q; use %d or %d, or give blocks",
			c.Layers, m.Sharing, max(1, c.Layers/c.Repeat)*c.Repeat, (c.Layers/c.Repeat+1)*c.Repeat)
	}
}

// checkSizes reports sizes from which no shape can be made.
func (m Model) checkSizes(c arch.Config, r *report) {
	if m.KVGroup != 0 && c.KVHeads != 0 {
		r.at("model.kv_group", "give kv_heads or kv_group, not both")
	}
	if m.KVGroup < 0 {
		r.at("model.kv_group", "%d is not at least 1", m.KVGroup)
	}
	if m.FFNRatio < 0 || m.FFNRatio > 64 {
		r.at("model.ffn_ratio", "%v is no ratio between 0 and 64, such as 2.667", m.FFNRatio)
	}
	if c.HeadDim < 1 {
		r.at("model.head_dim", "%d is not at least 1", c.HeadDim)
	}
}

func (m Model) ffnRatio() float64 {
	switch {
	case m.FFNRatio > 0:
		return m.FFNRatio
	case m.Config.Gated():
		return 8. / 3
	}
	return 4
}

// fit takes width, heads and feed-forward width from the budget.
func (t *Trial) fit(shape arch.Config, budget arch.Budget, r *report) arch.Config {
	for _, key := range []string{"width", "heads", "hidden"} {
		if r.doc.has("model." + key) {
			r.at("model."+key, "the budget decides it; remove one of the two")
			return shape
		}
	}
	rule := arch.FitRule{KVHeads: shape.KVHeads, KVGroup: t.Settings.Model.KVGroup, FFNRatio: t.Settings.Model.ffnRatio()}
	fitted, residual, err := arch.Fit(shape, budget, rule)
	if err != nil {
		path := "budget." + budget.Name()
		var infeasible *arch.InfeasibleError
		if !errors.As(err, &infeasible) {
			path = join("model", firstKey(err.Error(), "model."))
		}
		for _, line := range errorLines(err) {
			r.at(path, "%s", line)
		}
		return shape
	}
	t.Residual = &residual
	return fitted
}

// point names the point of the sweep that the trial belongs to: layers=4
// sharing=none.
func (t *Trial) point() string {
	parts := make([]string, len(t.Axes))
	for i, key := range t.Axes {
		parts[i] = key + "=" + t.Keys[key]
	}
	return strings.Join(parts, " ")
}

// complete fills in what follows from a width that the spec gives.
func (t *Trial) complete(shape arch.Config, r *report) arch.Config {
	if shape.Width == 0 {
		r.at("model.width", "without a budget model.width is needed; or give [budget] total, body or flops")
		return shape
	}
	if shape.Heads == 0 {
		if shape.Width%shape.HeadDim != 0 {
			r.at("model.width", "%d is no multiple of head_dim = %d", shape.Width, shape.HeadDim)
			return shape
		}
		shape.Heads = shape.Width / shape.HeadDim
	}
	if group := t.Settings.Model.KVGroup; group > 0 {
		if shape.Heads%group != 0 {
			r.at("model.kv_group", "%d heads are no multiple of %d", shape.Heads, group)
			return shape
		}
		shape.KVHeads = shape.Heads / group
	}
	shape.KVHeads = cmp.Or(shape.KVHeads, shape.Heads)
	if shape.Hidden == 0 {
		shape.Hidden = max(1, int(math.Round(t.Settings.Model.ffnRatio()*float64(shape.Width)/4))) * 4
	}
	return shape
}

// Bounds of what a spec can ask for: weights, and operations of training a token.
const (
	mostWeights = 1e10
	mostFLOPs   = 1e12
)

// chosen returns the one budget that holds; none when the spec gives none.
func (b Budget) chosen(r *report) (arch.Budget, bool) {
	given := map[string]arch.Budget{}
	add := func(name string, value, most float64, budget arch.Budget) {
		switch {
		case value < 0:
			r.at("budget."+name, "%v is negative", value)
		case value > most:
			r.at("budget."+name, "%v is more than %v, the most that a spec can ask for", value, most)
		case value > 0:
			given[name] = budget
		}
	}
	add("total", float64(b.Total), mostWeights, arch.Budget{Total: b.Total})
	add("body", float64(b.Body), mostWeights, arch.Budget{Body: b.Body})
	add("flops", b.FLOPs, mostFLOPs, arch.Budget{FLOPs: b.FLOPs})
	names := slices.Sorted(maps.Keys(given))
	switch {
	case !r.ok("budget"):
		return arch.Budget{}, false
	case b.Match != "" && given[b.Match] == arch.Budget{}:
		r.at("budget.match", "%q is no budget that the spec gives (have %s)", b.Match, orNone(names))
		return arch.Budget{}, false
	case b.Match != "":
		return given[b.Match], true
	case len(names) > 1:
		r.at("budget", "%s are given; keep one, or say which holds by budget.match or sweep it: match = [%q, %q]", strings.Join(names, " and "), names[0], names[1])
		return arch.Budget{}, false
	case len(names) == 1:
		return given[names[0]], true
	}
	return arch.Budget{}, true
}

func orNone(names []string) string {
	if len(names) == 0 {
		return "none"
	}
	return strings.Join(names, ", ")
}

// candidates spreads the tuned settings: every combination over the rest.
func (t Train) candidates(r *report) []Candidate {
	flat := map[string]any{}
	flatten(t.Tune, "", flat)
	if len(flat) == 0 {
		return nil
	}
	all := []Candidate{{Keys: map[string]string{}, Train: t.Config}}
	for _, name := range r.doc.inOrder("train.tune", flat) {
		var next []Candidate
		values := t.tuneValues(name, flat[name], r)
		for _, c := range all {
			for i, value := range values {
				next = append(next, c.with(name, value, i == 0 || i == len(values)-1))
			}
		}
		if len(values) == 0 {
			return nil
		}
		all = next
	}
	return all
}

// tuneValues checks and sorts the values to try for one key.
func (t Train) tuneValues(name string, value any, r *report) []float64 {
	at := join("train.tune", name)
	list, _ := value.([]any)
	field, known := trainField(&t.Config, name)
	switch {
	case !known:
		r.at(at, "no number of [train] has this name%s", nearestSetting(name, numbersOfTrain()))
		return nil
	case r.doc.has("train." + name):
		r.at(at, "train.%s is fixed as well as tuned; remove one", name)
		return nil
	case len(list) < 2:
		r.at(at, "want a list of two values or more to choose from, got %s", describe(value))
		return nil
	}
	var values []float64
	for i, element := range list {
		f, ok := number(element)
		if !ok || decodeScalar(field, element) != nil {
			r.at(fmt.Sprintf("%s.%d", at, i), "want %s, got %s", describeType(field.Type()), describe(element))
			continue
		}
		if slices.Contains(values, f) {
			r.at(fmt.Sprintf("%s.%d", at, i), "%v stands twice", f)
		}
		values = append(values, f)
	}
	slices.Sort(values)
	return values
}

// with returns the candidate with one more setting chosen.
func (c Candidate) with(name string, value float64, edge bool) Candidate {
	next := Candidate{Keys: maps.Clone(c.Keys), Train: c.Train, AtEdge: slices.Clone(c.AtEdge)}
	field, _ := trainField(&next.Train, name)
	if field.CanFloat() {
		field.SetFloat(value)
	} else {
		field.SetInt(int64(value))
	}
	next.Keys[name] = formatValue(value)
	if edge {
		next.AtEdge = append(next.AtEdge, name)
	}
	return next
}

// trainField finds a number of a training configuration by its dotted key.
func trainField(c *train.Config, name string) (reflect.Value, bool) {
	target := reflect.ValueOf(c).Elem()
	for _, key := range strings.Split(name, ".") {
		if target.Kind() != reflect.Struct {
			return target, false
		}
		field, ok := fieldsOf(target)[key]
		if !ok {
			return target, false
		}
		target = field
	}
	return target, target.CanFloat() || target.CanInt()
}

func numbersOfTrain() []string {
	var c train.Config
	return slices.DeleteFunc(leaves(reflect.ValueOf(&c).Elem(), ""), func(path string) bool {
		_, ok := trainField(&c, path)
		return !ok
	})
}
