package model

import "plumb/kernels"

// Packed is a dense matrix in the order in which products read it, which saves
// packing it anew in every product. It gives the bits of Dense and cannot be
// trained.
type Packed struct {
	weight *kernels.Packed
	bias   []float32 // [out], or nil
}

// pack returns d in packed form. The memory of d's weights is used for it.
func (d *Dense) pack() *Packed {
	return &Packed{weight: kernels.Pack(d.Weight, d.Out, d.In), bias: d.Bias}
}

// Shape implements Linear.
func (p *Packed) Shape() (out, in int) { return p.weight.Shape() }

// Forward implements Linear.
func (p *Packed) Forward(dst, x []float32, rows int) {
	out, in := p.weight.Shape()
	kernels.MatMulPacked(dst[:rows*out], x[:rows*in], p.weight, rows)
	p.addBias(dst[:rows*out])
}

// ForwardAdd implements adder.
func (p *Packed) ForwardAdd(dst, x []float32, rows int) {
	out, in := p.weight.Shape()
	kernels.MatMulPackedAdd(dst[:rows*out], x[:rows*in], p.weight, rows)
	p.addBias(dst[:rows*out])
}

// LookUp implements Table.
func (p *Packed) LookUp(dst []float32, tokens []int32) {
	kernels.EmbeddingPacked(dst, p.weight, tokens)
}

func (p *Packed) addBias(dst []float32) {
	if p.bias != nil {
		kernels.AddBias(dst, p.bias)
	}
}

// Freeze packs every matrix of m, dense ones in their own memory, for scoring and
// generating: they get faster and give the same bits. A frozen model has no
// Params and cannot be trained or saved.
func (m *Model) Freeze() {
	if m.frozen {
		return
	}
	m.frozen = true
	freeze(&m.projectIn)
	freeze(&m.projectOut)
	freeze(&m.head)
	if m.cfg.TiedHead {
		m.table = m.head.(Table)
	}
	for _, b := range m.blocks {
		for _, l := range b.matrices() {
			freeze(l)
		}
	}
	for i := range m.arrays {
		m.arrays[i].bytes = nil // matrices that need theirs have them
	}
	m.adjoin()
}

// A freezer is a matrix with something to prepare before it only scores and
// generates. freeze returns what takes its place and may use its memory.
type freezer interface{ freeze() Linear }

func (d *Dense) freeze() Linear { return d.pack() }

// freeze prepares l where it has something to prepare.
func freeze(l *Linear) {
	if f, ok := (*l).(freezer); ok {
		*l = f.freeze()
	}
}

// adjoin lays matrices of whole numbers one behind the other in the order in which
// a token reads them, in huge pages, which most of them would be too small for. A
// model that lies in a cache stays as it is: for both copies at a time, and then for
// pages of 2 MiB, it would take more memory than its speed is worth.
func (m *Model) adjoin() {
	var all []*kernels.Grouped
	for _, b := range m.blocks {
		for _, l := range b.matrices() {
			all = appendGrouped(all, *l)
		}
	}
	all = appendGrouped(all, m.head)
	weights := 0
	for _, w := range all {
		n, k := w.Shape()
		weights += n * k
	}
	if weights >= leastAdjoined {
		kernels.Adjoin(all)
	}
}

// leastAdjoined weights take 16 MiB in 4 bits.
const leastAdjoined = 32 << 20

// appendGrouped appends l, if it is laid out as whole numbers, or its factors.
func appendGrouped(all []*kernels.Grouped, l Linear) []*kernels.Grouped {
	switch l := l.(type) {
	case interface{ grouped() *kernels.Grouped }:
		return append(all, l.grouped())
	case Factored:
		for _, f := range l.Factors() {
			all = appendGrouped(all, f.Matrix)
		}
	}
	return all
}

// matrices lists where b keeps its matrices, without those that it lacks.
func (b *block) matrices() []*Linear {
	a, f := b.attention, b.feedForward
	all := []*Linear{&a.q, &a.k, &a.v, &a.out}
	if f.gate != nil {
		all = append(all, &f.gate)
	}
	return append(all, &f.up, &f.down)
}

// mustNotBeFrozen panics in the name of method for a frozen model.
func (m *Model) mustNotBeFrozen(method string) {
	if m.frozen {
		panic("model: " + method + " of a frozen model, whose matrices are packed")
	}
}
