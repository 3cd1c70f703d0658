package tokenizer

import (
	"encoding/json"
	"maps"
	"slices"
	"testing"

	"plumb/internal/golden"
)

// testdata/official/components.json holds what the official library makes of
// the same texts with each component; see the README there.
func TestComponentsAsOfficialLibrary(t *testing.T) {
	var file struct {
		Texts    []string
		Settings []struct {
			Name, Base     string
			Changes, Model map[string]any
			IDs            [][]int32
		}
	}
	readJSON(t, "testdata/official/components.json", &file)
	for _, s := range file.Settings {
		t.Run(s.Name, func(t *testing.T) {
			data := trained(t).JSON()
			if s.Base == "characters" {
				data = load(t, golden.Shared(t, "models", "stories260K", "tok512.bin")).JSON()
			}
			tok, err := Parse(changed(t, data, s.Changes, s.Model))
			if err != nil {
				t.Fatal(err)
			}
			for i, text := range file.Texts {
				if got := tok.EncodeSpecial(text); !slices.Equal(got, s.IDs[i]) {
					t.Errorf("%q\n got %v\nwant %v", text, got, s.IDs[i])
				}
			}
		})
	}
}

// changed returns the tokenizer.json in data with other parts, and another model
// of the same tokens.
func changed(t *testing.T, data []byte, changes, settings map[string]any) []byte {
	var file map[string]any
	if err := json.Unmarshal(data, &file); err != nil {
		t.Fatal(err)
	}
	maps.Copy(file, changes)
	model := file["model"].(map[string]any)
	maps.Copy(model, settings)
	if model["type"] == "Unigram" {
		model["vocab"] = scored(model["vocab"].(map[string]any))
	}
	data, err := json.Marshal(file)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// scored gives the tokens of characters the scores that the script gave them.
func scored(vocab map[string]any) [][2]any {
	rows := make([][2]any, len(vocab))
	for text, id := range vocab {
		id := id.(float64)
		score := 0.0
		if id > 258 {
			score = -1 - id/64
		}
		rows[int(id)] = [2]any{text, score}
	}
	return rows
}
