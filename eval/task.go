package eval

import (
	"context"
	"fmt"

	"plumb/tasks"
)

// Score scores items of a task as its kind and its protocol ask.
func Score(ctx context.Context, m Model, tok Tokenizer, t tasks.Task, items []tasks.Item, o Options) (Result, error) {
	switch t.Kind {
	case tasks.Text:
		return Texts(ctx, m, tok, t, items, o)
	case tasks.Generated:
		g, ok := m.(Generator)
		if !ok {
			return Result{}, fmt.Errorf("the model cannot generate text, which the task asks for")
		}
		return Answers(ctx, g, tok, t, items, o)
	}
	o.Rule = t.Rule
	return MultipleChoice(ctx, m, tok, items, o)
}
