package compress

import (
	"fmt"
	"slices"

	"plumb/arch"
	"plumb/model"
)

// A fold is a place in a block where channels can be scaled without a change to
// what the model computes: what feeds some matrices is divided, and their columns
// are multiplied, by the same positive numbers.
type fold struct {
	name   string // of what is divided: "blocks.3.attention.norm"
	block  int
	into   []string // slots whose inputs it gives
	norm   bool     // what is divided is a norm
	arrays []string // to be divided by rows, those that the model has of them
}

// folds lists the folds of a block, in the order of a forward pass:
//
//	norm before attention → q, k, v      unless norms follow the sums
//	v → attention's output               where each query head has its own values
//	norm before feed-forward → gate, up  unless norms follow the sums
//	up → down                            where the activation is linear in up, or ReLU
//
// A block whose parts share one norm has one fold into all that reads it.
func folds(c arch.Config, block int) []fold {
	at := func(parts ...string) []string {
		for i, part := range parts {
			parts[i] = fmt.Sprintf("blocks.%d.%s", block, part)
		}
		return parts
	}
	make := func(norm bool, from string, into []string) fold {
		name := at(from)[0]
		return fold{name, block, into, norm, []string{name + ".gain", name + ".weight", name + ".bias"}}
	}
	attention, feedForward := at("attention.q", "attention.k", "attention.v"), at("ffn.up")
	if c.Gated() {
		feedForward = at("ffn.gate", "ffn.up")
	}
	shared := c.BlockNorms() == 1
	if shared {
		attention = append(attention, feedForward...)
	}
	var all []fold
	if !c.PostNorm {
		all = append(all, make(true, "attention.norm", attention))
	}
	if c.KVHeads == c.Heads {
		all = append(all, make(false, "attention.v", at("attention.out")))
	}
	if !c.PostNorm && !shared {
		all = append(all, make(true, "ffn.norm", feedForward))
	}
	if c.Gated() || c.Activation == "relu" {
		all = append(all, make(false, "ffn.up", at("ffn.down")))
	}
	return all
}

// A draft is a copy of a model whose blocks are dense, to be changed in place.
type draft struct {
	model  *model.Model
	arrays map[string]model.Array
}

// draftOf is the outline of a draft. A form would be lost in it, but for a mask: its
// zeros stay.
func draftOf(o model.Outline) (model.Outline, error) {
	var dense []model.Place
	for _, p := range o.Slots() {
		if p.Block < 0 || p.Form == nil {
			continue
		}
		if p.Kind() != "masked" {
			return o, fmt.Errorf("%s is in form %s, through which no scales can be moved: put this stage before, or take one that moves none", p.Name, p.Kind())
		}
		p.Form, p.Open = nil, false
		dense = append(dense, p)
	}
	return o.With(dense...), nil
}

// newDraft copies m.
func newDraft(m *model.Model) (*draft, error) {
	dense := map[string]model.Linear{}
	for _, s := range m.Slots() {
		if _, ok := s.Matrix.(*model.Dense); !ok && s.Block >= 0 {
			dense[s.Name] = model.Expand(s.Matrix)
		}
	}
	m, err := m.With(dense)
	if err != nil {
		return nil, err
	}
	d := &draft{m, map[string]model.Array{}}
	for _, a := range m.Arrays() {
		d.arrays[a.Name] = a
	}
	return d, nil
}

// weight returns the matrix in slot [out, in], to be changed in place.
func (d *draft) weight(slot string) (w []float32, in int) {
	a := d.arrays[slot+".weight"]
	return a.Data, a.Shape[1]
}

// scale moves s [channels], positive numbers, from what f divides into the
// matrices behind it.
func (d *draft) scale(f fold, s []float32) {
	for _, name := range f.arrays {
		a, ok := d.arrays[name]
		if !ok {
			continue
		}
		each := len(a.Data) / len(s)
		for i := range a.Data {
			a.Data[i] /= s[i/each]
		}
	}
	for _, slot := range f.into {
		w, in := d.weight(slot)
		for i := range w {
			w[i] *= s[i%in]
		}
	}
}

// whichFolds reports the folds of all blocks of m that keep wants.
func whichFolds(m *model.Model, keep func(fold) bool) []fold {
	var all []fold
	for block := range m.Config().BlockCount() {
		all = append(all, folds(m.Config(), block)...)
	}
	return slices.DeleteFunc(all, func(f fold) bool { return !keep(f) })
}

// inputsOf gathers what enters the matrices behind folds, by fold.
func inputsOf(m *model.Model, cal *Calibration, all []fold, needs Needs) (map[string]*Inputs, error) {
	var slots []string
	for _, f := range all {
		slots = append(slots, f.into[0])
	}
	seen, err := cal.gather(m, needs, func(slot string) bool { return slices.Contains(slots, slot) })
	if err != nil {
		return nil, err
	}
	byFold := map[string]*Inputs{}
	for _, f := range all {
		byFold[f.name] = seen[f.into[0]]
	}
	return byFold, nil
}
