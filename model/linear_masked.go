package model

import "fmt"

func init() { Forms.Add("masked", func() Form { return &maskedForm{} }) }

// A Masked matrix is a dense one of which some weights are 0 and stay 0 while it
// is trained. It is stored as a dense matrix with a bit for each weight, and so
// takes more memory than one: it is what pruning leaves for healing.
type Masked struct {
	Dense
	form maskedForm
	mask []byte // [out, rowBytes(in, 1)], 1 for the weights that are kept
}

// maskedForm is the form of Masked.
type maskedForm struct {
	Kept int `json:"kept"` // weights
}

// NewMasked returns w with a mask: keep [out, in] says which weights are kept,
// the others become 0; nil keeps those of w that are not 0. It shares no memory
// with w.
func NewMasked(w *Dense, keep []bool) (*Masked, error) {
	if keep != nil && len(keep) != len(w.Weight) {
		return nil, fmt.Errorf("a mask of %d weights for a matrix [%d, %d]", len(keep), w.Out, w.In)
	}
	l := &Masked{Dense: *w.Clone(), mask: make([]byte, w.Out*rowBytes(w.In, 1))}
	for r := range l.Out {
		row, bits := l.Row(r), l.bits(r)
		for i := range row {
			if keep == nil && row[i] != 0 || keep != nil && keep[r*l.In+i] {
				bits[i/8] |= 1 << (i % 8)
				l.form.Kept++
			} else {
				row[i] = 0
			}
		}
	}
	return l, nil
}

// Kept is how many weights are not masked.
func (l *Masked) Kept() int { return l.form.Kept }

// Keeps reports whether the weight of output r and input i is not masked.
func (l *Masked) Keeps(r, i int) bool { return l.bits(r)[i/8]>>(i%8)&1 == 1 }

// bits is the mask of row r.
func (l *Masked) bits(r int) []byte {
	width := rowBytes(l.In, 1)
	return l.mask[r*width : (r+1)*width]
}

// clear sets what is masked to 0 in x [out, in].
func (l *Masked) clear(x []float32) {
	for r := range l.Out {
		row := x[r*l.In : (r+1)*l.In]
		for at, bits := range l.bits(r) {
			for i := 8 * at; bits != 0xFF && i < min(8*at+8, l.In); i++ {
				if bits>>(i%8)&1 == 0 {
					row[i] = 0
				}
			}
		}
	}
}

// Backward implements trainable.
func (l *Masked) Backward(dx, dy, x []float32, rows int) {
	l.Dense.Backward(dx, dy, x, rows)
	l.clear(l.gradWeight)
}

// BackwardAdd implements trainable.
func (l *Masked) BackwardAdd(dx, dy, x []float32, rows int) {
	l.Dense.BackwardAdd(dx, dy, x, rows)
	l.clear(l.gradWeight)
}

// LookUpBack implements trainableTable.
func (l *Masked) LookUpBack(dy []float32, tokens []int32) {
	l.Dense.LookUpBack(dy, tokens)
	l.clear(l.gradWeight)
}

// Form implements Formed.
func (l *Masked) Form() Form { return &l.form }

// Values implements Formed.
func (l *Masked) Values() ([]Stored, []float32) {
	arrays := mustArrays(l.Form(), l.Out, l.In)
	arrays[0].Data, arrays[1].Bytes = l.Weight, l.mask
	return arrays, l.Bias
}

// Expand implements Formed.
func (l *Masked) Expand() *Dense { return l.Dense.Clone() }

func (f *maskedForm) Kind() string { return "masked" }

func (f *maskedForm) Arrays(out, in int) ([]Stored, error) {
	if f.Kept < 0 || f.Kept > out*in {
		return nil, fmt.Errorf("%d weights kept of a matrix [%d, %d]", f.Kept, out, in)
	}
	return []Stored{
		{Name: "weight", DType: "F32", Shape: []int{out, in}, Weights: f.Kept},
		{Name: "mask", DType: "U8", Shape: []int{out, rowBytes(in, 1)}, Fixed: true},
	}, nil
}

func (f *maskedForm) Bind(out, in int, arrays []Stored, bias Bias) (Linear, error) {
	l := &Masked{form: *f, mask: arrays[1].Bytes}
	l.Dense = Dense{Out: out, In: in, Weight: arrays[0].Data, gradWeight: arrays[0].Grad, Bias: bias.Data, gradBias: bias.Grad}
	kept := 0
	for r := range out {
		for i, w := range l.Row(r) {
			if l.Keeps(r, i) {
				kept++
			} else if w != 0 {
				return nil, fmt.Errorf("the weight of output %d and input %d is %v, but it is masked", r, i, w)
			}
		}
	}
	if kept != f.Kept {
		return nil, fmt.Errorf("the mask keeps %d weights, %d are said to be kept", kept, f.Kept)
	}
	return l, nil
}
