package model

import (
	"fmt"
	"slices"

	"plumb/kernels"
)

func init() { Forms.Add("w8a8", func() Form { return &w8a8Form{} }) }

// A W8A8 matrix holds whole numbers of 8 bits and a scale for each row, and
// rounds what it is multiplied with to 8 bits too, each row of it with its own
// scale or all with a fixed one. kernels.MatMulW8A8 defines its products.
//
// Some input columns may be kept in float32 and out of the rounding (Dettmers
// et al. 2022, section 3.2).
type W8A8 struct {
	out, in  int
	form     w8a8Form
	weight   []byte    // [out, in] int8, 0 in the columns that are kept
	scale    []float32 // [out]
	columns  []int32   // [kept], increasing
	kept     *Dense    // [out, kept], nil for none
	bias     []float32
	laid     *kernels.Grouped
	fast     adder // what multiplies with kept
	rest     []float32
	outliers []float32
}

// w8a8Form is the form of W8A8.
type w8a8Form struct {
	Kept  int     `json:"kept"`  // columns in float32
	Scale float32 `json:"scale"` // of what comes in; 0 for one made for each row
}

// W8A8Form is the form of a W8A8 matrix that keeps so many columns in float32, for
// sizes to be foreseen.
func W8A8Form(kept int) Form { return &w8a8Form{Kept: kept} }

// NewW8A8 returns the matrix [out, in] of rows scales[r]·q, for q in [-127, 127].
// scale is the fixed one of what comes in, 0 to have each row find its own. The
// columns listed, in increasing order, have the weights kept [out, columns]
// instead of q, which is 0 there. bias is nil for none.
func NewW8A8(q []int8, scales []float32, scale float32, columns []int32, kept, bias []float32, out, in int) (*W8A8, error) {
	form := w8a8Form{Kept: len(columns), Scale: scale}
	arrays, err := form.Arrays(out, in)
	if err != nil {
		return nil, err
	}
	if len(q) != out*in || len(scales) != out || len(kept) != out*len(columns) {
		return nil, fmt.Errorf("%d numbers, %d scales and %d kept weights of a matrix [%d, %d] with %d kept columns", len(q), len(scales), len(kept), out, in, len(columns))
	}
	arrays[0].Bytes = alignedBytes(len(q))
	for i, v := range q {
		arrays[0].Bytes[i] = byte(v)
	}
	arrays[1].Data = slices.Clone(scales)
	if len(columns) > 0 {
		arrays[2].Bytes, arrays[3].Data = int32Bytes(columns), slices.Clone(kept)
	}
	l, err := form.Bind(out, in, arrays, Bias{Data: bias})
	if err != nil {
		return nil, err
	}
	return l.(*W8A8), nil
}

func (f *w8a8Form) Kind() string { return "w8a8" }

func (f *w8a8Form) Arrays(out, in int) ([]Stored, error) {
	switch {
	case out < 1 || in < 1 || in > kernels.MostInts:
		return nil, fmt.Errorf("a matrix [%d, %d]: at most %d inputs are possible", out, in, kernels.MostInts)
	case f.Kept < 0 || f.Kept > in:
		return nil, fmt.Errorf("%d kept columns of %d", f.Kept, in)
	case f.Scale != 0 && !(f.Scale > 1e-30 && f.Scale < 1e30):
		return nil, fmt.Errorf("scale %v of what comes in: 0 or a positive number is wanted", f.Scale)
	}
	arrays := []Stored{
		{Name: "weight", DType: "I8", Shape: []int{out, in}, Fixed: true, Weights: out * (in - f.Kept)},
		{Name: "scale", DType: "F32", Shape: []int{out}, Fixed: true},
	}
	if f.Kept > 0 {
		arrays = append(arrays,
			Stored{Name: "columns", DType: "I32", Shape: []int{f.Kept}, Fixed: true},
			Stored{Name: "kept", DType: "F32", Shape: []int{out, f.Kept}, Fixed: true, Weights: out * f.Kept})
	}
	return arrays, nil
}

func (f *w8a8Form) Bind(out, in int, arrays []Stored, bias Bias) (Linear, error) {
	l := &W8A8{out: out, in: in, form: *f, weight: arrays[0].Bytes, scale: arrays[1].Data, bias: bias.Data}
	if !kernels.AllFinite(l.scale) {
		return nil, fmt.Errorf("a scale is NaN or infinite")
	}
	if slices.Contains(l.weight, 0x80) {
		return nil, fmt.Errorf("a weight of -128: -127 is the least")
	}
	if f.Kept == 0 {
		return l, nil
	}
	l.columns = int32s(arrays[2].Bytes)
	l.kept = &Dense{Out: out, In: f.Kept, Weight: arrays[3].Data}
	l.fast = l.kept
	last := int32(-1)
	for _, c := range l.columns {
		if c <= last || int(c) >= in {
			return nil, fmt.Errorf("kept column %d behind %d: columns increase and are below %d", c, last, in)
		}
		for r := range out {
			if l.weight[r*in+int(c)] != 0 {
				return nil, fmt.Errorf("row %d has a weight of 8 bits in column %d, which is kept", r, c)
			}
		}
		last = c
	}
	return l, nil
}

// Shape implements Linear.
func (l *W8A8) Shape() (out, in int) { return l.out, l.in }

// grouped lays the numbers out for products.
func (l *W8A8) grouped() *kernels.Grouped {
	if l.laid == nil {
		l.laid = kernels.PackGrouped(kernels.GroupedSource{
			N: l.out, K: l.in, Bits: 8, Group: l.in, Scales: l.scale,
			Row: func(dst []uint8, r int) {
				for i, v := range l.weight[r*l.in : (r+1)*l.in] {
					dst[i] = v ^ 0x80
				}
			},
		})
	}
	return l.laid
}

// split parts x into what is rounded and, in l.outliers, the columns that are
// not.
func (l *W8A8) split(x []float32, rows int) []float32 {
	x = x[:rows*l.in]
	if l.kept == nil {
		return x
	}
	l.rest = append(l.rest[:0], x...)
	l.outliers = room(l.outliers, rows*len(l.columns))
	for r := range rows {
		for i, c := range l.columns {
			at := r*l.in + int(c)
			l.outliers[r*len(l.columns)+i], l.rest[at] = x[at], 0
		}
	}
	return l.rest
}

// Forward implements Linear.
func (l *W8A8) Forward(dst, x []float32, rows int) {
	kernels.MatMulW8A8(dst[:rows*l.out], l.split(x, rows), l.grouped(), rows, l.form.Scale)
	l.finish(dst, rows)
}

// ForwardAdd implements adder.
func (l *W8A8) ForwardAdd(dst, x []float32, rows int) {
	kernels.MatMulW8A8Add(dst[:rows*l.out], l.split(x, rows), l.grouped(), rows, l.form.Scale)
	l.finish(dst, rows)
}

func (l *W8A8) finish(dst []float32, rows int) {
	if l.kept != nil {
		l.fast.ForwardAdd(dst, l.outliers, rows)
	}
	addBias(dst, l.bias, rows)
}

// LookUp implements Table.
func (l *W8A8) LookUp(dst []float32, tokens []int32) {
	kernels.EmbeddingGrouped(dst[:len(tokens)*l.in], l.grouped(), tokens)
	for i, token := range tokens {
		for j, c := range l.columns {
			dst[i*l.in+int(c)] = l.kept.at(int(token), j)
		}
	}
}

// at is one weight.
func (d *Dense) at(r, c int) float32 { return d.Weight[r*d.In+c] }

// freeze drops what only files need. Weights in float32 are few and stay as they
// are, for their rows to be looked up.
func (l *W8A8) freeze() Linear {
	l.grouped()
	l.weight, l.scale = nil, nil
	if l.kept != nil {
		l.fast = l.kept.Clone().pack()
	}
	return l
}

// Form implements Formed.
func (l *W8A8) Form() Form { return &l.form }

// Values implements Formed.
func (l *W8A8) Values() ([]Stored, []float32) {
	arrays := mustArrays(l.Form(), l.out, l.in)
	arrays[0].Bytes, arrays[1].Data = l.weight, l.scale
	if l.kept != nil {
		arrays[2].Bytes, arrays[3].Data = int32Bytes(l.columns), l.kept.Weight
	}
	return arrays, l.bias
}

// Expand implements Formed. Products of the dense matrix do not round what comes
// in.
func (l *W8A8) Expand() *Dense {
	d := &Dense{Out: l.out, In: l.in, Weight: make([]float32, l.out*l.in), Bias: slices.Clone(l.bias)}
	tokens := make([]int32, l.out)
	for i := range tokens {
		tokens[i] = int32(i)
	}
	l.LookUp(d.Weight, tokens)
	return d
}
