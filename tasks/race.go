package tasks

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
)

func init() {
	addRACE("race", "high", "an exam question about an article, for the age of 15 to 18")
	addRACE("race_middle", "middle", "an exam question about an article, for the age of 12 to 15")
}

// addRACE adds the questions of one kind of school, by the present rules and by
// those of version 2, which published numbers contain.
func addRACE(name, school, about string) {
	t := Task{
		About:   about,
		Version: "3.0",
		Split:   "test",
		Files: []string{
			"race/test_" + school + ".jsonl", // one article a row
			"race/" + school + "/test.jsonl", // EleutherAI/race on the hub, saved as JSON Lines
			name + "/test.jsonl",
		},
		Train:   []string{"race/train_" + school + ".jsonl", "race/" + school + "/train.jsonl", name + "/train.jsonl"},
		Metrics: []string{"acc"},
		Parse:   func(from Row) (Item, error) { return parseRACE(from, solvedStem) },
	}
	All.Add(name, t)
	t.About += ", as scored before version 3"
	t.Version = "2.0"
	t.Parse = func(from Row) (Item, error) { return parseRACE(from, solvedRest) }
	All.Add(name+"@2", t)
}

// raceBlank ends a question whose answer completes it.
const raceBlank = "  _  ."

// solvedStem completes a question by its answer: all but its last five
// characters are kept.
func solvedStem(question string) string { return question[:len(question)-5] }

// solvedRest keeps the last five characters in place of all others, a mistake
// of versions 0 to 2.
func solvedRest(question string) string { return question[len(question)-5:] }

// A raceProblem is a question about an article.
type raceProblem struct {
	Question string   `json:"question"`
	Options  []string `json:"options"`
	Answer   string   `json:"answer"` // A to D
}

// raceRow is an article with its questions: as three lists, or as the text of a
// list of problems as Python writes it.
type raceRow struct {
	ID        string          `json:"id"`
	Article   *string         `json:"article"`
	Questions []string        `json:"questions"`
	Options   [][]string      `json:"options"`
	Answers   []string        `json:"answers"`
	Problems  json.RawMessage `json:"problems"`
}

// parseRACE asks the last question of an article. The ones before it stand in
// the context with their answers; complete says how a question with a blank is
// shown.
func parseRACE(from Row, complete func(question string) string) (Item, error) {
	var row raceRow
	if err := decode(from, &row); err != nil {
		return Item{}, err
	}
	item, err := row.item(complete)
	if err != nil && row.ID != "" {
		return Item{}, fmt.Errorf("item %s: %w", row.ID, err)
	}
	item.ID = row.ID
	return item, err
}

func (row raceRow) item(complete func(question string) string) (Item, error) {
	article, err := field("article", row.Article)
	if err != nil {
		return Item{}, err
	}
	problems, err := row.problems()
	if err != nil {
		return Item{}, err
	}
	var context strings.Builder
	context.WriteString("Article: " + article + "\n\n")
	last := len(problems) - 1
	for _, p := range problems[:last] {
		answer, err := p.answer()
		if err != nil {
			return Item{}, err
		}
		if strings.HasSuffix(p.Question, raceBlank) {
			context.WriteString(complete(p.Question) + p.Options[answer] + "\n")
		} else {
			context.WriteString("Question: " + p.Question + "\nAnswer: " + p.Options[answer] + "\n")
		}
	}
	gold, err := problems[last].answer()
	if err != nil {
		return Item{}, err
	}
	return choosing(context.String()+problems[last].Question, problems[last].Options, gold)
}

// answer is the index of the right option.
func (p raceProblem) answer() (int, error) {
	if len(p.Answer) != 1 || p.Answer[0] < 'A' || int(p.Answer[0]-'A') >= len(p.Options) {
		return 0, fmt.Errorf("answer %q of %d options to %.60q", p.Answer, len(p.Options), p.Question)
	}
	return int(p.Answer[0] - 'A'), nil
}

// problems returns the questions, at least one, from either form.
func (row raceRow) problems() ([]raceProblem, error) {
	if len(row.Problems) > 0 {
		return writtenProblems(row.Problems)
	}
	if len(row.Questions) == 0 {
		return nil, errors.New("no questions")
	}
	if len(row.Options) != len(row.Questions) || len(row.Answers) != len(row.Questions) {
		return nil, fmt.Errorf("%d questions, %d lists of options, %d answers", len(row.Questions), len(row.Options), len(row.Answers))
	}
	problems := make([]raceProblem, len(row.Questions))
	for i := range problems {
		problems[i] = raceProblem{row.Questions[i], row.Options[i], row.Answers[i]}
	}
	return problems, nil
}

// writtenProblems reads problems that are a list, or the text of one.
func writtenProblems(raw json.RawMessage) ([]raceProblem, error) {
	var text string
	if err := json.Unmarshal(raw, &text); err == nil {
		list, err := pythonList(text)
		if err != nil {
			return nil, fmt.Errorf("problems: %w", err)
		}
		raw = list
	}
	var problems []raceProblem
	if err := json.Unmarshal(raw, &problems); err != nil {
		return nil, fmt.Errorf("problems: %w", err)
	}
	if len(problems) == 0 {
		return nil, errors.New("no problems")
	}
	return problems, nil
}
