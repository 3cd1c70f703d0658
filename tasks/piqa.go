package tasks

import "encoding/json"

func init() {
	All.Add("piqa", Task{
		About:   "which of two ways reaches a goal of everyday physics",
		Version: "1.0",
		Split:   "validation",
		Files: []string{
			"piqa/valid.jsonl", // the official name, with valid-labels.lst beside it
			"piqa/validation.jsonl",
			"piqa/physicaliqa-train-dev/dev.jsonl",
		},
		Train:    []string{"piqa/train.jsonl", "piqa/physicaliqa-train-dev/train.jsonl"},
		Metrics:  []string{"acc", "acc_norm"},
		Labelled: true,
		Parse:    parsePIQA,
	})
}

// parsePIQA scores each solution after the goal. Nothing is trimmed: many
// solutions end in a space.
func parsePIQA(from Row) (Item, error) {
	var row struct {
		Goal  *string         `json:"goal"`
		Sol1  *string         `json:"sol1"`
		Sol2  *string         `json:"sol2"`
		Label json.RawMessage `json:"label"` // 0 or 1
	}
	if err := decode(from, &row); err != nil {
		return Item{}, err
	}
	text, err := fields([]string{"goal", "sol1", "sol2"}, row.Goal, row.Sol1, row.Sol2)
	if err != nil {
		return Item{}, err
	}
	gold, err := labelIndex("label", from.ownLabel(row.Label), 0, 2)
	if err != nil {
		return Item{}, err
	}
	return choosing("Question: "+text[0]+"\nAnswer:", text[1:], gold)
}
