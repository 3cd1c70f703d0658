package tasks

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
)

func init() {
	addARC("arc_easy", "Easy", "questions of school science, the easier part")
	addARC("arc_challenge", "Challenge", "questions of school science that word statistics do not answer")
	All.Add("openbookqa", Task{
		About:   "how a sentence about a fact of school science goes on",
		Version: "1.0",
		Split:   "test",
		Files: []string{
			"openbookqa/test.jsonl", // the official name
			"openbookqa/main/test.jsonl",
			"openbookqa/OpenBookQA-V1-Sep2018/Data/Main/test.jsonl",
		},
		Train: []string{
			"openbookqa/train.jsonl", "openbookqa/main/train.jsonl", "openbookqa/OpenBookQA-V1-Sep2018/Data/Main/train.jsonl",
		},
		Metrics: []string{"acc", "acc_norm"},
		Parse:   func(from Row) (Item, error) { return parseLettered(from, "", "") },
	})
	aliases["obqa"] = "openbookqa"
}

// addARC adds one of the two parts of ARC.
func addARC(name, part, about string) {
	All.Add(name, Task{
		About:   about,
		Version: "1.0",
		Split:   "test",
		Files: []string{
			name + "/ARC-" + part + "-Test.jsonl", // the official name
			name + "/test.jsonl",
			"ARC-" + part + "/ARC-" + part + "-Test.jsonl",
			"ARC-V1-Feb2018-2/ARC-" + part + "/ARC-" + part + "-Test.jsonl",
		},
		Train: []string{
			name + "/ARC-" + part + "-Train.jsonl",
			name + "/train.jsonl",
			"ARC-" + part + "/ARC-" + part + "-Train.jsonl",
			"ARC-V1-Feb2018-2/ARC-" + part + "/ARC-" + part + "-Train.jsonl",
		},
		Metrics: []string{"acc", "acc_norm"},
		Parse:   func(from Row) (Item, error) { return parseLettered(from, "Question: ", "\nAnswer:") },
	})
}

// letteredRow is a question of which each choice has a label, a letter or a
// digit. The official files have them as a list of objects within the question,
// the hub as two lists beside it.
type letteredRow struct {
	ID        string          `json:"id"`
	Question  json.RawMessage `json:"question"`
	Stem      *string         `json:"question_stem"` // OpenBookQA on the hub
	Choices   *letteredLists  `json:"choices"`
	AnswerKey *string         `json:"answerKey"`
}

type letteredLists struct {
	Text  []string `json:"text"`
	Label []string `json:"label"`
}

// parseLettered scores each choice after the question between before and after.
// The right one is looked up among the row's own labels.
func parseLettered(from Row, before, after string) (Item, error) {
	var row letteredRow
	if err := decode(from, &row); err != nil {
		return Item{}, err
	}
	item, err := row.item(before, after)
	if err != nil && row.ID != "" {
		return Item{}, fmt.Errorf("item %s: %w", row.ID, err)
	}
	item.ID = row.ID
	return item, err
}

func (row letteredRow) item(before, after string) (Item, error) {
	stem, lists, err := row.question()
	if err != nil {
		return Item{}, err
	}
	key, err := field("answerKey", row.AnswerKey)
	if err != nil {
		return Item{}, err
	}
	if len(lists.Text) != len(lists.Label) {
		return Item{}, fmt.Errorf("%d choices with %d labels", len(lists.Text), len(lists.Label))
	}
	gold := slices.Index(lists.Label, strings.TrimLeftFunc(key, IsSpace))
	if gold < 0 {
		return Item{}, fmt.Errorf("answerKey %q is none of the labels %q", key, lists.Label)
	}
	return choosing(before+stem+after, lists.Text, gold)
}

// question returns the question and its choices from either form.
func (row letteredRow) question() (string, letteredLists, error) {
	if bytes.HasPrefix(bytes.TrimSpace(row.Question), []byte("{")) {
		return officialQuestion(row.Question)
	}
	stem := row.Stem
	if stem == nil && len(row.Question) > 0 {
		if err := json.Unmarshal(row.Question, &stem); err != nil {
			return "", letteredLists{}, fmt.Errorf("question: %w", err)
		}
	}
	if stem == nil || row.Choices == nil {
		return "", letteredLists{}, errors.New("no question with choices")
	}
	return *stem, *row.Choices, nil
}

func officialQuestion(raw json.RawMessage) (string, letteredLists, error) {
	var question struct {
		Stem    *string `json:"stem"`
		Choices []struct {
			Text  *string `json:"text"`
			Label string  `json:"label"`
		} `json:"choices"`
	}
	if err := json.Unmarshal(raw, &question); err != nil {
		return "", letteredLists{}, err
	}
	stem, err := field("stem", question.Stem)
	var lists letteredLists
	for _, c := range question.Choices {
		text, missing := field("text", c.Text)
		err = errors.Join(err, missing)
		lists.Text, lists.Label = append(lists.Text, text), append(lists.Label, c.Label)
	}
	return stem, lists, err
}
