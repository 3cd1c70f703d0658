package model

import (
	"encoding/binary"
	"fmt"
	"slices"

	"plumb/kernels"
)

func init() { Forms.Add("int", func() Form { return &intForm{} }) }

// An Int matrix [out, in] holds whole numbers of 2 to 8 bits and a scale for
// each group of neighbouring inputs of a row: w = scale·(q-zero). What it is
// multiplied with stays float32. kernels.MatMulGrouped defines its products.
type Int struct {
	out, in int
	form    intForm
	numbers []byte    // [out, rowBytes(in, bits)], q from 0
	scale   []float32 // [out, groups]; or
	half    []byte    // as float16
	zero    []byte    // [out, groups], nil where all are the middle, 2^(bits-1)
	bias    []float32
	laid    *kernels.Grouped // made when first multiplied
}

// intForm is the form of Int.
type intForm struct {
	Bits  int  `json:"bits"`  // 2 to 8
	Group int  `json:"group"` // inputs that share a scale; 0 for all of a row
	Zero  bool `json:"zero"`  // zero points are stored
	Half  bool `json:"half"`  // scales are stored as float16
}

// IntForm is the form of the matrices that NewIntGroups makes, for sizes to be
// foreseen; zero says that zero points are stored, half that scales are float16.
func IntForm(bits, group int, zero, half bool) Form {
	return &intForm{Bits: bits, Group: group, Zero: zero, Half: half}
}

// NewIntGroups returns the matrix [out, in] scale·(q-zero) of 2 to 8 bits: q
// [out, in] is below 2^bits, scales [out, ceil(in/group)] are finite, and zero is
// as long as they are, or nil for 2^(bits-1) everywhere, the middle. group is a
// multiple of 8, or 0 for one scale a row; the last group of a row may be
// shorter. With half, scales are rounded to float16 and stored so. bias is nil
// for none. It shares no memory with the arguments but bias.
func NewIntGroups(bits, group int, q []uint8, scales []float32, zero []uint8, half bool, bias []float32, out, in int) (*Int, error) {
	form := intForm{Bits: bits, Group: group, Zero: zero != nil, Half: half}
	arrays, err := form.Arrays(out, in)
	if err != nil {
		return nil, err
	}
	groups := form.groups(in)
	if len(q) != out*in || len(scales) != out*groups || zero != nil && len(zero) != out*groups {
		return nil, fmt.Errorf("%d numbers, %d scales and %d zero points of a matrix [%d, %d] with %d groups a row", len(q), len(scales), len(zero), out, in, groups)
	}
	if i := slices.IndexFunc(q, func(v uint8) bool { return int(v) >= 1<<bits }); i >= 0 {
		return nil, fmt.Errorf("number %d is %d, beyond %d bits", i, q[i], bits)
	}
	width := rowBytes(in, bits)
	arrays[0].Bytes = alignedBytes(out * width)
	for r := range out {
		packBits(arrays[0].Bytes[r*width:(r+1)*width], q[r*in:(r+1)*in], bits)
	}
	if half {
		arrays[1].Bytes = halves(scales)
	} else {
		arrays[1].Data = slices.Clone(scales)
	}
	if zero != nil {
		arrays[2].Bytes = slices.Clone(zero)
	}
	l, err := form.Bind(out, in, arrays, Bias{Data: bias})
	if err != nil {
		return nil, err
	}
	return l.(*Int), nil
}

func (f intForm) group(in int) int {
	if f.Group == 0 {
		return in
	}
	return min(f.Group, in)
}

func (f intForm) groups(in int) int { return kernels.Groups(in, f.group(in)) }

func (f *intForm) Kind() string { return "int" }

func (f *intForm) Arrays(out, in int) ([]Stored, error) {
	switch {
	case out < 1 || in < 1:
		return nil, fmt.Errorf("a matrix [%d, %d]", out, in)
	case f.Bits < 2 || f.Bits > 8:
		return nil, fmt.Errorf("%d bits: 2 to 8 are possible", f.Bits)
	case f.Group < 0 || f.Group%8 != 0 && f.Group != in:
		return nil, fmt.Errorf("groups of %d inputs: a multiple of 8 is wanted, or 0 for whole rows", f.Group)
	}
	groups := f.groups(in)
	arrays := []Stored{
		{Name: "numbers", DType: "U8", Shape: []int{out, rowBytes(in, f.Bits)}, Fixed: true, Weights: out * in},
		{Name: "scale", DType: "F32", Shape: []int{out, groups}, Fixed: true},
	}
	if f.Half {
		arrays[1].DType = "F16"
	}
	if f.Zero {
		arrays = append(arrays, Stored{Name: "zero", DType: "U8", Shape: []int{out, groups}, Fixed: true})
	}
	return arrays, nil
}

func (f *intForm) Bind(out, in int, arrays []Stored, bias Bias) (Linear, error) {
	l := &Int{out: out, in: in, form: *f, numbers: arrays[0].Bytes, scale: arrays[1].Data, half: arrays[1].Bytes, bias: bias.Data}
	if f.Half {
		l.scale = nil
	}
	if !kernels.AllFinite(l.scales()) {
		return nil, fmt.Errorf("a scale is NaN or infinite")
	}
	if f.Zero {
		l.zero = arrays[2].Bytes
		if i := slices.IndexFunc(l.zero, func(z uint8) bool { return int(z) >= 1<<f.Bits }); i >= 0 {
			return nil, fmt.Errorf("zero point %d is %d, beyond %d bits", i, l.zero[i], f.Bits)
		}
	}
	return l, nil
}

// scales returns the scales as float32.
func (l *Int) scales() []float32 {
	if l.form.Half {
		return fromHalves(l.half)
	}
	return l.scale
}

// Shape implements Linear.
func (l *Int) Shape() (out, in int) { return l.out, l.in }

// Bits is how many bits a weight has.
func (l *Int) Bits() int { return l.form.Bits }

// grouped lays the matrix out for products, as 4 bits or as 8.
func (l *Int) grouped() *kernels.Grouped {
	if l.laid != nil {
		return l.laid
	}
	wide := 8
	if l.form.Bits <= 4 {
		wide = 4
	}
	up := uint8(1)<<(wide-1) - uint8(1)<<(l.form.Bits-1) // moves the middle to that of wide bits
	zeros := slices.Clone(l.zero)
	for i := range zeros {
		zeros[i] += up
	}
	width := rowBytes(l.in, l.form.Bits)
	l.laid = kernels.PackGrouped(kernels.GroupedSource{
		N: l.out, K: l.in, Bits: wide, Group: l.form.group(l.in), Scales: l.scales(), Zeros: zeros,
		Row: func(dst []uint8, r int) {
			unpackBits(dst, l.numbers[r*width:(r+1)*width], l.form.Bits)
			for i := range dst {
				dst[i] += up
			}
		},
	})
	return l.laid
}

// Forward implements Linear.
func (l *Int) Forward(dst, x []float32, rows int) {
	kernels.MatMulGrouped(dst[:rows*l.out], x[:rows*l.in], l.grouped(), rows)
	addBias(dst, l.bias, rows)
}

// ForwardAdd implements adder.
func (l *Int) ForwardAdd(dst, x []float32, rows int) {
	kernels.MatMulGroupedAdd(dst[:rows*l.out], x[:rows*l.in], l.grouped(), rows)
	addBias(dst, l.bias, rows)
}

// addBias adds a bias, if there is one, to every row of dst.
func addBias(dst, bias []float32, rows int) {
	if bias != nil {
		kernels.AddBias(dst[:rows*len(bias)], bias)
	}
}

// LookUp implements Table.
func (l *Int) LookUp(dst []float32, tokens []int32) {
	kernels.EmbeddingGrouped(dst[:len(tokens)*l.in], l.grouped(), tokens)
}

// freeze drops what only files need.
func (l *Int) freeze() Linear {
	l.grouped()
	l.numbers, l.scale, l.half, l.zero = nil, nil, nil, nil
	return l
}

// Form implements Formed.
func (l *Int) Form() Form { return &l.form }

// Values implements Formed.
func (l *Int) Values() ([]Stored, []float32) {
	arrays := mustArrays(l.Form(), l.out, l.in)
	arrays[0].Bytes, arrays[1].Data, arrays[1].Bytes = l.numbers, l.scale, l.half
	if l.form.Zero {
		arrays[2].Bytes = l.zero
	}
	return arrays, l.bias
}

// mustArrays lists the arrays of a matrix that exists.
func mustArrays(f Form, out, in int) []Stored {
	arrays, err := f.Arrays(out, in)
	if err != nil {
		panic("model: " + err.Error())
	}
	return arrays
}

// Expand implements Formed. Each weight is rounded once.
func (l *Int) Expand() *Dense {
	d := &Dense{Out: l.out, In: l.in, Weight: make([]float32, l.out*l.in), Bias: slices.Clone(l.bias)}
	for r := range l.out {
		l.grouped().Row(d.Row(r), r)
	}
	return d
}

// int32s reads little-endian numbers.
func int32s(b []byte) []int32 {
	x := make([]int32, len(b)/4)
	for i := range x {
		x[i] = int32(binary.LittleEndian.Uint32(b[4*i:]))
	}
	return x
}

// int32Bytes is its inverse.
func int32Bytes(x []int32) []byte {
	b := alignedBytes(4 * len(x))
	for i, v := range x {
		binary.LittleEndian.PutUint32(b[4*i:], uint32(v))
	}
	return b
}
