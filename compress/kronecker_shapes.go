package compress

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"plumb/arch"
	"plumb/model"
)

// kroneckerShapes say which matrices of a model become sums of Kronecker
// products, and of which shapes.
type kroneckerShapes struct {
	about string
	on    []string // patterns of slots, as the setting on has them
	odd   bool     // of blocks only those with an odd number, counted from 0
	untie bool     // the output matrix stays dense where the token table is changed

	table [2]int // m2, n2 of the token table
	grow  [2]int // of matrices with more outputs than inputs
	other [2]int // of all others
	half  bool   // as many terms as half the size of B, which keeps half of the weights; else 1
}

var ffn = []string{"ffn.gate", "ffn.up", "ffn.down"}

// KnGPT-2 (Edalati et al. 2022) halves matrices, in every second layer, by B of
// [1, 2], and does not publish which of them it takes to reach its size; the four
// readings take more and more. TQCompressedGPT-2 (Abronin et al. 2024) has four
// terms of B [4, 2] in the first matrices of feed-forward parts and of [2, 4] in the
// last, and a token table of a quarter, in two steps of [1, 2] that are one of
// [1, 4] here. In models of other widths B keeps its shape, or has the greatest
// divisors of the widths below it, and A is what remains.
var kroneckerLayouts = map[string]kroneckerShapes{
	"kngpt2-embedding": {about: "KnGPT-2, the token table only", on: []string{"embedding"}},
	"kngpt2-ffn":       {about: "KnGPT-2, with feed-forward matrices", on: slices.Concat([]string{"embedding"}, ffn)},
	"kngpt2-qkv":       {about: "KnGPT-2, with queries, keys and values", on: slices.Concat([]string{"embedding", "attention.q", "attention.k", "attention.v"}, ffn)},
	"kngpt2":           {about: "KnGPT-2, with the outputs of attention", on: []string{"embedding", "attention.*", "ffn.*"}},
	"tq": {
		about: "TQCompressedGPT-2", on: slices.Concat([]string{"embedding"}, ffn),
		table: [2]int{1, 4}, grow: [2]int{4, 2}, other: [2]int{2, 4}, half: true,
	},
}

func init() {
	for name, s := range kroneckerLayouts {
		if s.table == [2]int{} {
			s.table, s.grow, s.other = [2]int{1, 2}, [2]int{1, 2}, [2]int{1, 2}
		}
		s.odd, s.untie = true, true
		kroneckerLayouts[name] = s
	}
}

// KroneckerLayouts lists the names of the published layouts.
func KroneckerLayouts() []string {
	var names []string
	for name := range kroneckerLayouts {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// shapesNamed finds a layout by its name, or reads the shape of B in MxN.
func shapesNamed(name string) (kroneckerShapes, error) {
	if s, ok := kroneckerLayouts[name]; ok {
		return s, nil
	}
	left, right, ok := strings.Cut(name, "x")
	m2, errM := strconv.Atoi(left)
	n2, errN := strconv.Atoi(right)
	if ok && errM == nil && errN == nil && m2 > 0 && n2 > 0 && m2 < 1<<20 && n2 < 1<<20 {
		b := [2]int{m2, n2}
		return kroneckerShapes{about: "B of one shape", table: b, grow: b, other: b}, nil
	}
	return kroneckerShapes{}, fmt.Errorf("shape=%s: wanted is one of %s, or that of B as 2x4", name, strings.Join(KroneckerLayouts(), ", "))
}

// of is the shape of a matrix [out, in] in a slot; false for one that stays.
func (s kroneckerShapes) of(slot string, block, out, in int) (arch.Kronecker, bool) {
	if s.odd && block >= 0 && block%2 == 0 {
		return arch.Kronecker{}, false
	}
	b := s.other
	switch {
	case slot == "embedding" || slot == "head":
		b = s.table
	case out > in:
		b = s.grow
	}
	if s.odd {
		b = [2]int{divisor(out, b[0]), divisor(in, b[1])}
	}
	k := arch.Kronecker{Terms: 1, M1: out / b[0], N1: in / b[1], M2: b[0], N2: b[1]}
	if s.half && block >= 0 {
		k.Terms = max(1, b[0]*b[1]/2)
	}
	return k, true
}

// divisor is the greatest divisor of n that is not above most.
func divisor(n, most int) int {
	for n%most != 0 {
		most--
	}
	return most
}

// formAt implements placedForeseer. Orders are taken to be stored wherever they
// are searched and cannot be folded.
func (k *kronecker) formAt(p model.Place) (form model.Form, stays bool, err error) {
	shapes, err := shapesNamed(k.Shape)
	if err != nil {
		return nil, false, err
	}
	shape, ok := shapes.of(p.Name, p.Block, p.Out, p.In)
	if !ok {
		return nil, true, nil
	}
	if k.Terms > 0 {
		shape.Terms = k.Terms
	}
	if err := shape.Validate(p.Out, p.In); err != nil {
		return nil, false, err
	}
	if shape.Weights() >= p.Out*p.In {
		return nil, false, nil
	}
	if err := searchable(shape, k.Permute); err != nil {
		return nil, false, err
	}
	hidden := p.Block >= 0 && strings.Contains(p.Name, ".ffn.")
	down := strings.HasSuffix(p.Name, ".down")
	searched := k.Permute != "identity"
	return model.KroneckerForm(shape, searched && shape.M2 > 1 && !(hidden && !down), searched && shape.N2 > 1 && !(hidden && down)), false, nil
}

// prepared implements preparing: where the table of a layout that keeps the output
// matrix dense is changed, that gets one of its own.
func (k *kronecker) prepared(o model.Outline, on []string) (model.Outline, error) {
	shapes, err := shapesNamed(k.Shape)
	if table := o.Slots()[0]; err == nil && shapes.untie && table.Matches(on) {
		return o.Untied(), nil
	}
	return o, err
}

// CountKronecker is how many weights a model of shape c stores when a stage
// "kronecker" with this shape has been applied to the matrices that the layout is
// made for. The output matrix is counted where the model then has one of its own.
func CountKronecker(c arch.Config, shape string) (arch.Params, error) {
	s, err := shapesNamed(shape)
	if err != nil {
		return arch.Params{}, err
	}
	params := c.Params()
	for _, t := range c.Matrices() {
		if !(model.Slot{Name: t.Slot, Block: t.Block}).Matches(s.on) {
			continue
		}
		k, ok := s.of(t.Slot, t.Block, t.Out, t.In)
		if !ok {
			continue
		}
		if err := k.Validate(t.Out, t.In); err != nil {
			return arch.Params{}, fmt.Errorf("%s: %w", t.Slot, err)
		}
		saved := t.Out*t.In - k.Weights()
		if t.Block >= 0 {
			params.Body -= saved
			continue
		}
		params.Embedding -= saved
		if t.Slot == "embedding" && s.untie && c.TiedHead {
			params.Embedding += t.Out * t.In
		}
	}
	params.Total = params.Embedding + params.Body
	return params, nil
}
