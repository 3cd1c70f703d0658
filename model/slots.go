package model

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"plumb/arch"
)

// A Slot is a place in the model where a matrix stands, under the name that
// files give it: "embedding", "blocks.3.attention.q", "blocks.3.ffn.down",
// "head" where it is not tied.
type Slot struct {
	Name   string
	Block  int   // -1 outside of blocks
	Group  Group // that its weights are counted in
	Matrix Linear
}

// Slots lists the matrices of m in the order of its file: those of blocks in
// the order in which a forward pass needs them (q, k, v, out, gate, up, down).
func (m *Model) Slots() []Slot {
	m.mustNotBeFrozen("Slots")
	slots := []Slot{{"embedding", -1, Embedding, m.table}}
	for i, b := range m.blocks {
		names := []string{"attention.q", "attention.k", "attention.v", "attention.out", "ffn.gate", "ffn.up", "ffn.down"}
		for j, l := range b.inOrder() {
			if *l != nil {
				slots = append(slots, Slot{fmt.Sprintf("blocks.%d.%s", i, names[j]), i, Body, *l})
			}
		}
	}
	if !m.cfg.TiedHead {
		slots = append(slots, Slot{"head", -1, Embedding, m.head})
	}
	return slots
}

// Matches reports whether one of the patterns, as path.Match reads them, matches
// the whole name of s, or what follows the number of its block ("ffn.*"). Without
// patterns, all slots of blocks do.
func (s Slot) Matches(patterns []string) bool {
	if len(patterns) == 0 {
		return s.Block >= 0
	}
	_, part, _ := strings.Cut(strings.TrimPrefix(s.Name, "blocks."), ".")
	for _, pattern := range patterns {
		whole, _ := path.Match(pattern, s.Name)
		within, _ := path.Match(pattern, part)
		if whole || within && s.Block >= 0 {
			return true
		}
	}
	return false
}

// inOrder lists where b keeps its matrices; a gate that it lacks is nil.
func (b *block) inOrder() []*Linear {
	a, f := b.attention, b.feedForward
	return []*Linear{&a.q, &a.k, &a.v, &a.out, &f.gate, &f.up, &f.down}
}

// With returns a model in which the named matrices (of Slots, or of Places) are
// others, of the same shapes, and the rest as in m. It shares no memory with m or
// with them.
func (m *Model) With(matrices map[string]Linear) (*Model, error) {
	m.mustNotBeFrozen("With")
	matrices, err := m.bySlot(matrices)
	if err != nil {
		return nil, err
	}
	forms := map[string]Form{}
	for slot, form := range m.forms {
		forms[slot] = form
	}
	given := map[string]Array{}
	old := map[string]bool{} // slots whose weights are not those of m
	for slot, l := range matrices {
		old[slot] = true
		delete(forms, slot)
		if f, ok := l.(Formed); ok {
			forms[slot] = f.Form()
		}
		for _, a := range arraysOf(l) {
			a.Name = slot + "." + a.Name
			given[a.Name] = a
		}
	}
	for i, a := range m.contents() {
		slot := m.arrays[i].slot
		if _, ok := given[a.Name]; !ok && (!old[slot] || a.Name == slot+".bias") {
			given[a.Name] = a // a bias stays where a matrix without one takes its place
		}
	}
	return withArrays(m.cfg, forms, given)
}

// Clone returns a copy of m that shares no memory with it and has no gradients.
func (m *Model) Clone() *Model {
	c, err := m.With(nil)
	if err != nil {
		panic("model: a copy of a sound model: " + err.Error())
	}
	return c
}

// Reshaped returns a dense model of the shape cfg with the given arrays, under
// the names that files have them; it is how layers, heads and hidden units are
// removed. It shares no memory with arrays.
func Reshaped(cfg arch.Config, arrays []Array) (*Model, error) {
	given := map[string]Array{}
	for _, a := range arrays {
		given[a.Name] = a
	}
	return withArrays(cfg, nil, given)
}

// Arrays lists all that m stores, under the names that files have. It shares
// memory with m and panics when m is frozen.
func (m *Model) Arrays() []Array {
	m.mustNotBeFrozen("Arrays")
	return m.contents()
}

// withArrays builds a model from arrays by name. All must be there, in their
// shapes, and no others.
func withArrays(cfg arch.Config, forms map[string]Form, given map[string]Array) (*Model, error) {
	m, err := buildIn(cfg, forms, func(s spec) error {
		a, ok := given[s.name]
		if err := s.mustBe(a.Shape, ok && a.DType == s.dtype, len(given)); err != nil {
			return err
		}
		if want := s.size(); s.dtype == "" && len(a.Data) != want || s.dtype != "" && len(a.Bytes) != want*dtypeBytes[s.dtype] {
			return fmt.Errorf("array %q of shape %v has %d numbers and %d bytes", s.name, s.shape, len(a.Data), len(a.Bytes))
		}
		return nil
	}, func(p Param) error {
		copy(p.Data, given[p.Name].Data)
		copy(p.bytes, given[p.Name].Bytes)
		return nil
	})
	if err != nil {
		return nil, err
	}
	for name := range given {
		if !slices.ContainsFunc(m.arrays, func(p Param) bool { return p.Name == name }) {
			return nil, fmt.Errorf("array %q has no place in this shape", name)
		}
	}
	return m, nil
}

// arraysOf lists what a matrix stores, under the names within its slot.
func arraysOf(l Linear) []Array {
	var all []Array
	var bias []float32
	switch l := l.(type) {
	case Formed:
		var stored []Stored
		stored, bias = l.Values()
		for _, s := range stored {
			a := Array{Name: s.Name, Shape: s.Shape, Data: s.Data}
			if s.DType != "F32" {
				a.DType, a.Bytes = s.DType, s.Bytes
			}
			all = append(all, a)
		}
	case *Dense:
		all, bias = []Array{{Name: "weight", Shape: []int{l.Out, l.In}, Data: l.Weight}}, l.Bias
	default:
		panic(fmt.Sprintf("model: a matrix of type %T cannot be stored", l))
	}
	if bias != nil {
		all = append(all, Array{Name: "bias", Shape: []int{len(bias)}, Data: bias})
	}
	return all
}

// Size is how much a model stores.
type Size struct {
	Params    arch.Params // numbers of any type; of a quantised matrix its weights, not its scales
	Bytes     int         // of all arrays as they are stored
	BodyBytes int         // of those outside of token table and output matrix
}

// Size counts what m stores. Of a form that stores other numbers than weights
// (scales, indices, masks) only the bytes count.
func (m *Model) Size() Size {
	var s Size
	for _, p := range m.arrays {
		s.count(p.Group, p.weights, p.storedBytes())
	}
	return s
}

// count adds an array.
func (s *Size) count(group Group, weights, bytes int) {
	s.Params.Total += weights
	s.Bytes += bytes
	if group == Embedding {
		s.Params.Embedding += weights
	} else {
		s.Params.Body += weights
		s.BodyBytes += bytes
	}
}

// SizeOf returns how many weights, as papers count them, and how many bytes a
// form stores of a matrix [out, in], its bias left out.
func SizeOf(form Form, out, in int) (weights, bytes int, err error) {
	arrays, err := form.Arrays(out, in)
	if err != nil {
		return 0, 0, err
	}
	for _, a := range arrays {
		size := 4
		if a.DType != "F32" {
			size = dtypeBytes[a.DType]
		}
		for _, n := range a.Shape {
			size *= n
		}
		weights, bytes = weights+a.Weights, bytes+size
	}
	return weights, bytes, nil
}

// Trainable reports the matrices of m that are in forms which pass no gradients
// back, nil if there are none.
func (m *Model) Trainable() error {
	var fixed []string
	for _, s := range m.Slots() {
		if !canTrain(s.Matrix) || s.Name == "embedding" && !canTrainRows(s.Matrix) {
			fixed = append(fixed, s.Name)
		}
	}
	if len(fixed) == 0 {
		return nil
	}
	return fmt.Errorf("%d matrices are in forms that cannot be trained, the first is %s", len(fixed), fixed[0])
}
