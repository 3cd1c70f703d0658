package model

import (
	"slices"

	"plumb/kernels"
)

// An Observer sees what enters a matrix: x [rows, in], which it must not keep
// or change. A block that several layers run is seen by each.
type Observer func(slot string, x []float32, rows int)

// Observe runs each text through m and shows see what enters every matrix of the
// blocks, and the output matrix under its slot; of a factored matrix also what
// enters its factors, under the names of Places. A text holds as many tokens as
// the context at most. m must not be frozen.
func (m *Model) Observe(texts [][]int32, see Observer) error {
	m.mustNotBeFrozen("Observe")
	defer m.watch(see)()
	for _, text := range texts {
		if err := m.checkRows([][]int32{text}, []int{len(text)}); err != nil {
			return err
		}
		m.NewTape(1, len(text)).Logits(append(text[:len(text):len(text)], 0))
	}
	return nil
}

// watch puts an observer before every matrix, until the function that it
// returns is called.
func (m *Model) watch(see Observer) (undo func()) {
	type place struct {
		at  *Linear
		was Linear
	}
	var places []place
	cover := func(name string, at *Linear) {
		places = append(places, place{at, *at})
		*at = watch(*at, name, see)
	}
	slots := m.Slots()
	next := 1 // behind the token table
	for _, b := range m.blocks {
		for _, l := range b.inOrder() {
			if *l != nil {
				cover(slots[next].Name, l)
				next++
			}
		}
	}
	if !m.cfg.TiedHead {
		cover(slots[next].Name, &m.head)
	} else {
		cover(slots[0].Name, &m.head)
	}
	return func() {
		for _, p := range places {
			*p.at = p.was
		}
	}
}

// watch returns l with an observer before it and before its factors.
func watch(l Linear, name string, see Observer) Linear {
	if f, ok := l.(Factored); ok {
		var seen []Linear
		for _, factor := range f.Factors() {
			seen = append(seen, watch(factor.Matrix, name+"."+factor.Name, see))
		}
		l = f.WithFactors(seen)
	}
	w := &watched{l, name, see}
	if a, ok := l.(adder); ok {
		return &watchedAdder{w, a}
	}
	return w
}

// watched shows its input before it multiplies.
type watched struct {
	Linear
	slot string
	see  Observer
}

func (w *watched) Forward(dst, x []float32, rows int) {
	w.look(x, rows)
	w.Linear.Forward(dst, x, rows)
}

// watchedAdder is watched over a matrix that adds.
type watchedAdder struct {
	*watched
	adder
}

func (w *watchedAdder) ForwardAdd(dst, x []float32, rows int) {
	w.look(x, rows)
	w.adder.ForwardAdd(dst, x, rows)
}

func (w *watched) look(x []float32, rows int) {
	_, in := w.Shape()
	w.see(w.slot, x[:rows*in], rows)
}

// ObserveLayer runs layer number layer alone on the states x [tokens, width] of
// each text, which it does not change, and shows see what enters the matrices of
// its block, as Observe does.
func (m *Model) ObserveLayer(layer int, texts [][]float32, see Observer) {
	m.mustNotBeFrozen("ObserveLayer")
	defer m.watch(see)()
	m.RunLayer(layer, texts)
}

// States runs a text through m and returns the residual stream: what each layer
// was given and, last, what the last layer gave, [layers+1][tokens, width].
func (m *Model) States(text []int32) ([][]float32, error) {
	m.mustNotBeFrozen("States")
	if err := m.checkRows([][]int32{text}, []int{len(text)}); err != nil {
		return nil, err
	}
	t := m.NewTape(1, len(text))
	t.Logits(append(text[:len(text):len(text)], 0))
	states := make([][]float32, 0, len(m.order)+1)
	for _, layer := range t.pass.layers {
		states = append(states, layer.x)
	}
	return append(states, t.pass.x), nil
}

// RunLayer runs layer number layer alone: it returns what it makes of the states x
// [tokens, width] of each text, which it does not change.
func (m *Model) RunLayer(layer int, texts [][]float32) [][]float32 {
	m.mustNotBeFrozen("RunLayer")
	results := make([][]float32, len(texts))
	var p *pass
	for i, x := range texts {
		if length := len(x) / m.cfg.Width; p == nil || p.length != length {
			p = kernels.Place(func(a *kernels.Arena) *pass { return m.trainingPass(a, 1, length, true) })
		}
		copy(p.x, x)
		m.blocks[m.order[layer]].forward(p, p.layers[layer], layer)
		results[i] = slices.Clone(p.x)
	}
	return results
}
