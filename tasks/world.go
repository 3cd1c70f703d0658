package tasks

import "plumb/internal/world"

// Every kind of item of the built-in world is the task world_KIND.
func init() {
	for _, kind := range append(world.Kinds(), world.HardKinds()...) {
		All.Add("world_"+kind, worldTask(kind))
	}
}

func worldTask(kind string) Task {
	about, err := world.Describe(kind)
	if err != nil {
		panic("tasks: " + err.Error())
	}
	return Task{
		About:    about.About,
		Version:  "1.0",
		Split:    "held out",
		Metrics:  []string{"acc"}, // nothing to normalise: the choices of an item have equally many words
		Hard:     about.Hard,
		Shortcut: about.Partial,
		Generate: func(w *world.World, n int) ([]Item, error) { return worldItems(w, kind, n) },
	}
}

// worldItems converts the items of one kind of the built-in world.
func worldItems(w *world.World, kind string, n int) ([]Item, error) {
	made, err := w.Items(kind, n)
	if err != nil {
		return nil, err
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
