package model

import (
	"fmt"
	"slices"

	"plumb/kernels"
)

func init() { Forms.Add("nmpanel", func() Form { return &nmPanelForm{} }) }

// PanelRows is how many neighbouring outputs of a PanelNM share their places.
const PanelRows = 32

// A PanelNM matrix [out, in] has weights for N of every M neighbouring inputs,
// the same for each panel of 32 neighbouring outputs. Its products leave out the
// other inputs altogether, so that it saves work as well as memory.
type PanelNM struct {
	out, in int
	form    nmPanelForm
	weight  []float32 // [out, in/M·N]
	places  []byte    // [panels, rowBytes(in/M·N, bits)] within M inputs
	bias    []float32
	laid    *kernels.Picked // made when first multiplied
}

// nmPanelForm is the form of PanelNM.
type nmPanelForm struct{ pattern }

// NewPanelNM returns w in the pattern n of every m inputs, which each panel of 32
// of its outputs must have. It shares no memory with w.
func NewPanelNM(w *Dense, n, m int) (*PanelNM, error) {
	form := nmPanelForm{pattern{n, m}}
	arrays, err := form.Arrays(w.Out, w.In)
	if err != nil {
		return nil, err
	}
	kept := form.kept(w.In)
	width := rowBytes(kept, form.bits())
	arrays[0].Data, arrays[1].Bytes = make([]float32, 0, w.Out*kept), make([]byte, panelsOf(w.Out)*width)
	places := make([]uint8, kept)
	for r := range w.Out {
		if r%PanelRows == 0 {
			if err := form.places(places, w.Weight[r*w.In:min(w.Out, r+PanelRows)*w.In], w.In); err != nil {
				return nil, fmt.Errorf("the panel of output %d: %w", r, err)
			}
			packBits(arrays[1].Bytes[r/PanelRows*width:][:width], places, form.bits())
		}
		for i, p := range places {
			arrays[0].Data = append(arrays[0].Data, w.Row(r)[form.column(i, p)])
		}
	}
	l, err := form.Bind(w.Out, w.In, arrays, Bias{Data: slices.Clone(w.Bias)})
	if err != nil {
		return nil, err
	}
	return l.(*PanelNM), nil
}

func panelsOf(out int) int { return (out + PanelRows - 1) / PanelRows }

func (f *nmPanelForm) Kind() string { return "nmpanel" }

func (f *nmPanelForm) Arrays(out, in int) ([]Stored, error) {
	if err := f.check(out, in); err != nil {
		return nil, err
	}
	kept := f.kept(in)
	return []Stored{
		{Name: "weight", DType: "F32", Shape: []int{out, kept}, Fixed: true, Weights: out * kept},
		{Name: "places", DType: "U8", Shape: []int{panelsOf(out), rowBytes(kept, f.bits())}, Fixed: true},
	}, nil
}

func (f *nmPanelForm) Bind(out, in int, arrays []Stored, bias Bias) (Linear, error) {
	l := &PanelNM{out: out, in: in, form: *f, weight: arrays[0].Data, places: arrays[1].Bytes, bias: bias.Data}
	places := make([]uint8, f.kept(in))
	for panel := range panelsOf(out) {
		if err := l.panel(places, panel); err != nil {
			return nil, fmt.Errorf("panel %d: %w", panel, err)
		}
	}
	return l, nil
}

// panel reads the places of a panel.
func (l *PanelNM) panel(places []uint8, panel int) error {
	width := rowBytes(len(places), l.form.bits())
	return l.form.unpack(places, l.places[panel*width:(panel+1)*width])
}

// Shape implements Linear.
func (l *PanelNM) Shape() (out, in int) { return l.out, l.in }

// picked lays the weights out for products, in memory of their own.
func (l *PanelNM) picked() *kernels.Picked {
	if l.laid == nil {
		l.laid = l.layIn(slices.Clone(l.weight))
	}
	return l.laid
}

// layIn lays out weights in their own memory.
func (l *PanelNM) layIn(weight []float32) *kernels.Picked {
	kept := l.form.kept(l.in)
	places, columns := make([]uint8, kept), make([]int32, 0, panelsOf(l.out)*kept)
	for panel := range panelsOf(l.out) {
		l.mustPanel(places, panel)
		for i, p := range places {
			columns = append(columns, int32(l.form.column(i, p)))
		}
	}
	return kernels.PackPicked(weight, columns, l.out, kept, l.in)
}

// mustPanel is panel for places that were checked.
func (l *PanelNM) mustPanel(places []uint8, panel int) {
	if err := l.panel(places, panel); err != nil {
		panic("model: places that were sound before: " + err.Error())
	}
}

// Forward implements Linear.
func (l *PanelNM) Forward(dst, x []float32, rows int) {
	kernels.MatMulPicked(dst[:rows*l.out], x[:rows*l.in], l.picked(), rows)
	addBias(dst, l.bias, rows)
}

// ForwardAdd implements adder.
func (l *PanelNM) ForwardAdd(dst, x []float32, rows int) {
	kernels.MatMulPickedAdd(dst[:rows*l.out], x[:rows*l.in], l.picked(), rows)
	addBias(dst, l.bias, rows)
}

// MACs returns the multiply-adds of a row's product: those of weights.
func (l *PanelNM) MACs() int { return l.out * l.form.kept(l.in) }

// LookUp implements Table.
func (l *PanelNM) LookUp(dst []float32, tokens []int32) {
	for i, token := range tokens {
		l.picked().Row(dst[i*l.in:], int(token))
	}
}

// freeze lays the weights out where they are stored.
func (l *PanelNM) freeze() Linear {
	l.laid = l.layIn(l.weight)
	l.weight, l.places = nil, nil
	return l
}

// Form implements Formed.
func (l *PanelNM) Form() Form { return &l.form }

// Values implements Formed.
func (l *PanelNM) Values() ([]Stored, []float32) {
	arrays := mustArrays(l.Form(), l.out, l.in)
	arrays[0].Data, arrays[1].Bytes = l.weight, l.places
	return arrays, l.bias
}

// Expand implements Formed.
func (l *PanelNM) Expand() *Dense {
	d := &Dense{Out: l.out, In: l.in, Weight: make([]float32, l.out*l.in), Bias: slices.Clone(l.bias)}
	places := make([]uint8, l.form.kept(l.in))
	for r := range l.out {
		if r%PanelRows == 0 {
			l.mustPanel(places, r/PanelRows)
		}
		for i, p := range places {
			d.Row(r)[l.form.column(i, p)] = l.weight[r*len(places)+i]
		}
	}
	return d
}
