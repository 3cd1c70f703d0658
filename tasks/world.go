package tasks

import (
	"fmt"

	"plumb/internal/world"
)

// addWorld adds the built-in kind of items called kind as the task world_KIND.
func addWorld(kind, about string, hard bool) {
	All.Add("world_"+kind, Task{
		About:    about,
		Version:  "1.0",
		Split:    "held out",
		Metrics:  []string{"acc"}, // the choices of an item are equally long
		Hard:     hard,
		Generate: func(w *world.World, n int) ([]Item, error) { return worldItems(w, kind, n) },
	})
}

// worldItems converts the items of one kind of the built-in world.
func worldItems(w *world.World, kind string, n int) ([]Item, error) {
	made := w.Items(kind, n)
	if len(made) == 0 {
		return nil, fmt.Errorf("the built-in world has no items of the kind %q", kind)
	}
	items := make([]Item, len(made))
	for i, from := range made {
		items[i] = Item{ID: from.ID, Gold: from.Gold, Cluster: from.Cluster}
		for _, c := range from.Choices {
			items[i].Choices = append(items[i].Choices, choiceOf(c.Context, c.Continuation))
		}
	}
	return items, nil
}
