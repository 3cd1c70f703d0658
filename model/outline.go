package model

import (
	"errors"
	"fmt"
	"maps"

	"plumb/arch"
)

// An Outline is a model without its numbers: its shape, and the form of each of
// its matrices. What is to be done to a model can be followed on its outline
// before any of it is done.
type Outline struct {
	Config arch.Config

	forms map[string]Form // by slot; dense where there is none
	open  map[string]bool // slots whose form is known by its kind only
}

// OutlineOf is the outline of a dense model of a shape.
func OutlineOf(c arch.Config) Outline { return Outline{Config: c} }

// Outline is that of m.
func (m *Model) Outline() Outline { return Outline{Config: m.cfg, forms: maps.Clone(m.forms)} }

// A Place is where a matrix or a factor stands in an outline, named as in Slots
// and Model.Places.
type Place struct {
	Name    string
	Block   int // -1 outside of blocks
	Out, In int
	Form    Form // nil for dense
	Open    bool // weights decide the numbers in Form, and whether the matrix is in it at all
}

// Matches is that of Slot.
func (p Place) Matches(patterns []string) bool {
	return Slot{Name: p.Name, Block: p.Block}.Matches(patterns)
}

// Kind is the kind of its form, "dense" without one.
func (p Place) Kind() string {
	if p.Form == nil {
		return "dense"
	}
	return p.Form.Kind()
}

// Factors lists the factors of a matrix that is made of others, as Factored does,
// and nothing of any other.
func (p Place) Factors() []Place {
	n, ok := p.Form.(nested)
	if !ok {
		return nil
	}
	all := n.parts(p.Out, p.In)
	for i := range all {
		all[i].Name, all[i].Block, all[i].Open = p.Name+"."+all[i].Name, p.Block, p.Open
	}
	return all
}

// Rounded reports whether weights are stored as codes of few bits.
func (p Place) Rounded() bool {
	if p.Form == nil {
		return false
	}
	arrays, err := p.Form.Arrays(p.Out, p.In)
	if err != nil {
		return false
	}
	for _, a := range arrays {
		if a.Weights > 0 && a.DType != "F32" {
			return true
		}
	}
	return false
}

// Trains reports whether the matrix passes gradients back.
func (p Place) Trains() bool {
	switch p.Form.(type) {
	case nil, *maskedForm:
		return true
	}
	factors := p.Factors()
	for _, f := range factors {
		if !f.Trains() {
			return false
		}
	}
	return len(factors) > 0
}

// Slots lists the matrices of o in the order of Model.Slots.
func (o Outline) Slots() []Place {
	var all []Place
	for _, m := range o.Config.Matrices() {
		all = append(all, Place{m.Slot, m.Block, m.Out, m.In, o.forms[m.Slot], o.open[m.Slot]})
	}
	return all
}

// With returns an outline whose places of these names are in other forms.
func (o Outline) With(places ...Place) Outline {
	others := map[string]Place{}
	for _, p := range places {
		others[p.Name] = p
	}
	next := Outline{Config: o.Config, forms: map[string]Form{}, open: map[string]bool{}}
	for _, p := range o.Slots() {
		p = p.replaced(others)
		if p.Form != nil {
			next.forms[p.Name] = p.Form
		}
		if p.Open {
			next.open[p.Name] = true
		}
	}
	return next
}

// replaced is p with what others say of it and of its factors.
func (p Place) replaced(others map[string]Place) Place {
	if other, ok := others[p.Name]; ok {
		p.Form, p.Open = other.Form, other.Open
		return p
	}
	factors := p.Factors()
	if len(factors) == 0 {
		return p
	}
	forms := make([]factorForm, len(factors))
	for i, f := range factors {
		f = f.replaced(others)
		forms[i] = factorForm{f.Form}
		p.Open = p.Open || f.Open
	}
	p.Form = p.Form.(nested).withParts(forms)
	return p
}

// Untied is the outline of Model.Untied.
func (o Outline) Untied() Outline {
	next := o.With()
	if o.Config.TiedHead {
		next.Config.TiedHead = false
		if form := o.forms["embedding"]; form != nil {
			next.forms["head"] = form
		}
	}
	return next
}

// Trainable is that of Model.
func (o Outline) Trainable() error {
	first, count := "", 0
	for _, p := range o.Slots() {
		if !p.Trains() {
			if count++; count == 1 {
				first = fmt.Sprintf("%s (%s)", p.Name, p.Kind())
			}
		}
	}
	if count == 0 {
		return nil
	}
	return fmt.Errorf("%d matrices are in forms that cannot be trained, the first is %s: train before they are put into it", count, first)
}

// Size is that of Model.Size. exact is false where weights decide it: then it
// counts the forms that o has for them.
func (o Outline) Size() (s Size, exact bool, err error) {
	if err := errors.Join(o.Config.Validate(), Runnable(o.Config)); err != nil {
		return s, false, err
	}
	specs, err := layoutIn(o.Config, o.forms)
	if err != nil {
		return s, false, err
	}
	for _, one := range specs {
		weights, bytes := one.size(), 4*one.size()
		if one.part {
			weights = one.weights
		}
		if one.dtype != "" {
			bytes = dtypeBytes[one.dtype] * one.size()
		}
		s.count(one.group, weights, bytes)
	}
	return s, len(o.open) == 0, nil
}
