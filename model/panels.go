package model

import "plumb/kernels"

// held is a dense matrix and the memory for its panels.
type held struct {
	matrix *Dense
	panels *kernels.Panels
}

// Hold says that the weights stay as they are until Release. The passes between
// the two put each dense matrix once in the order in which products read it, in
// memory that the first Hold takes, arch.Config.PanelMemory. No bit changes.
func (t *Tape) Hold() {
	if t.held == nil {
		t.held = t.m.heldMatrices()
	}
	for _, h := range t.held {
		h.panels.Forget()
		h.matrix.panels = h.panels
	}
}

// Release says that the weights may change.
func (t *Tape) Release() {
	for _, h := range t.held {
		h.matrix.panels = nil
	}
}

// heldMatrices gives every dense matrix that rows of a pass are multiplied with
// memory for its panels.
func (m *Model) heldMatrices() []held {
	return kernels.Place(func(a *kernels.Arena) (all []held) {
		for _, d := range m.dense() {
			all = append(all, held{d, kernels.NewPanels(a, d.Out, d.In)})
		}
		return all
	})
}

// dense lists the matrices of m that are stored as they are, without a token
// table that is not the head too.
func (m *Model) dense() (all []*Dense) {
	matrices := []Linear{m.projectIn, m.projectOut, m.head}
	for _, b := range m.blocks {
		for _, l := range b.inOrder() {
			matrices = append(matrices, *l)
		}
	}
	for _, l := range matrices {
		if d, ok := l.(*Dense); ok {
			all = append(all, d)
		}
	}
	return all
}
