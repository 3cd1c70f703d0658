package tasks

import (
	"errors"
	"strings"
)

func init() {
	All.Add("lambada_openai", Task{
		About:   "the last word of a passage, as plain text in the form used for GPT-2",
		Version: "1.0",
		Split:   "test",
		Files: []string{
			"lambada/lambada_test.jsonl", // the name of the release for GPT-2
			"lambada_openai/test.jsonl",
			"lambada_openai/data/lambada_test_en.jsonl",
		},
		Metrics: []string{"perplexity", "acc"},
		Kind:    LastWord,
		Parse:   parseLambada,
	})
	All.Add("lambada_standard", Task{
		About:   "the last word of a passage, in lower case with spaces around punctuation",
		Version: "1.0",
		Split:   "test",
		Files: []string{
			"lambada/lambada_test_plain_text.txt", // the official name
			"lambada_standard/test.jsonl",
		},
		Metrics: []string{"perplexity", "acc"},
		Kind:    LastWord,
		Parse:   parseLambada,
	})
}

// parseLambada scores the last piece of the text between single spaces, with
// the space before it.
func parseLambada(from Row) (Item, error) {
	text, err := from.text("text")
	if err != nil {
		return Item{}, err
	}
	at := strings.LastIndexByte(text, ' ')
	context, word := "", text
	if at >= 0 {
		context, word = text[:at], text[at+1:]
	}
	if word == "" {
		return Item{}, errors.New("the text ends in a space, so that there is no last word")
	}
	return Item{Choices: []Choice{newChoice(context, word)}}, nil
}
