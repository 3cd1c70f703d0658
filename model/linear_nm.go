package model

import (
	"fmt"
	"slices"

	"plumb/kernels"
)

func init() { Forms.Add("nm", func() Form { return &nmForm{} }) }

// An NM matrix [out, in] has weights for N of every M neighbouring inputs, others
// in each row. It stores these weights and their places.
type NM struct {
	out, in int
	form    nmForm
	weight  []float32 // [out, in/M·N]
	places  []byte    // [out, rowBytes(in/M·N, bits)] within M inputs
	bias    []float32
	dense   *Dense // what is multiplied with
}

// nmForm is the form of NM.
type nmForm struct{ pattern }

// NewNM returns w in the pattern n of every m inputs, which it must have. It
// shares no memory with w.
func NewNM(w *Dense, n, m int) (*NM, error) {
	form := nmForm{pattern{n, m}}
	arrays, err := form.Arrays(w.Out, w.In)
	if err != nil {
		return nil, err
	}
	kept := form.kept(w.In)
	width := rowBytes(kept, form.bits())
	arrays[0].Data, arrays[1].Bytes = make([]float32, 0, w.Out*kept), make([]byte, w.Out*width)
	places := make([]uint8, kept)
	for r := range w.Out {
		if err := form.places(places, w.Row(r), w.In); err != nil {
			return nil, fmt.Errorf("output %d: %w", r, err)
		}
		packBits(arrays[1].Bytes[r*width:(r+1)*width], places, form.bits())
		for i, p := range places {
			arrays[0].Data = append(arrays[0].Data, w.Row(r)[form.column(i, p)])
		}
	}
	l, err := form.Bind(w.Out, w.In, arrays, Bias{Data: slices.Clone(w.Bias)})
	if err != nil {
		return nil, err
	}
	return l.(*NM), nil
}

func (f *nmForm) Kind() string { return "nm" }

func (f *nmForm) Arrays(out, in int) ([]Stored, error) {
	if err := f.check(out, in); err != nil {
		return nil, err
	}
	kept := f.kept(in)
	return []Stored{
		{Name: "weight", DType: "F32", Shape: []int{out, kept}, Fixed: true, Weights: out * kept},
		{Name: "places", DType: "U8", Shape: []int{out, rowBytes(kept, f.bits())}, Fixed: true},
	}, nil
}

func (f *nmForm) Bind(out, in int, arrays []Stored, bias Bias) (Linear, error) {
	l := &NM{out: out, in: in, form: *f, weight: arrays[0].Data, places: arrays[1].Bytes, bias: bias.Data}
	places := make([]uint8, f.kept(in))
	for r := range out {
		if err := l.row(places, r); err != nil {
			return nil, fmt.Errorf("output %d: %w", r, err)
		}
	}
	return l, nil
}

// row reads the places of row r.
func (l *NM) row(places []uint8, r int) error {
	width := rowBytes(len(places), l.form.bits())
	return l.form.unpack(places, l.places[r*width:(r+1)*width])
}

// Shape implements Linear.
func (l *NM) Shape() (out, in int) { return l.out, l.in }

// Forward implements Linear.
func (l *NM) Forward(dst, x []float32, rows int) { l.expanded().Forward(dst, x, rows) }

// ForwardAdd implements adder.
func (l *NM) ForwardAdd(dst, x []float32, rows int) { l.expanded().ForwardAdd(dst, x, rows) }

func (l *NM) expanded() *Dense {
	if l.dense == nil {
		l.dense = l.Expand()
	}
	return l.dense
}

// LookUp implements Table.
func (l *NM) LookUp(dst []float32, tokens []int32) {
	kernels.Embedding(dst, l.expanded().Weight, tokens)
}

// freeze becomes the dense matrix.
func (l *NM) freeze() Linear { return l.expanded().pack() }

// Form implements Formed.
func (l *NM) Form() Form { return &l.form }

// Values implements Formed.
func (l *NM) Values() ([]Stored, []float32) {
	arrays := mustArrays(l.Form(), l.out, l.in)
	arrays[0].Data, arrays[1].Bytes = l.weight, l.places
	return arrays, l.bias
}

// Expand implements Formed.
func (l *NM) Expand() *Dense {
	d := &Dense{Out: l.out, In: l.in, Weight: make([]float32, l.out*l.in), Bias: slices.Clone(l.bias)}
	places := make([]uint8, l.form.kept(l.in))
	for r := range l.out {
		if err := l.row(places, r); err != nil {
			panic("model: places that were sound before: " + err.Error())
		}
		for i, p := range places {
			d.Row(r)[l.form.column(i, p)] = l.weight[r*len(places)+i]
		}
	}
	return d
}
