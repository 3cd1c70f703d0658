package tasks

import "fmt"

// MaxChoices is how many choices an item may have.
const MaxChoices = 256

// choosing is an item that scores each text, as it is and after one space,
// behind context.
func choosing(context string, texts []string, gold int) (Item, error) {
	if len(texts) < 2 || len(texts) > MaxChoices {
		return Item{}, fmt.Errorf("%d choices, not 2 to %d", len(texts), MaxChoices)
	}
	item := Item{Gold: gold}
	for i, text := range texts {
		if text == "" {
			return Item{}, fmt.Errorf("choice %d is empty", i)
		}
		item.Choices = append(item.Choices, newChoice(context, text))
	}
	return item, nil
}
