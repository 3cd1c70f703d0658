package model

import (
	"fmt"
	"slices"

	"plumb/kernels"
)

func init() { Forms.Add("lowrank", func() Form { return &lowRankForm{} }) }

// A LowRank matrix is the product of two thin ones: W [out, in] = Left·Right,
// of which the right one is applied first.
type LowRank struct {
	Left  *Dense // [out, rank], with the bias
	Right *Dense // [rank, in]

	middle, gradMiddle []float32 // [rows, rank]
}

// NewLowRank returns left [out, rank] · right [rank, in] with a bias, nil for none.
func NewLowRank(left, right, bias []float32, out, rank, in int) *LowRank {
	return &LowRank{
		Left:  &Dense{Out: out, In: rank, Weight: left, Bias: bias},
		Right: &Dense{Out: rank, In: in, Weight: right},
	}
}

// Shape implements Linear.
func (l *LowRank) Shape() (out, in int) { return l.Left.Out, l.Right.In }

// Forward implements Linear.
func (l *LowRank) Forward(dst, x []float32, rows int) { l.Left.Forward(dst, l.inner(x, rows), rows) }

// inner applies the right factor.
func (l *LowRank) inner(x []float32, rows int) []float32 {
	l.middle = room(l.middle, rows*l.Right.Out)
	l.Right.Forward(l.middle, x, rows)
	return l.middle
}

// room returns n numbers, of buf where it has as many.
func room(buf []float32, n int) []float32 { return slices.Grow(buf[:0], n)[:n] }

// Backward implements trainable.
func (l *LowRank) Backward(dx, dy, x []float32, rows int) {
	l.Right.Backward(dx, l.innerBack(dy, x, rows), x, rows)
}

// BackwardAdd implements trainable.
func (l *LowRank) BackwardAdd(dx, dy, x []float32, rows int) {
	l.Right.BackwardAdd(dx, l.innerBack(dy, x, rows), x, rows)
}

// innerBack returns the gradient between the factors. What the right one gave
// is computed again, since other layers may have run since.
func (l *LowRank) innerBack(dy, x []float32, rows int) []float32 {
	middle := l.inner(x, rows)
	l.gradMiddle = room(l.gradMiddle, len(middle))
	l.Left.Backward(l.gradMiddle, dy, middle, rows)
	return l.gradMiddle
}

// LookUp implements Table: a row is that of the left factor times the right.
func (l *LowRank) LookUp(dst []float32, tokens []int32) {
	rank, in := l.Right.Out, l.Right.In
	l.middle = room(l.middle, len(tokens)*rank)
	l.Left.LookUp(l.middle, tokens)
	kernels.MatMulBackX(dst[:len(tokens)*in], l.middle, l.Right.Weight, len(tokens), in, rank)
}

// LookUpBack implements trainableTable.
func (l *LowRank) LookUpBack(dy []float32, tokens []int32) {
	t, rank, in := len(tokens), l.Right.Out, l.Right.In
	l.middle, l.gradMiddle = room(l.middle, t*rank), room(l.gradMiddle, t*rank)
	l.Left.LookUp(l.middle, tokens)
	kernels.MatMul(l.gradMiddle, dy[:t*in], l.Right.Weight, t, in, rank)
	l.Left.LookUpBack(l.gradMiddle, tokens)
	kernels.MatMulBackW(l.Right.gradWeight, l.middle, dy[:t*in], t, in, rank)
}

// Form implements Formed.
func (l *LowRank) Form() Form { return &lowRankForm{Rank: l.Right.Out} }

// Values implements Formed.
func (l *LowRank) Values() ([]Stored, []float32) {
	arrays, err := l.Form().Arrays(l.Left.Out, l.Right.In)
	if err != nil {
		panic("model: " + err.Error())
	}
	arrays[0].Data, arrays[1].Data = l.Left.Weight, l.Right.Weight
	return arrays, l.Left.Bias
}

// Expand implements Formed.
func (l *LowRank) Expand() *Dense {
	out, rank, in := l.Left.Out, l.Right.Out, l.Right.In
	d := &Dense{Out: out, In: in, Weight: make([]float32, out*in), Bias: slices.Clone(l.Left.Bias)}
	kernels.MatMulBackX(d.Weight, l.Left.Weight, l.Right.Weight, out, in, rank)
	return d
}

// lowRankForm is the form of LowRank.
type lowRankForm struct {
	Rank int `json:"rank"`
}

func (f *lowRankForm) Kind() string { return "lowrank" }

func (f *lowRankForm) Arrays(out, in int) ([]Stored, error) {
	if f.Rank < 1 || f.Rank > max(out, in) {
		return nil, fmt.Errorf("rank %d of a matrix [%d, %d]", f.Rank, out, in)
	}
	return []Stored{
		{Name: "left", DType: "F32", Shape: []int{out, f.Rank}, Weights: out * f.Rank},
		{Name: "right", DType: "F32", Shape: []int{f.Rank, in}, Weights: f.Rank * in},
	}, nil
}

func (f *lowRankForm) Bind(out, in int, arrays []Stored, bias Bias) (Linear, error) {
	left, right := arrays[0], arrays[1]
	return &LowRank{
		Left:  &Dense{Out: out, In: f.Rank, Weight: left.Data, gradWeight: left.Grad, Bias: bias.Data, gradBias: bias.Grad},
		Right: &Dense{Out: f.Rank, In: in, Weight: right.Data, gradWeight: right.Grad},
	}, nil
}
