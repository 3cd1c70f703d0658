package tasks

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

func init() {
	All.Add("hellaswag", Task{
		About:   "which of four endings continues a description of everyday life",
		Version: "1.0", // of EleutherAI's lm-evaluation-harness, whose strings these are
		Split:   "validation",
		Files:   hellaSwagFiles,
		Train:   hellaSwagTrain,
		Metrics: []string{"acc", "acc_norm"},
		Parse:   parseHellaSwag,
	})
}

var hellaSwagFiles = []string{
	"hellaswag/hellaswag_val_sample.jsonl",
	"hellaswag/hellaswag_val.jsonl", // the official name
	"hellaswag/validation.jsonl",    // Rowan/hellaswag on the hub, saved as JSON Lines
	"hellaswag/data/validation.jsonl",
	"hellaswag_val.jsonl",
}

var hellaSwagTrain = []string{
	"hellaswag/hellaswag_train.jsonl", // the official name
	"hellaswag/train.jsonl",
	"hellaswag/data/train.jsonl",
	"hellaswag_train.jsonl",
}

// hellaSwagEndings is the number of endings of every official row.
const hellaSwagEndings = 4

// hellaSwagRow has the fields that matter. ind is not unique and so no identity;
// val_row, where a sample has it, is the row number in the official file.
type hellaSwagRow struct {
	Activity *string         `json:"activity_label"`
	ContextA *string         `json:"ctx_a"`
	ContextB *string         `json:"ctx_b"`
	Context  string          `json:"ctx"` // both, for the protocol of llama.cpp
	Endings  []string        `json:"endings"`
	Label    json.RawMessage `json:"label"` // a number in the official file, a string on the hub
	Row      *int            `json:"val_row"`
}

// parseHellaSwag scores each ending after "label: context".
func parseHellaSwag(from Row) (Item, error) {
	var row hellaSwagRow
	if err := decode(from, &row); err != nil {
		return Item{}, err
	}
	context, err := row.context()
	if err != nil {
		return Item{}, err
	}
	return row.item(context, cleanHellaSwag)
}

// item scores each ending, cleaned, after context.
func (row hellaSwagRow) item(context string, clean func(string) string) (Item, error) {
	if len(row.Endings) != hellaSwagEndings {
		return Item{}, fmt.Errorf("%d endings, not %d", len(row.Endings), hellaSwagEndings)
	}
	gold, err := labelIndex("label", row.Label, 0, hellaSwagEndings)
	if err != nil {
		return Item{}, err
	}
	item := Item{Gold: gold}
	for i, ending := range row.Endings {
		text := clean(ending)
		if text == "" {
			return Item{}, fmt.Errorf("ending %d is empty", i)
		}
		item.Choices = append(item.Choices, newChoice(context, text))
	}
	if row.Row != nil {
		item.ID = strconv.Itoa(*row.Row)
	}
	return item, nil
}

// context is the cleaned "activity_label: ctx_a Ctx_b".
func (row hellaSwagRow) context() (string, error) {
	activity, err := field("activity_label", row.Activity)
	if err != nil {
		return "", err
	}
	a, err := field("ctx_a", row.ContextA)
	if err != nil {
		return "", err
	}
	b, err := field("ctx_b", row.ContextB)
	if err != nil {
		return "", err
	}
	return cleanHellaSwag(activity + ": " + a + " " + capitalize(b)), nil
}

var brackets = regexp.MustCompile(`\[.*?\]`)

// cleanHellaSwag removes the marks of WikiHow rows. The order matters, and
// nothing is stripped at the end: an ending that begins with a mark keeps one
// leading space, and pairs of spaces are replaced once, not until none is left.
func cleanHellaSwag(text string) string {
	text = strip(text)
	text = strings.ReplaceAll(text, " [title]", ". ")
	text = brackets.ReplaceAllString(text, "")
	return strings.ReplaceAll(text, "  ", " ")
}
