package main

import (
	"strings"

	"plumb/compress"
	"plumb/internal/registry"
	"plumb/train"
)

func init() {
	listings.Add("methods", listing{"stages of recipes: methods of compression, and training", []string{"name", "settings", "about"}, listMethods})
}

func listMethods() ([]entry, error) {
	var entries []entry
	for _, name := range recipeStages() {
		about, of, trains := "", any(nil), false
		if method, err := compress.Methods.Get(name); err == nil {
			about, of = method.About, method.New()
		} else if stage, err := train.Stages.Get(name); err == nil {
			about, of, trains = stage.About, stage.New(), true
		} else {
			return nil, err
		}
		settings := map[string]string{}
		var words []string
		for _, s := range registry.Settings(of) {
			settings[s.Name] = s.Value
			words = append(words, s.Name+"="+s.Value)
		}
		entries = append(entries, entry{
			[]string{name, strings.Join(words, " "), about},
			struct {
				Name     string            `json:"name"`
				About    string            `json:"about"`
				Trains   bool              `json:"trains"`
				Settings map[string]string `json:"settings"` // with their defaults
			}{name, about, trains, settings},
		})
	}
	return entries, nil
}
