package model

import (
	"cmp"
	"fmt"
	"math"
	"strings"

	"plumb/arch"
	"plumb/kernels"
)

// A binder hands out the parameters in the order of layout.
type binder struct{ rest []Param }

func (b *binder) next() (data, grad []float32) {
	p := b.rest[0]
	b.rest = b.rest[1:]
	return p.Data, p.Grad
}

func (b *binder) linear(out, in int, bias bool) *Dense {
	d := &Dense{Out: out, In: in}
	d.Weight, d.gradWeight = b.next()
	if bias {
		d.Bias, d.gradBias = b.next()
	}
	return d
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
func (b *binder) head(c arch.Config, embedding, gradEmbedding []float32) *Dense {
	d := &Dense{Out: c.Vocab, In: c.TokenWidth(), Weight: embedding, gradWeight: gradEmbedding}
	if !c.TiedHead {
		d.Weight, d.gradWeight = b.next()
	}
	if c.HeadBias {
		d.Bias, d.gradBias = b.next()
	}
	return d
}

// bind points the parts of m at their parameters.
func (m *Model) bind() {
	c, b := m.cfg, &binder{m.params}
	m.embedding, m.gradEmbed = b.next()
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
	m.head = b.head(c, m.embedding, m.gradEmbed)
	if len(b.rest) != 0 {
		panic(fmt.Sprintf("model: %d parameters of the layout were not bound", len(b.rest)))
	}
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
