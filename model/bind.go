package model

import (
	"cmp"
	"fmt"
	"math"
	"strings"

	"plumb/arch"
	"plumb/kernels"
)

// A binder hands out the arrays of a model in the order of the layout.
type binder struct {
	rest  []Param
	forms map[string]Form
	err   error // the first that a form reported
}

func (b *binder) next() (data, grad []float32) {
	p := b.rest[0]
	b.rest = b.rest[1:]
	return p.Data, p.Grad
}

// linear binds the matrix whose arrays come next, in the form that it is in.
func (b *binder) linear(out, in int, bias bool) Linear {
	slot := b.rest[0].slot
	if form := b.forms[slot]; form != nil {
		return b.formed(slot, form, out, in, bias)
	}
	d := &Dense{Out: out, In: in}
	d.Weight, d.gradWeight = b.next()
	if bias {
		d.Bias, d.gradBias = b.next()
	}
	return d
}

func (b *binder) formed(slot string, form Form, out, in int, bias bool) Linear {
	arrays, err := form.Arrays(out, in)
	for i := range arrays {
		arrays[i].Bytes = b.rest[0].bytes
		arrays[i].Data, arrays[i].Grad = b.next()
	}
	var offset Bias
	if bias {
		offset.Data, offset.Grad = b.next()
	}
	var l Linear
	if err == nil {
		l, err = form.Bind(out, in, arrays, offset)
	}
	if err != nil && b.err == nil {
		b.err = fmt.Errorf("%s as %s: %w", slot, form.Kind(), err)
	}
	return l
}

// table binds the token table.
func (b *binder) table(c arch.Config) Table {
	l := b.linear(c.Vocab, c.TokenWidth(), false)
	if l != nil && !hasRows(l) && b.err == nil {
		b.err = fmt.Errorf("embedding as %s: this form has no rows to look up", b.forms["embedding"].Kind())
	}
	t, _ := l.(Table)
	return t
}

func (b *binder) norm(c arch.Config) *norm {
	n := &norm{eps: float32(c.NormEps)}
	n.gain, n.gradGain = b.next()
	if c.Norm == "layernorm" {
		n.bias, n.gradBias = b.next()
	}
	return n
}

// norms binds those of a block whose names begin with part.
func (b *binder) norms(into *norms, c arch.Config, part string) {
	for _, place := range places(c) {
		if strings.HasPrefix(place.name, part) {
			*place.in(into) = b.norm(c)
		}
	}
}

// head binds the output matrix, whose weights are the token table where it is
// tied.
func (b *binder) head(c arch.Config, table Table) Linear {
	if !c.TiedHead {
		return b.linear(c.Vocab, c.TokenWidth(), c.HeadBias)
	}
	if !c.HeadBias {
		return table
	}
	tied, ok := table.(*Dense)
	if !ok && b.err == nil {
		b.err = fmt.Errorf("embedding as %s: a table that is also an output matrix with a bias can only be dense", b.forms["embedding"].Kind())
		tied = &Dense{}
	}
	d := *tied
	d.Bias, d.gradBias = b.next()
	return &d
}

// bind points the parts of m at their arrays.
func (m *Model) bind() error {
	c, b := m.cfg, &binder{rest: m.arrays, forms: m.forms}
	m.table = b.table(c)
	if c.Projected() {
		m.projectIn = b.linear(c.Width, c.TokenWidth(), false)
	}
	if c.Position == "learned" {
		m.position, m.gradPos = b.next()
		m.position = m.position[c.PositionOffset*c.Width:]
		m.gradPos = m.gradPos[min(len(m.gradPos), c.PositionOffset*c.Width):]
	}
	m.blocks = make([]*block, c.BlockCount())
	heads := layerHeads(c)
	for i := range m.blocks {
		m.blocks[i] = bindBlock(c, b, heads)
	}
	if !c.NoOuterNorm {
		m.norm = b.norm(c)
	}
	if c.Projected() {
		m.projectOut = b.linear(c.TokenWidth(), c.Width, false)
	}
	m.head = b.head(c, m.table)
	if len(b.rest) != 0 {
		panic(fmt.Sprintf("model: %d arrays of the layout were not bound", len(b.rest)))
	}
	return b.err
}

func bindBlock(c arch.Config, b *binder, heads []kernels.Heads) *block {
	queries, keys := c.Heads*c.HeadDim, c.KVHeads*c.HeadDim
	var n norms
	b.norms(&n, c, "attention.")
	a := &attention{heads: heads}
	a.q = b.linear(queries, c.Width, c.QKVBias)
	a.k = b.linear(keys, c.Width, c.QKVBias)
	a.v = b.linear(keys, c.Width, c.QKVBias)
	a.out = b.linear(c.Width, queries, c.OutBias)
	b.norms(&n, c, "ffn.")
	f := b.feedForward(c)
	switch {
	case !c.ParallelResidual:
		return inSequence(n, a, f)
	case c.BlockNorms() == 1:
		return inParallelOfOne(n, a, f)
	}
	return inParallel(n, a, f)
}

func (b *binder) feedForward(c arch.Config) *feedForward {
	act, err := activations.Get(c.Activation)
	if err != nil {
		panic("model: " + err.Error())
	}
	f := &feedForward{act: act}
	if c.Gated() {
		f.gate = b.linear(c.Hidden, c.Width, c.FFNBias)
	}
	f.up = b.linear(c.Hidden, c.Width, c.FFNBias)
	f.down = b.linear(c.Width, c.Hidden, c.FFNBias)
	return f
}

// layerHeads returns the shape of attention in each layer.
func layerHeads(c arch.Config) []kernels.Heads {
	scale := cmp.Or(c.AttentionScale, 1/math.Sqrt(float64(c.HeadDim)))
	all := make([]kernels.Heads, c.Layers)
	for layer := range all {
		all[layer] = kernels.Heads{
			Query: c.Heads, KV: c.KVHeads, Dim: c.HeadDim, Scale: float32(scale),
			Window: c.LayerWindow(layer), SoftCap: float32(c.AttentionSoftCap),
		}
		if c.ScaleByLayer {
			all[layer].Scale = float32(scale / float64(layer+1))
		}
	}
	return all
}
