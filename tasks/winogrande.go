package tasks

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
)

func init() {
	All.Add("winogrande", Task{
		About:   "which of two names fills the blank",
		Version: "1.0",
		Split:   "validation", // the XL dev set
		Files:   winoGrandeFiles,
		Train:   winoGrandeTrain,
		Metrics: []string{"acc"},
		Parse:   parseWinoGrande,
	})
}

var winoGrandeFiles = []string{
	"winogrande/dev.jsonl", // the official name, and the sample's
	"winogrande/winogrande_1.1/dev.jsonl",
	"winogrande_1.1/dev.jsonl",
	"winogrande/winogrande_xl/validation.jsonl", // allenai/winogrande on the hub, saved as JSON Lines
	"winogrande/validation.jsonl",
}

var winoGrandeTrain = []string{
	"winogrande/train_xl.jsonl", // the official name
	"winogrande/winogrande_1.1/train_xl.jsonl",
	"winogrande_1.1/train_xl.jsonl",
	"winogrande/winogrande_xl/train.jsonl",
	"winogrande/train.jsonl",
}

type winoGrandeRow struct {
	QID      string          `json:"qID"` // the hub's rows have none
	Sentence *string         `json:"sentence"`
	Option1  *string         `json:"option1"`
	Option2  *string         `json:"option2"`
	Answer   json.RawMessage `json:"answer"` // "1" or "2"
}

// parseWinoGrande puts each option in the blank and scores what follows it. Two
// twin sentences of one question are left unclustered, as the published
// standard errors leave them.
func parseWinoGrande(from Row) (Item, error) {
	return winoGrandeItem(from, func(after string) string { return " " + strip(after) })
}

// winoGrandeItem scores what follow makes of the text behind the blank.
func winoGrandeItem(from Row, follow func(after string) string) (Item, error) {
	var row winoGrandeRow
	if err := decode(from, &row); err != nil {
		return Item{}, err
	}
	item, err := row.item(follow)
	if err != nil && row.QID != "" {
		return Item{}, fmt.Errorf("item %s: %w", row.QID, err)
	}
	return item, err
}

func (row winoGrandeRow) item(follow func(after string) string) (Item, error) {
	sentence, err := field("sentence", row.Sentence)
	if err != nil {
		return Item{}, err
	}
	before, after, ok := strings.Cut(sentence, "_")
	if !ok {
		return Item{}, fmt.Errorf("no blank in %q", sentence)
	}
	if strip(after) == "" {
		return Item{}, fmt.Errorf("nothing follows the blank in %q", sentence)
	}
	option1, err1 := field("option1", row.Option1)
	option2, err2 := field("option2", row.Option2)
	if err := errors.Join(err1, err2); err != nil {
		return Item{}, err
	}
	gold, err := labelIndex("answer", row.Answer, 1, 2)
	if err != nil {
		return Item{}, err
	}
	suffix := follow(after)
	choices := []Choice{choiceOf(before+option1, suffix), choiceOf(before+option2, suffix)}
	return Item{ID: row.QID, Choices: choices, Gold: gold}, nil
}
