package compress

import (
	"slices"
	"strconv"
	"strings"

	"plumb/model"
)

// A front is how far a text has come through the layers of a model whose matrices
// are replaced one after another: what lies before it changes no more.
type front struct {
	layer  int
	states [][]float32 // of each text, what the layer is given [tokens, width]
}

// look shows the model as it is by now the text, and returns what slots were
// given. In a model whose layers share no blocks only the layer of the slots is
// run, on what those before it gave.
func (w *walk) look(slots []string, needs Needs) (map[string]*Inputs, error) {
	want := func(slot string) bool { return slices.Contains(slots, slot) }
	layer, ok := w.layerOf(slots[0])
	if !ok || needs&Gradients != 0 || w.cal == nil || len(w.cal.Texts) == 0 {
		return w.cal.gather(w.model, needs, want)
	}
	if err := w.advance(layer); err != nil {
		return nil, err
	}
	return watchers(w.model, needs, want).after(w.model, func(see model.Observer) error {
		w.model.ObserveLayer(layer, w.front.states, see)
		return nil
	})
}

// layerOf is the layer that the matrix at a place belongs to; false if it is of none,
// or of several.
func (w *walk) layerOf(place string) (int, bool) {
	number, _, ok := strings.Cut(strings.TrimPrefix(place, "blocks."), ".")
	block, err := strconv.Atoi(number)
	blocks := w.model.Config().Blocks()
	if !ok || err != nil || len(blocks) != w.model.Config().BlockCount() {
		return 0, false
	}
	return slices.Index(blocks, block), true
}

// advance brings the text before a layer.
func (w *walk) advance(layer int) error {
	if w.front == nil || w.front.layer > layer {
		w.front = &front{}
		for _, text := range w.cal.Texts {
			states, err := w.model.States(text)
			if err != nil {
				return err
			}
			w.front.states = append(w.front.states, slices.Clone(states[0]))
		}
	}
	for ; w.front.layer < layer; w.front.layer++ {
		w.front.states = w.model.RunLayer(w.front.layer, w.front.states)
	}
	return nil
}
