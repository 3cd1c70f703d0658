package experiments

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"plumb/model"
	"plumb/results"
)

// recipeKey is the key that records have where a spec has recipes, and asTrained
// its value for a model without one.
const (
	recipeKey = "recipe"
	asTrained = "none"
)

// A recipeText is a table [[recipe]] as written.
type recipeText struct {
	Name   string    `toml:"name"` // default: the stages
	Stages stageList `toml:"stages"`
}

// A stageList is stages one by one, or in one text with | between them.
type stageList []string

func (l *stageList) choose(value any) error {
	wrong := fmt.Errorf(`want stages such as ["svd keep=0.5", "heal tokens=1e6"], or one text with | between them, got %s`, describe(value))
	list, ok := value.([]any)
	if !ok {
		list = []any{value}
	}
	for _, element := range list {
		text, ok := element.(string)
		if !ok {
			return wrong
		}
		*l = append(*l, text)
	}
	if len(*l) == 0 {
		return wrong
	}
	return nil
}

// recipes reads all recipes of the spec and reports what is wrong with any.
func (s *Spec) recipes(r *report) []*Recipe {
	var all []*Recipe
	for i, text := range s.Recipes {
		at := fmt.Sprintf("recipe.%d", i)
		if len(text.Stages) == 0 {
			if r.ok(at + ".stages") {
				r.at(at, `stages are missing, such as stages = ["svd keep=0.5"]`)
			}
			continue
		}
		recipe, err := ReadRecipe(text.Stages...)
		for _, line := range errorLines(err) {
			r.at(at+".stages", "%s", line)
		}
		if text.Name != "" {
			recipe.Name = text.Name
		}
		same := func(other *Recipe) bool { return other.Name == recipe.Name }
		if recipe.Name == asTrained || slices.ContainsFunc(all, same) {
			r.at(at, "two recipes are called %q (%q is the model as trained); give one of them another name", recipe.Name, asTrained)
		}
		if err == nil {
			all = append(all, &recipe)
		}
	}
	return all
}

// withRecipes returns the trial as trained, and after each recipe.
func (s *Spec) withRecipes(t *Trial, recipes []*Recipe) []*Trial {
	if len(s.Recipes) == 0 {
		return []*Trial{t}
	}
	named := func(recipe *Recipe, name string) *Trial {
		own := *t
		own.Keys, own.Axes = maps.Clone(t.Keys), append(slices.Clone(t.Axes), recipeKey)
		own.Keys[recipeKey] = name
		own.Recipe, own.Compared, own.Calibration = recipe, true, s.Calibration
		return &own
	}
	all := []*Trial{named(nil, asTrained)}
	for _, recipe := range recipes {
		all = append(all, named(recipe, recipe.Name))
	}
	return all
}

// checkRecipes reports recipes that this trial's model cannot go through.
func (s *Spec) checkRecipes(t *Trial, r *report) {
	if len(s.Recipes) == 0 {
		return
	}
	s.Calibration.check(r, t.Shape.Context)
	if len(r.found) > 0 {
		return // of a shape that does not work there is nothing to try
	}
	for i, text := range s.Recipes {
		recipe, err := ReadRecipe(text.Stages...)
		if err != nil {
			continue // said once, for all trials
		}
		_, err = recipe.Foresee(model.OutlineOf(t.Shape), t.Settings.Train.Config)
		for _, line := range errorLines(err) {
			r.at(fmt.Sprintf("recipe.%d.stages", i), "%s", line)
		}
	}
}

// outcomeMetric is the metric of a stage's records that says how it ended.
func outcomeMetric(kind string) string {
	switch kind {
	case CompressStage:
		return changeError
	case HealStage:
		return trainNats
	}
	return validNats
}

// statusOf reads how the stage in a folder ended, whatever its kind.
func statusOf(folder string) (Outcome, error) {
	records, err := readRecords(folder)
	if err != nil || len(records) == 0 {
		return Outcome{Status: results.StatusOK}, err
	}
	return Outcome{records[0].Status, strings.TrimSpace(records[0].Note)}, nil
}
