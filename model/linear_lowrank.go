package model

import (
	"fmt"
	"slices"

	"plumb/kernels"
)

func init() { Forms.Add("lowrank", func() Form { return &lowRankForm{} }) }

// A LowRank matrix is the product of two thin ones: W [out, in] = Left·Right,
// of which the right one is applied first. Either may be in a form of its own.
type LowRank struct {
	Left  Linear // [out, rank], with the bias
	Right Linear // [rank, in]

	middle, gradMiddle, gradRow []float32 // [rows, rank], [rows, in]
	rows                        *Dense    // Right for LookUp, where it is in a form
}

// NewLowRank returns left [out, rank] · right [rank, in] with a bias, nil for none.
func NewLowRank(left, right, bias []float32, out, rank, in int) *LowRank {
	return &LowRank{
		Left:  &Dense{Out: out, In: rank, Weight: left, Bias: bias},
		Right: &Dense{Out: rank, In: in, Weight: right},
	}
}

// Shape implements Linear.
func (l *LowRank) Shape() (out, in int) {
	out, _ = l.Left.Shape()
	_, in = l.Right.Shape()
	return out, in
}

// Rank is how many numbers pass between the factors.
func (l *LowRank) Rank() int {
	rank, _ := l.Right.Shape()
	return rank
}

// Forward implements Linear.
func (l *LowRank) Forward(dst, x []float32, rows int) { l.Left.Forward(dst, l.inner(x, rows), rows) }

// inner applies the right factor.
func (l *LowRank) inner(x []float32, rows int) []float32 {
	l.middle = room(l.middle, rows*l.Rank())
	l.Right.Forward(l.middle, x, rows)
	return l.middle
}

// room returns n numbers, of buf where it has as many.
func room(buf []float32, n int) []float32 { return slices.Grow(buf[:0], n)[:n] }

// Backward implements trainable.
func (l *LowRank) Backward(dx, dy, x []float32, rows int) {
	back(l.Right).Backward(dx, l.innerBack(dy, x, rows), x, rows)
}

// BackwardAdd implements trainable.
func (l *LowRank) BackwardAdd(dx, dy, x []float32, rows int) {
	back(l.Right).BackwardAdd(dx, l.innerBack(dy, x, rows), x, rows)
}

// innerBack returns the gradient between the factors. What the right one gave
// is computed again, since other layers may have run since.
func (l *LowRank) innerBack(dy, x []float32, rows int) []float32 {
	middle := l.inner(x, rows)
	l.gradMiddle = room(l.gradMiddle, len(middle))
	back(l.Left).Backward(l.gradMiddle, dy, middle, rows)
	return l.gradMiddle
}

// LookUp implements Table where the left factor is one: a row is that of the left
// factor times the right.
func (l *LowRank) LookUp(dst []float32, tokens []int32) {
	l.lookUpMiddle(tokens)
	right := l.rightRows()
	kernels.MatMulBackX(dst[:len(tokens)*right.In], l.middle, right.Weight, len(tokens), right.In, right.Out)
}

// lookUpMiddle sets l.middle to rows of the left factor.
func (l *LowRank) lookUpMiddle(tokens []int32) {
	table, ok := l.Left.(Table)
	if !ok {
		panic("model: the left factor of this table has no rows to look up")
	}
	l.middle = room(l.middle, len(tokens)*l.Rank())
	table.LookUp(l.middle, tokens)
}

// rightRows is the right factor as rows. One that can change is read anew.
func (l *LowRank) rightRows() *Dense {
	if l.rows != nil {
		return l.rows
	}
	rows := asRows(l.Right)
	if !canTrain(l.Right) {
		l.rows = rows
	}
	return rows
}

// LookUpBack implements trainableTable.
func (l *LowRank) LookUpBack(dy []float32, tokens []int32) {
	t := len(tokens)
	_, in := l.Right.Shape()
	l.lookUpMiddle(tokens)
	l.gradMiddle, l.gradRow = room(l.gradMiddle, t*l.Rank()), room(l.gradRow, t*in)
	l.Right.Forward(l.gradMiddle, dy[:t*in], t)
	l.Left.(trainableTable).LookUpBack(l.gradMiddle, tokens)
	back(l.Right).Backward(l.gradRow, l.middle, dy[:t*in], t) // for its weights: middleᵀ·dy
}

// Factors implements Factored.
func (l *LowRank) Factors() []Factor { return []Factor{{"right", l.Right}, {"left", l.Left}} }

// WithFactors implements Factored.
func (l *LowRank) WithFactors(others []Linear) Factored {
	return &LowRank{Right: others[0], Left: others[1]}
}

// freeze implements freezer.
func (l *LowRank) freeze() Linear {
	freeze(&l.Left)
	freeze(&l.Right)
	l.rows = nil
	return l
}

// MACs returns the multiply-adds of a row's product: those of both factors.
func (l *LowRank) MACs() int { return macsOf(l.Left) + macsOf(l.Right) }

// Form implements Formed.
func (l *LowRank) Form() Form {
	return &lowRankForm{Rank: l.Rank(), Left: formOf(l.Left), Right: formOf(l.Right)}
}

// Values implements Formed.
func (l *LowRank) Values() ([]Stored, []float32) {
	left, bias := valuesOf("left", l.Left)
	right, _ := valuesOf("right", l.Right)
	return append(left, right...), bias
}

// Expand implements Formed.
func (l *LowRank) Expand() *Dense {
	left, right := Expand(l.Left), Expand(l.Right)
	d := &Dense{Out: left.Out, In: right.In, Weight: make([]float32, left.Out*right.In), Bias: left.Bias}
	kernels.MatMulBackX(d.Weight, left.Weight, right.Weight, left.Out, right.In, left.In)
	return d
}

// LowRankForm is the form of a LowRank matrix of a rank.
func LowRankForm(rank int) Form { return &lowRankForm{Rank: rank} }

// lowRankForm is the form of LowRank.
type lowRankForm struct {
	Rank  int        `json:"rank"`
	Left  factorForm `json:"left,omitzero"`
	Right factorForm `json:"right,omitzero"`
}

func (f *lowRankForm) Kind() string { return "lowrank" }

func (f *lowRankForm) factors() []factorForm { return []factorForm{f.Left, f.Right} }

func (f *lowRankForm) parts(out, in int) []Place {
	return []Place{{Name: "right", Out: f.Rank, In: in, Form: f.Right.Form}, {Name: "left", Out: out, In: f.Rank, Form: f.Left.Form}}
}

func (f *lowRankForm) withParts(forms []factorForm) Form {
	return &lowRankForm{Rank: f.Rank, Right: forms[0], Left: forms[1]}
}

func (f *lowRankForm) Arrays(out, in int) ([]Stored, error) {
	if f.Rank < 1 || f.Rank > max(out, in) {
		return nil, fmt.Errorf("rank %d of a matrix [%d, %d]", f.Rank, out, in)
	}
	left, err := f.Left.arrays("left", out, f.Rank)
	if err != nil {
		return nil, err
	}
	right, err := f.Right.arrays("right", f.Rank, in)
	return append(left, right...), err
}

func (f *lowRankForm) Bind(out, in int, arrays []Stored, bias Bias) (Linear, error) {
	left, arrays, err := f.Left.bind("left", out, f.Rank, arrays, bias)
	if err != nil {
		return nil, err
	}
	right, _, err := f.Right.bind("right", f.Rank, in, arrays, Bias{})
	if err != nil {
		return nil, err
	}
	return &LowRank{Left: left, Right: right}, nil
}
