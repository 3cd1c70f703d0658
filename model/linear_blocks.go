package model

import (
	"fmt"
	"slices"
	"strings"

	"plumb/internal/gguf"
	"plumb/kernels"
)

func init() {
	for _, name := range gguf.Types() {
		if typ := typeNamed(name); name != "F32" {
			Forms.Add(strings.ToLower(name), func() Form { return &blocksForm{typ: typ} })
		}
	}
}

// Blocks is a matrix [out, in] in the blocks of a type of GGUF, as files of that
// format have them. Products expand some rows at a time.
type Blocks struct {
	out, in int
	typ     gguf.Type
	blocks  []byte // [out, bytes of a row]
	bias    []float32

	rows, products []float32 // [blockRows, in] expanded, [rows, blockRows]
}

// blockRows is how many rows are expanded at a time, so that they stay in cache.
const blockRows = 64

// BlocksForm is the form of matrices in blocks of typ, for sizes to be foreseen.
func BlocksForm(typ gguf.Type) Form { return &blocksForm{typ: typ} }

// NewBlocks returns the matrix that blocks stand for: out rows of in numbers in
// type typ. bias is nil for none. It shares memory with the arguments.
func NewBlocks(typ gguf.Type, blocks []byte, bias []float32, out, in int) (*Blocks, error) {
	form := blocksForm{typ: typ}
	arrays, err := form.Arrays(out, in)
	if err != nil {
		return nil, err
	}
	if len(blocks) != typ.Bytes(out*in) {
		return nil, fmt.Errorf("%d bytes of %s for a matrix [%d, %d]", len(blocks), typ.Name, out, in)
	}
	arrays[0].Bytes = blocks
	l, err := form.Bind(out, in, arrays, Bias{Data: bias})
	if err != nil {
		return nil, err
	}
	return l.(*Blocks), nil
}

// Type is the type of the blocks.
func (b *Blocks) Type() gguf.Type { return b.typ }

// Bytes returns the blocks; they share memory with b.
func (b *Blocks) Bytes() []byte { return b.blocks }

// Shape implements Linear.
func (b *Blocks) Shape() (out, in int) { return b.out, b.in }

// expand sets dst to rows from from on, as many as it has room for.
func (b *Blocks) expand(dst []float32, from int) {
	b.typ.Decode(dst, b.blocks[b.typ.Bytes(from*b.in):][:b.typ.Bytes(len(dst))])
}

// Forward implements Linear. It gives the bits of the dense matrix.
func (b *Blocks) Forward(dst, x []float32, rows int) {
	clear(dst[:rows*b.out])
	b.ForwardAdd(dst, x, rows)
}

// ForwardAdd implements adder.
func (b *Blocks) ForwardAdd(dst, x []float32, rows int) {
	b.rows, b.products = room(b.rows, min(blockRows, b.out)*b.in), room(b.products, rows*min(blockRows, b.out))
	for from := 0; from < b.out; from += blockRows {
		n := min(blockRows, b.out-from)
		w, y := b.rows[:n*b.in], b.products[:rows*n]
		b.expand(w, from)
		for r := range rows {
			copy(y[r*n:(r+1)*n], dst[r*b.out+from:])
		}
		kernels.MatMulAdd(y, x[:rows*b.in], w, rows, b.in, n)
		for r := range rows {
			copy(dst[r*b.out+from:][:n], y[r*n:])
		}
	}
	addBias(dst, b.bias, rows)
}

// LookUp implements Table.
func (b *Blocks) LookUp(dst []float32, tokens []int32) {
	for i, token := range tokens {
		b.expand(dst[i*b.in:(i+1)*b.in], int(token))
	}
}

// Form implements Formed.
func (b *Blocks) Form() Form { return &blocksForm{typ: b.typ} }

// Values implements Formed.
func (b *Blocks) Values() ([]Stored, []float32) {
	arrays := mustArrays(b.Form(), b.out, b.in)
	arrays[0].Bytes = b.blocks
	return arrays, b.bias
}

// Expand implements Formed.
func (b *Blocks) Expand() *Dense {
	d := &Dense{Out: b.out, In: b.in, Weight: make([]float32, b.out*b.in), Bias: slices.Clone(b.bias)}
	b.expand(d.Weight, 0)
	return d
}

// blocksForm is the form of Blocks of one type, which its kind names.
type blocksForm struct{ typ gguf.Type }

func (f *blocksForm) Kind() string { return strings.ToLower(f.typ.Name) }

func (f *blocksForm) Arrays(out, in int) ([]Stored, error) {
	if out < 1 || in < 1 || in%f.typ.Block != 0 {
		return nil, fmt.Errorf("a matrix [%d, %d] in rows of blocks of %d", out, in, f.typ.Block)
	}
	return []Stored{{Name: "blocks", DType: "U8", Shape: []int{out, f.typ.Bytes(in)}, Fixed: true, Weights: out * in}}, nil
}

func (f *blocksForm) Bind(out, in int, arrays []Stored, bias Bias) (Linear, error) {
	b := &Blocks{out: out, in: in, typ: f.typ, blocks: arrays[0].Bytes, bias: bias.Data}
	row := make([]float32, in)
	for r := range out {
		if b.expand(row, r); !kernels.AllFinite(row) {
			return nil, fmt.Errorf("row %d of its blocks holds a NaN or Inf", r)
		}
	}
	return b, nil
}

// typeNamed returns a type that gguf lists.
func typeNamed(name string) gguf.Type {
	t, err := gguf.TypeNamed(name)
	if err != nil {
		panic("model: " + err.Error())
	}
	return t
}
