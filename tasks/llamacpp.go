package tasks

import "strings"

// The protocols of llama.cpp's perplexity tool read the same files as those of
// lm-evaluation-harness and score them by other rules; scores of the two are
// not to be set side by side.
func init() {
	All.Add("hellaswag@llama.cpp", Task{
		About:   "HellaSwag by llama.cpp's rules: mean log-probability of the tokens that endings do not share",
		Version: "1.0",
		Split:   "validation",
		Files:   hellaSwagFiles,
		Train:   hellaSwagTrain,
		Metrics: []string{"acc_tokens"},
		Rule:    AfterCommon,
		Parse:   parseHellaSwagLlama,
	})
	All.Add("winogrande@llama.cpp", Task{
		About:   "WinoGrande by llama.cpp's rules: mean log-probability of the words after the name but for the last token",
		Version: "1.0",
		Split:   "validation",
		Files:   winoGrandeFiles,
		Train:   winoGrandeTrain,
		Metrics: []string{"acc_tokens_late"},
		Rule:    AfterBlank,
		Parse:   parseWinoGrandeLlama,
	})
}

// parseHellaSwagLlama makes the lines of the text file that llama.cpp reads:
// "label: ctx" cleaned without a capital in the middle, everything trimmed.
func parseHellaSwagLlama(from Row) (Item, error) {
	var row hellaSwagRow
	if err := decode(from, &row); err != nil {
		return Item{}, err
	}
	if _, err := row.context(); err != nil {
		return Item{}, err
	}
	context := row.Context
	if strip(context) == "" {
		context = strings.TrimSuffix(*row.ContextA+" "+*row.ContextB, " ")
	}
	trimmed := func(text string) string { return strip(cleanHellaSwag(text)) }
	return row.item(trimmed(*row.Activity+": "+context), trimmed)
}

// parseWinoGrandeLlama leaves the text behind the blank as it is.
func parseWinoGrandeLlama(from Row) (Item, error) {
	return winoGrandeItem(from, func(after string) string { return after })
}
