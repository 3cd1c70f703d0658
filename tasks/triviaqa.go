package tasks

import "errors"

// triviaQAFiles and triviaQATrain are those of the closed-book form: questions
// and answers without documents.
var (
	triviaQAFiles = []string{
		"triviaqa/triviaqa_dev_sample.jsonl",
		"triviaqa/validation.jsonl", // mandarjoshi/trivia_qa, rc.nocontext, on the hub, saved as JSON Lines
		"triviaqa/rc.nocontext/validation.jsonl",
	}
	triviaQATrain = []string{"triviaqa/train.jsonl", "triviaqa/rc.nocontext/train.jsonl"}
)

func init() {
	All.Add("triviaqa", Task{
		About:   "a question of general knowledge, answered without a text to read",
		Version: "3.0",
		Split:   "validation",
		Files:   triviaQAFiles,
		Train:   triviaQATrain,
		Metrics: []string{"exact_match", "f1"},
		Kind:    Generated,
		Stop:    []string{"\n", ".", ","},
		Tokens:  256,
		Mark: func(answer string, right []string) map[string]float64 {
			return map[string]float64{"exact_match": best(answer, right, matchPlain), "f1": best(answer, right, wordF1)}
		},
		Parse: func(from Row) (Item, error) {
			return parseTriviaQA(from, func(question string) string { return "Question: " + question + "?\nAnswer:" })
		},
	})
	All.Add("triviaqa@llama", Task{
		About:   "the same as LLaMA and MobileLLM ask it: Q and A under one heading, answers to the end of the line",
		Version: "1.0",
		Split:   "validation",
		Files:   triviaQAFiles,
		Train:   triviaQATrain,
		Metrics: []string{"f1", "exact_match"},
		Kind:    Generated,
		Stop:    []string{"\n"},
		Tokens:  32,
		Mark: func(answer string, right []string) map[string]float64 {
			return map[string]float64{"exact_match": best(answer, right, matchWords), "f1": best(answer, right, wordF1)}
		},
		Preamble: "Answer these questions:\n",
		Between:  "\n",
		Parse: func(from Row) (Item, error) {
			return parseTriviaQA(from, func(question string) string { return "Q: " + question + "\nA:" })
		},
	})
}

// parseTriviaQA asks for any of the aliases of the answer.
func parseTriviaQA(from Row, prompt func(question string) string) (Item, error) {
	var row struct {
		ID       string  `json:"question_id"`
		Question *string `json:"question"`
		Answer   *struct {
			Value   string   `json:"value"`
			Aliases []string `json:"aliases"`
		} `json:"answer"`
	}
	if err := decode(from, &row); err != nil {
		return Item{}, err
	}
	question, err := field("question", row.Question)
	if err != nil {
		return Item{}, err
	}
	if row.Answer == nil || len(row.Answer.Aliases) == 0 {
		return Item{}, errors.New("no field \"answer\" with aliases")
	}
	return Item{
		ID:      row.ID,
		Choices: []Choice{{Context: prompt(question)}},
		Answers: row.Answer.Aliases,
	}, nil
}
