package model

import (
	"fmt"
	"strings"

	"plumb/arch"
	"plumb/kernels"
)

// A Group names the part of a model that a weight belongs to. Learning rates
// and initial spreads are set by group.
type Group string

// The groups of weights.
const (
	Embedding Group = arch.Embedding // token table, untied head
	Body      Group = arch.Body      // everything else, learned positions included
)

// A Param is one named array of weights.
type Param struct {
	Name  string
	Group Group
	Shape []int
	Data  []float32 // shared with the model
	Grad  []float32 // gradient of the loss; nil until EnableTraining
	Into  bool      // the matrix writes into the residual stream (attention output, feed-forward output)

	slot    string // the matrix or other part that it belongs to
	weights int    // it stands for
	fixed   bool   // part of a form that is not trained
	dtype   string // of the fixed arrays that hold no float32: their type,
	bytes   []byte // and their contents
}

// AllFinite reports whether no weight of m is NaN or infinite, and names the
// first array that has one.
func (m *Model) AllFinite() (name string, ok bool) {
	for _, p := range m.arrays {
		if !kernels.AllFinite(p.Data) {
			return p.Name, false
		}
	}
	return "", true
}

// storedBytes is how many bytes p takes in a file.
func (p Param) storedBytes() int {
	n := 4
	if p.dtype != "" {
		n = dtypeBytes[p.dtype]
	}
	for _, d := range p.Shape {
		n *= d
	}
	return n
}

// Matrix reports whether p has two dimensions; gains and biases have one.
func (p Param) Matrix() bool { return len(p.Shape) == 2 }

// spec is a parameter before it has memory.
type spec struct {
	name    string
	slot    string // name of the matrix or other part that it belongs to
	group   Group
	shape   []int
	into    bool
	fixed   bool
	dtype   string // "" for F32
	part    bool   // of a form, which says how many weights it stands for
	weights int
}

func (s spec) size() int {
	n := 1
	for _, d := range s.shape {
		n *= d
	}
	return n
}

// layout lists every array of weights that c stores, in the order in which
// they lie in memory and in files. Blocks that several layers share come once.
func layout(c arch.Config) []spec {
	specs, err := layoutIn(c, nil)
	if err != nil {
		panic("model: " + err.Error()) // dense matrices hold every shape
	}
	return specs
}

// layoutIn is layout for a model some of whose matrices are in forms. The arrays
// of a form stand where the weight would.
func layoutIn(c arch.Config, forms map[string]Form) ([]spec, error) {
	var specs []spec
	left := len(forms)
	for _, s := range denseLayout(c) {
		s.slot = slotOf(s.name)
		form := forms[s.slot]
		if form == nil || !strings.HasSuffix(s.name, ".weight") {
			specs = append(specs, s)
			continue
		}
		left--
		arrays, err := form.Arrays(s.shape[0], s.shape[1])
		if err != nil {
			return nil, fmt.Errorf("%s as %s: %w", s.slot, form.Kind(), err)
		}
		for _, a := range arrays {
			own := spec{
				name: s.slot + "." + a.Name, slot: s.slot, group: s.group, shape: a.Shape, into: s.into,
				fixed: a.Fixed, part: true, weights: a.Weights,
			}
			if a.DType != "F32" {
				own.fixed, own.dtype = true, a.DType
			}
			specs = append(specs, own)
		}
	}
	if left > 0 {
		return nil, fmt.Errorf("forms are given for %d matrices that this shape does not have", left)
	}
	return specs, nil
}

func denseLayout(c arch.Config) []spec {
	specs := []spec{{name: "embedding.weight", group: Embedding, shape: []int{c.Vocab, c.TokenWidth()}}}
	if c.Projected() {
		specs = append(specs, linearLayout("embedding.project.", c.Width, c.TokenWidth(), false, false)...)
	}
	if c.Position == "learned" {
		specs = append(specs, spec{name: "position.weight", group: Body, shape: []int{c.Context + c.PositionOffset, c.Width}})
	}
	for b := range c.BlockCount() {
		specs = append(specs, blockLayout(c, fmt.Sprintf("blocks.%d.", b))...)
	}
	return append(specs, headLayout(c)...)
}

// headLayout lists what follows the blocks.
func headLayout(c arch.Config) (specs []spec) {
	if !c.NoOuterNorm {
		specs = normLayout(c, "norm.")
	}
	if c.Projected() {
		specs = append(specs, linearLayout("head.project.", c.TokenWidth(), c.Width, false, false)...)
	}
	if !c.TiedHead {
		specs = append(specs, spec{name: "head.weight", group: Embedding, shape: []int{c.Vocab, c.TokenWidth()}})
	}
	if c.HeadBias {
		specs = append(specs, spec{name: "head.bias", group: Embedding, shape: []int{c.Vocab}})
	}
	return specs
}

// blockLayout lists the arrays of a block: attention and feed-forward part,
// each behind its norms.
func blockLayout(c arch.Config, prefix string) (specs []spec) {
	add := func(more []spec) { specs = append(specs, more...) }
	queries, keys := c.Heads*c.HeadDim, c.KVHeads*c.HeadDim
	addNorms := func(part string) {
		for _, place := range places(c) {
			if strings.HasPrefix(place.name, part) {
				add(normLayout(c, prefix+place.name))
			}
		}
	}
	addNorms("attention.")
	add(linearLayout(prefix+"attention.q.", queries, c.Width, c.QKVBias, false))
	add(linearLayout(prefix+"attention.k.", keys, c.Width, c.QKVBias, false))
	add(linearLayout(prefix+"attention.v.", keys, c.Width, c.QKVBias, false))
	add(linearLayout(prefix+"attention.out.", c.Width, queries, c.OutBias, true))
	addNorms("ffn.")
	if c.Gated() {
		add(linearLayout(prefix+"ffn.gate.", c.Hidden, c.Width, c.FFNBias, false))
	}
	add(linearLayout(prefix+"ffn.up.", c.Hidden, c.Width, c.FFNBias, false))
	add(linearLayout(prefix+"ffn.down.", c.Width, c.Hidden, c.FFNBias, true))
	return specs
}

func normLayout(c arch.Config, prefix string) []spec {
	specs := []spec{{name: prefix + "gain", group: Body, shape: []int{c.Width}}}
	if c.Norm == "layernorm" {
		specs = append(specs, spec{name: prefix + "bias", group: Body, shape: []int{c.Width}})
	}
	return specs
}

func linearLayout(prefix string, out, in int, bias, into bool) []spec {
	specs := []spec{{name: prefix + "weight", group: Body, shape: []int{out, in}, into: into}}
	if bias {
		specs = append(specs, spec{name: prefix + "bias", group: Body, shape: []int{out}})
	}
	return specs
}
