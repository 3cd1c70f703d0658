package experiments

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"

	"plumb/arch"
	"plumb/model"
)

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
		if r.ok("model.layers") && r.ok("model.blocks") { // else they are there, and wrong
			r.at("model.layers", "model.layers or model.blocks is missing")
		}
	case c.Layers%c.Repeat != 0:
		r.at("model.layers", "%d layers are no multiple of the repeat count of sharing %q; use %s, or give blocks",
			c.Layers, m.Sharing, nearMultiples(c.Layers, c.Repeat))
	}
}

// nearMultiples names the multiples of repeat on both sides of layers; below the
// first there is none.
func nearMultiples(layers, repeat int) string {
	above := (layers/repeat + 1) * repeat
	if layers < repeat {
		return strconv.Itoa(above)
	}
	return fmt.Sprintf("%d or %d", above-repeat, above)
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
