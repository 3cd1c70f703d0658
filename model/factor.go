package model

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// A Factored matrix is made of smaller ones, each of which may be in a form of
// its own: the factors of a low rank can be int8, say.
type Factored interface {
	Formed
	// Factors lists the smaller matrices in the order in which a product uses
	// them. Bias belongs to one of them.
	Factors() []Factor
	// WithFactors returns the matrix that has others in the place of its factors,
	// of the same shapes and in the same order. It shares memory with them.
	WithFactors(others []Linear) Factored
}

// A Factor is one of the matrices that a Factored one is made of. Its name
// begins those of its arrays.
type Factor struct {
	Name   string
	Matrix Linear
}

// maxNesting is how many forms may stand within each other.
const maxNesting = 4

// Places lists the matrices of m as Slots does, with the factors of a factored
// matrix in its place, under names such as "blocks.3.ffn.up.right". With takes
// these names too.
func (m *Model) Places() []Slot {
	var all []Slot
	for _, s := range m.Slots() {
		all = append(all, placesOf(s)...)
	}
	return all
}

func placesOf(s Slot) []Slot {
	f, ok := s.Matrix.(Factored)
	if !ok {
		return []Slot{s}
	}
	var all []Slot
	for _, factor := range f.Factors() {
		all = append(all, placesOf(Slot{s.Name + "." + factor.Name, s.Block, s.Group, factor.Matrix})...)
	}
	return all
}

// bySlot replaces factors that matrices names by whole matrices that have them.
func (m *Model) bySlot(matrices map[string]Linear) (map[string]Linear, error) {
	whole, used := map[string]Linear{}, 0
	for _, s := range m.Slots() {
		l, n := replaced(s.Name, s.Matrix, matrices)
		if n > 0 {
			whole[s.Name] = l
		}
		used += n
	}
	if used < len(matrices) {
		return nil, errors.New("a matrix is given for a place that the model does not have")
	}
	return whole, nil
}

// replaced returns what becomes of l, which is called name, and how many of
// matrices were used for it.
func replaced(name string, l Linear, matrices map[string]Linear) (Linear, int) {
	if other, ok := matrices[name]; ok {
		return other, 1
	}
	f, ok := l.(Factored)
	if !ok {
		return l, 0
	}
	used := 0
	var others []Linear
	for _, factor := range f.Factors() {
		other, n := replaced(name+"."+factor.Name, factor.Matrix, matrices)
		others, used = append(others, other), used+n
	}
	if used == 0 {
		return l, 0
	}
	return f.WithFactors(others), used
}

// factorForm is the form of a factor. The zero value is dense.
type factorForm struct{ Form }

// formOf returns the form of a factor.
func formOf(l Linear) factorForm {
	if f, ok := l.(Formed); ok {
		return factorForm{f.Form()}
	}
	return factorForm{}
}

// IsZero leaves the form of a dense factor out of files.
func (f factorForm) IsZero() bool { return f.Form == nil }

// tagged is a form as JSON.
type tagged struct {
	Kind     string          `json:"kind"`
	Settings json.RawMessage `json:"settings"`
}

// MarshalJSON implements json.Marshaler.
func (f factorForm) MarshalJSON() ([]byte, error) {
	settings, err := json.Marshal(f.Form)
	if err != nil {
		return nil, err
	}
	return json.Marshal(tagged{f.Kind(), settings})
}

// UnmarshalJSON implements json.Unmarshaler. Since it decodes what is inside by
// itself, the text is refused before if it is nested more deeply than forms are.
func (f *factorForm) UnmarshalJSON(text []byte) error {
	if bracesIn(text) > 2*maxNesting+2 {
		return fmt.Errorf("more than %d forms within each other", maxNesting)
	}
	var t tagged
	if err := strictJSON(string(text), &t); err != nil {
		return err
	}
	empty, err := Forms.Get(t.Kind)
	if err != nil {
		return err
	}
	form := empty()
	if err := strictJSON(string(t.Settings), form); err != nil {
		return fmt.Errorf("%s: %w", t.Kind, err)
	}
	f.Form = form
	if depth(form) > maxNesting {
		return fmt.Errorf("more than %d forms within each other", maxNesting)
	}
	return nil
}

// bracesIn counts the braces and brackets within each other in a JSON text.
func bracesIn(text []byte) (deepest int) {
	depth, quoted := 0, false
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '{' || c == '[':
			depth++
			deepest = max(deepest, depth)
		case c == '}' || c == ']':
			depth--
		}
	}
	return deepest
}

// nested is a form of matrices that are made of others.
type nested interface {
	Form
	factors() []factorForm
	// parts lists the factors of a matrix [out, in] as Factored.Factors does, by
	// their names within it.
	parts(out, in int) []Place
	// withParts returns the form in which these have other forms.
	withParts(forms []factorForm) Form
}

// depth counts forms within each other.
func depth(f Form) int {
	deepest := 0
	if n, ok := f.(nested); ok {
		for _, inner := range n.factors() {
			if inner.Form != nil {
				deepest = max(deepest, depth(inner.Form))
			}
		}
	}
	return deepest + 1
}

// arrays lists what a factor [out, in] called name stores.
func (f factorForm) arrays(name string, out, in int) ([]Stored, error) {
	if f.Form == nil {
		return []Stored{{Name: name + ".weight", DType: "F32", Shape: []int{out, in}, Weights: out * in}}, nil
	}
	all, err := f.Form.Arrays(out, in)
	if err != nil {
		return nil, fmt.Errorf("%s as %s: %w", name, f.Kind(), err)
	}
	for i := range all {
		all[i].Name = name + "." + all[i].Name
	}
	return all, nil
}

// bind returns the factor [out, in] called name over its arrays, the first of
// those given, and the rest of them.
func (f factorForm) bind(name string, out, in int, arrays []Stored, bias Bias) (Linear, []Stored, error) {
	own, err := f.arrays(name, out, in)
	if err != nil {
		return nil, nil, err
	}
	arrays, rest := arrays[:len(own)], arrays[len(own):]
	if f.Form == nil {
		return &Dense{Out: out, In: in, Weight: arrays[0].Data, gradWeight: arrays[0].Grad, Bias: bias.Data, gradBias: bias.Grad}, rest, nil
	}
	own = slices.Clone(arrays)
	for i := range own {
		own[i].Name = strings.TrimPrefix(own[i].Name, name+".")
	}
	l, err := f.Form.Bind(out, in, own, bias)
	if err != nil {
		return nil, nil, fmt.Errorf("%s as %s: %w", name, f.Kind(), err)
	}
	return l, rest, nil
}

// valuesOf lists what a factor called name stores, with its contents, and its
// bias.
func valuesOf(name string, l Linear) ([]Stored, []float32) {
	switch l := l.(type) {
	case *Dense:
		all, _ := factorForm{}.arrays(name, l.Out, l.In)
		all[0].Data = l.Weight
		return all, l.Bias
	case Formed:
		all, bias := l.Values()
		for i := range all {
			all[i].Name = name + "." + all[i].Name
		}
		return all, bias
	}
	panic(fmt.Sprintf("model: a factor of type %T cannot be stored", l))
}

// canTrain reports whether l passes gradients back.
func canTrain(l Linear) bool {
	f, ok := l.(Factored)
	if !ok {
		_, ok := l.(trainable)
		return ok
	}
	for _, factor := range f.Factors() {
		if !canTrain(factor.Matrix) {
			return false
		}
	}
	return true
}

// hasRows reports whether l is a table. Of a factored one the last factor has the
// rows.
func hasRows(l Linear) bool {
	_, ok := l.(Table)
	if f, factored := l.(Factored); ok && factored {
		all := f.Factors()
		return hasRows(all[len(all)-1].Matrix)
	}
	return ok
}

// canTrainRows reports whether l is a table that passes gradients back to rows.
func canTrainRows(l Linear) bool {
	_, ok := l.(trainableTable)
	f, factored := l.(Factored)
	if !ok || !factored {
		return ok
	}
	for i, factor := range f.Factors() {
		last := i == len(f.Factors())-1
		if !canTrain(factor.Matrix) || last && !canTrainRows(factor.Matrix) {
			return false
		}
	}
	return true
}

// asRows returns l as a dense matrix without its bias, itself where it is dense.
func asRows(l Linear) *Dense {
	if d, ok := l.(*Dense); ok {
		return d
	}
	if t, ok := l.(Table); ok {
		out, in := l.Shape()
		d := &Dense{Out: out, In: in, Weight: make([]float32, out*in)}
		ids := make([]int32, out)
		for i := range ids {
			ids[i] = int32(i)
		}
		t.LookUp(d.Weight, ids)
		return d
	}
	return Expand(l)
}
