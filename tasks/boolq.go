package tasks

import (
	"encoding/json"
	"errors"
)

func init() {
	All.Add("boolq", Task{
		About:   "whether the answer to a question about a passage is yes or no",
		Version: "2.0",
		Split:   "validation",
		Files: []string{
			"boolq/dev.jsonl", // the original form, with title and answer
			"boolq/val.jsonl", // of SuperGLUE, with label
			"boolq/validation.jsonl",
			"BoolQ/val.jsonl",
		},
		Train:   []string{"boolq/train.jsonl", "BoolQ/train.jsonl"},
		Metrics: []string{"acc"},
		Parse:   parseBoolQ,
	})
}

// parseBoolQ scores "no" and "yes", in this order, so that a tie counts as no.
// Passages are those of SuperGLUE, which begin with their title.
func parseBoolQ(from Row) (Item, error) {
	var row struct {
		Question *string         `json:"question"`
		Passage  *string         `json:"passage"`
		Title    *string         `json:"title"`
		Answer   *bool           `json:"answer"`
		Label    json.RawMessage `json:"label"` // 0, 1, or a bool
	}
	if err := decode(from, &row); err != nil {
		return Item{}, err
	}
	text, err := fields([]string{"question", "passage"}, row.Question, row.Passage)
	if err != nil {
		return Item{}, err
	}
	passage := text[1]
	if row.Title != nil {
		passage = *row.Title + " -- " + passage
	}
	gold, err := yesOrNo(row.Answer, row.Label)
	if err != nil {
		return Item{}, err
	}
	return choosing(passage+"\nQuestion: "+text[0]+"?\nAnswer:", []string{"no", "yes"}, gold)
}

// yesOrNo is 1 for yes, of an answer or else of a label.
func yesOrNo(answer *bool, label json.RawMessage) (int, error) {
	switch {
	case answer == nil && len(label) == 0:
		return 0, errors.New(`no field "answer" or "label"`)
	case answer != nil && *answer, answer == nil && string(label) == "true":
		return 1, nil
	case answer != nil, string(label) == "false":
		return 0, nil
	}
	return labelIndex("label", label, 0, 2)
}
