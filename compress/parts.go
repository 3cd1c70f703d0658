package compress

import (
	"errors"
	"fmt"
	"math"
	"strings"

	"plumb/arch"
	"plumb/model"
)

// parts is a model taken apart, for another to be made of them.
type parts struct {
	cfg    arch.Config
	dense  *model.Model            // that the model stands for; nothing in it is changed
	arrays map[string]model.Array  // of dense, under the names that files have
	forms  map[string]model.Linear // matrices that are not dense, by slot
}

func takeApart(m *model.Model) (*parts, error) {
	p := &parts{cfg: m.Config(), arrays: map[string]model.Array{}, forms: map[string]model.Linear{}}
	p.cfg.Name = ""
	expanded := map[string]model.Linear{}
	for _, s := range m.Slots() {
		if _, ok := s.Matrix.(model.Formed); ok {
			p.forms[s.Name], expanded[s.Name] = s.Matrix, model.Expand(s.Matrix)
		}
	}
	var err error
	if p.dense, err = m.With(expanded); err != nil {
		return nil, err
	}
	for _, a := range p.dense.Arrays() {
		p.arrays[a.Name] = a
	}
	return p, nil
}

// assemble makes a model of the parts.
func (p *parts) assemble() (*model.Model, error) {
	arrays := make([]model.Array, 0, len(p.arrays))
	for _, a := range p.arrays {
		arrays = append(arrays, a)
	}
	m, err := model.Reshaped(p.cfg, arrays)
	if err != nil || len(p.forms) == 0 {
		return m, err
	}
	return m.With(p.forms)
}

// cut keeps some outputs and inputs of the matrix in a slot, in their order; nil
// keeps all.
func (p *parts) cut(slot string, outputs, inputs []int) error {
	if l, ok := p.forms[slot]; ok {
		masked, ok := l.(*model.Masked)
		if !ok {
			return uncut(slot, l.(model.Formed).Form().Kind())
		}
		l, err := model.NewMasked(cutDense(&masked.Dense, outputs, inputs), cutMask(masked, outputs, inputs))
		if err != nil {
			return err
		}
		p.forms[slot] = l
	}
	w := p.arrays[slot+".weight"]
	bias := p.arrays[slot+".bias"]
	d := cutDense(&model.Dense{Out: w.Shape[0], In: w.Shape[1], Weight: w.Data, Bias: bias.Data}, outputs, inputs)
	p.arrays[slot+".weight"] = model.Array{Name: w.Name, Shape: []int{d.Out, d.In}, Data: d.Weight}
	if bias.Data != nil {
		p.arrays[slot+".bias"] = model.Array{Name: bias.Name, Shape: []int{d.Out}, Data: d.Bias}
	}
	return nil
}

func uncut(slot, kind string) error {
	return fmt.Errorf("%s is in form %s, which cannot be cut: remove heads and hidden units before matrices are changed", slot, kind)
}

// cutOutline is o in a shape of which the matrices of a part of every block are
// smaller. How many weights of one with a mask are left shows only then.
func cutOutline(o model.Outline, cfg arch.Config, part string) (model.Outline, error) {
	var places []model.Place
	for _, p := range o.Slots() {
		_, name, _ := strings.Cut(strings.TrimPrefix(p.Name, "blocks."), ".")
		if p.Form == nil || p.Block < 0 || !strings.HasPrefix(name, part) {
			continue
		}
		if p.Kind() != "masked" {
			return o, uncut(p.Name, p.Kind())
		}
		p.Form, p.Open = maskedForm, true
		places = append(places, p)
	}
	next := o.With(places...)
	next.Config = cfg
	return next, nil
}

// maskedForm is the form of a matrix with a mask.
var maskedForm = func() model.Form {
	empty, err := model.Forms.Get("masked")
	if err != nil {
		panic("compress: " + err.Error())
	}
	return empty()
}()

func cutDense(w *model.Dense, outputs, inputs []int) *model.Dense {
	outputs, inputs = orAll(outputs, w.Out), orAll(inputs, w.In)
	d := &model.Dense{Out: len(outputs), In: len(inputs)}
	for _, r := range outputs {
		for _, i := range inputs {
			d.Weight = append(d.Weight, w.Row(r)[i])
		}
		if w.Bias != nil {
			d.Bias = append(d.Bias, w.Bias[r])
		}
	}
	return d
}

func cutMask(w *model.Masked, outputs, inputs []int) (keep []bool) {
	for _, r := range orAll(outputs, w.Out) {
		for _, i := range orAll(inputs, w.In) {
			keep = append(keep, w.Keeps(r, i))
		}
	}
	return keep
}

// orAll is chosen or, where that is nil, all the numbers below n.
func orAll(chosen []int, n int) []int {
	if chosen != nil {
		return chosen
	}
	return spread([]int{0}, n)
}

// spread lists the numbers of all channels of units that have so many each.
func spread(units []int, each int) []int {
	channels := make([]int, 0, len(units)*each)
	for _, u := range units {
		for i := range each {
			channels = append(channels, u*each+i)
		}
	}
	return channels
}

// blockSlot names a matrix of a block.
func blockSlot(block int, part string) string { return fmt.Sprintf("blocks.%d.%s", block, part) }

// moveBlocks lets block i of the result be block from[i].
func (p *parts) moveBlocks(from []int) {
	arrays, forms := map[string]model.Array{}, map[string]model.Linear{}
	for name, a := range p.arrays {
		if !strings.HasPrefix(name, "blocks.") {
			arrays[name] = a
		}
		for to, block := range from {
			if part, ok := strings.CutPrefix(name, blockSlot(block, "")); ok {
				a.Name = blockSlot(to, part)
				arrays[a.Name] = a
			}
		}
	}
	for slot, l := range p.forms {
		if !strings.HasPrefix(slot, "blocks.") {
			forms[slot] = l
		}
		for to, block := range from {
			if part, ok := strings.CutPrefix(slot, blockSlot(block, "")); ok {
				forms[blockSlot(to, part)] = l
			}
		}
	}
	p.arrays, p.forms = arrays, forms
}

// checkShare reports a share of units, layers or the like that cannot be kept.
func checkShare(keep float64) error {
	if keep > 0 && keep <= 1 {
		return nil
	}
	return fmt.Errorf("keep=%v: a share above 0 and up to 1 is wanted", keep)
}

// remaining is how many of n stay: the nearest to their share, of two the fewer, at
// least one. That nothing would be removed is an error.
func remaining(keep float64, n int, what string) (int, error) {
	kept := max(1, int(math.Ceil(float64(keep*float64(n))-0.5)))
	if kept == n && keep < 1 {
		return 0, fmt.Errorf("keep=%v of %d %s removes none", keep, n, what)
	}
	return kept, nil
}

// greatest lists the n units of greatest importance in their order, of equal ones
// the first.
func greatest(importance []float64, n int) (kept []int) {
	marks := make([]bool, len(importance))
	keepGreatest(marks, importance, n)
	for i, k := range marks {
		if k {
			kept = append(kept, i)
		}
	}
	return kept
}

// errBroken says that importance is no number.
var errBroken = errors.New("the calibration text makes the model compute NaN or Inf: the model is broken, or the text is not for it")
