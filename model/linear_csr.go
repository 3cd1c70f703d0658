package model

import (
	"encoding/binary"
	"fmt"
	"slices"

	"plumb/kernels"
)

func init() { Forms.Add("csr", func() Form { return &csrForm{} }) }

// A CSR matrix [out, in] stores the weights that are not 0 with their columns,
// row after row. It pays where few are left.
type CSR struct {
	out, in int
	form    csrForm
	starts  []int32   // [out+1] where each row begins
	columns []byte    // [kept] uint16 or int32, increasing in a row
	weight  []float32 // [kept]
	bias    []float32
	laid    *kernels.Listed // made when first multiplied
}

// csrForm is the form of CSR.
type csrForm struct {
	Kept int `json:"kept"` // weights
}

// NewCSR returns w without its zeros. It shares no memory with w.
func NewCSR(w *Dense) (*CSR, error) {
	var form csrForm
	for _, v := range w.Weight {
		if v != 0 {
			form.Kept++
		}
	}
	arrays, err := form.Arrays(w.Out, w.In)
	if err != nil {
		return nil, err
	}
	starts, weight := []int32{0}, make([]float32, 0, form.Kept)
	columns := alignedBytes(form.Kept * dtypeBytes[columnType(w.In)])[:0]
	for r := range w.Out {
		for c, v := range w.Row(r) {
			if v != 0 {
				weight = append(weight, v)
				if columnType(w.In) == "U16" {
					columns = binary.LittleEndian.AppendUint16(columns, uint16(c))
				} else {
					columns = binary.LittleEndian.AppendUint32(columns, uint32(c))
				}
			}
		}
		starts = append(starts, int32(len(weight)))
	}
	arrays[0].Bytes, arrays[1].Bytes, arrays[2].Data = int32Bytes(starts), columns, weight
	l, err := form.Bind(w.Out, w.In, arrays, Bias{Data: slices.Clone(w.Bias)})
	if err != nil {
		return nil, err
	}
	return l.(*CSR), nil
}

// columnType is the type that columns of a matrix with so many are stored in.
func columnType(in int) string {
	if in <= 1<<16 {
		return "U16"
	}
	return "I32"
}

func (f *csrForm) Kind() string { return "csr" }

func (f *csrForm) Arrays(out, in int) ([]Stored, error) {
	if f.Kept < 0 || f.Kept > out*in || f.Kept > 1<<31-1 {
		return nil, fmt.Errorf("%d weights kept of a matrix [%d, %d]", f.Kept, out, in)
	}
	if in > kernels.MostListed {
		return nil, fmt.Errorf("a matrix [%d, %d]: at most %d inputs are possible", out, in, kernels.MostListed)
	}
	return []Stored{
		{Name: "starts", DType: "I32", Shape: []int{out + 1}, Fixed: true},
		{Name: "columns", DType: columnType(in), Shape: []int{f.Kept}, Fixed: true},
		{Name: "weight", DType: "F32", Shape: []int{f.Kept}, Fixed: true, Weights: f.Kept},
	}, nil
}

func (f *csrForm) Bind(out, in int, arrays []Stored, bias Bias) (Linear, error) {
	l := &CSR{out: out, in: in, form: *f, starts: int32s(arrays[0].Bytes), columns: arrays[1].Bytes, weight: arrays[2].Data, bias: bias.Data}
	if l.starts[0] != 0 || int(l.starts[out]) != f.Kept {
		return nil, fmt.Errorf("rows from %d to %d of %d weights", l.starts[0], l.starts[out], f.Kept)
	}
	for r := range out {
		from, to := int(l.starts[r]), int(l.starts[r+1])
		if from > to || to > f.Kept {
			return nil, fmt.Errorf("row %d has the weights %d to %d of %d", r, from, to, f.Kept)
		}
		for i, last := from, -1; i < to; i++ {
			c := l.column(i)
			if c <= last || c >= in {
				return nil, fmt.Errorf("row %d has column %d behind %d: columns increase and are below %d", r, c, last, in)
			}
			last = c
		}
	}
	return l, nil
}

// column is that of weight i.
func (l *CSR) column(i int) int {
	if columnType(l.in) == "U16" {
		return int(binary.LittleEndian.Uint16(l.columns[2*i:]))
	}
	return int(int32(binary.LittleEndian.Uint32(l.columns[4*i:])))
}

// Shape implements Linear.
func (l *CSR) Shape() (out, in int) { return l.out, l.in }

// listed lays the weights out for products.
func (l *CSR) listed() *kernels.Listed {
	if l.laid == nil {
		columns := make([]int32, l.form.Kept)
		for i := range columns {
			columns[i] = int32(l.column(i))
		}
		l.laid = kernels.NewListed(l.weight, columns, l.starts, l.out, l.in)
	}
	return l.laid
}

// Forward implements Linear.
func (l *CSR) Forward(dst, x []float32, rows int) {
	kernels.MatMulListed(dst[:rows*l.out], x[:rows*l.in], l.listed(), rows)
	addBias(dst, l.bias, rows)
}

// ForwardAdd implements adder.
func (l *CSR) ForwardAdd(dst, x []float32, rows int) {
	kernels.MatMulListedAdd(dst[:rows*l.out], x[:rows*l.in], l.listed(), rows)
	addBias(dst, l.bias, rows)
}

// MACs returns the multiply-adds of a row's product: those of weights.
func (l *CSR) MACs() int { return l.form.Kept }

// LookUp implements Table.
func (l *CSR) LookUp(dst []float32, tokens []int32) {
	for i, token := range tokens {
		l.listed().Row(dst[i*l.in:], int(token))
	}
}

// freeze drops what only files need.
func (l *CSR) freeze() Linear {
	l.listed()
	l.columns, l.weight = nil, nil
	return l
}

// Form implements Formed.
func (l *CSR) Form() Form { return &l.form }

// Values implements Formed.
func (l *CSR) Values() ([]Stored, []float32) {
	arrays := mustArrays(l.Form(), l.out, l.in)
	arrays[0].Bytes, arrays[1].Bytes, arrays[2].Data = int32Bytes(l.starts), l.columns, l.weight
	return arrays, l.bias
}

// Expand implements Formed.
func (l *CSR) Expand() *Dense {
	d := &Dense{Out: l.out, In: l.in, Weight: make([]float32, l.out*l.in), Bias: slices.Clone(l.bias)}
	for r := range l.out {
		for i := l.starts[r]; i < l.starts[r+1]; i++ {
			d.Row(r)[l.column(int(i))] = l.weight[i]
		}
	}
	return d
}
