package tasks

import "encoding/json"

func init() {
	All.Add("social_iqa", Task{
		About:   "why people do what they do, and how they feel after it: one of three answers",
		Version: "0.0",
		Split:   "validation",
		Files: []string{
			"siqa/dev.jsonl", // the official name, with dev-labels.lst beside it
			"siqa/validation.jsonl",
			"social_iqa/dev.jsonl",
			"social_iqa/validation.jsonl",
			"siqa/socialiqa-train-dev/dev.jsonl",
		},
		Train: []string{
			"siqa/train.jsonl", "social_iqa/train.jsonl", "siqa/socialiqa-train-dev/train.jsonl",
		},
		Metrics:  []string{"acc"},
		Labelled: true,
		Parse:    parseSIQA,
	})
	aliases["siqa"] = "social_iqa"
}

// parseSIQA scores each answer after the story and the question. Labels count
// from 1.
func parseSIQA(from Row) (Item, error) {
	var row struct {
		Context  *string         `json:"context"`
		Question *string         `json:"question"`
		A        *string         `json:"answerA"`
		B        *string         `json:"answerB"`
		C        *string         `json:"answerC"`
		Label    json.RawMessage `json:"label"`
	}
	if err := decode(from, &row); err != nil {
		return Item{}, err
	}
	names := []string{"context", "question", "answerA", "answerB", "answerC"}
	text, err := fields(names, row.Context, row.Question, row.A, row.B, row.C)
	if err != nil {
		return Item{}, err
	}
	gold, err := labelIndex("label", from.ownLabel(row.Label), 1, 3)
	if err != nil {
		return Item{}, err
	}
	return choosing("Q: "+text[0]+" "+text[1]+"\nA:", text[2:], gold)
}
