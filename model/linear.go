package model

import (
	"slices"

	"plumb/kernels"
)

// A Linear is one matrix of the model, in whatever form it is stored. The
// forward pass knows only this interface, so a dense model and a compressed
// one part here and nowhere else.
type Linear interface {
	// Shape returns how many numbers a row has after and before the product.
	Shape() (out, in int)
	// Forward sets dst [rows, out] to x·wᵀ + bias, for x [rows, in].
	Forward(dst, x []float32, rows int)
}

// An adder is a Linear whose sums can start from what they are added to, as
// those of dense matrices do.
type adder interface {
	// ForwardAdd adds x·wᵀ + bias to dst.
	ForwardAdd(dst, x []float32, rows int)
}

// addProduct adds what l makes of x to dst [rows, out]. Where l cannot add,
// room of as many numbers is overwritten.
func addProduct(dst []float32, l Linear, x []float32, rows int, room []float32) {
	if a, ok := l.(adder); ok {
		a.ForwardAdd(dst, x, rows)
		return
	}
	out, _ := l.Shape()
	l.Forward(room, x, rows)
	kernels.Add(dst[:rows*out], room[:rows*out])
}

// A trainable is a Linear that passes gradients back and gathers its own.
type trainable interface {
	Linear
	// Backward sets dx [rows, in] to the gradient of the loss with respect to
	// x, given dy [rows, out], and adds the gradients of the weights.
	Backward(dx, dy, x []float32, rows int)
	// BackwardAdd adds to dx instead of setting it.
	BackwardAdd(dx, dy, x []float32, rows int)
}

// Dense is a matrix stored as float32, row-major, one row for each output.
type Dense struct {
	Out, In int
	Weight  []float32 // [Out, In]
	Bias    []float32 // [Out], or nil

	gradWeight, gradBias []float32
	panels               *kernels.Panels // while a tape holds the weights; else nil
}

// Shape implements Linear.
func (d *Dense) Shape() (out, in int) { return d.Out, d.In }

// Row returns the weights of output r, [In]; it shares memory with d.
func (d *Dense) Row(r int) []float32 { return d.Weight[r*d.In : (r+1)*d.In] }

// Clone returns a copy that shares no memory with d and has no gradients.
func (d *Dense) Clone() *Dense {
	return &Dense{Out: d.Out, In: d.In, Weight: slices.Clone(d.Weight), Bias: slices.Clone(d.Bias)}
}

// Forward implements Linear.
func (d *Dense) Forward(dst, x []float32, rows int) {
	d.panels.MatMul(dst[:rows*d.Out], x[:rows*d.In], d.Weight, rows, d.In, d.Out)
	d.addBias(dst, rows)
}

// ForwardAdd implements adder.
func (d *Dense) ForwardAdd(dst, x []float32, rows int) {
	d.panels.MatMulAdd(dst[:rows*d.Out], x[:rows*d.In], d.Weight, rows, d.In, d.Out)
	d.addBias(dst, rows)
}

func (d *Dense) addBias(dst []float32, rows int) {
	if d.Bias != nil {
		kernels.AddBias(dst[:rows*d.Out], d.Bias)
	}
}

// Backward implements trainable.
func (d *Dense) Backward(dx, dy, x []float32, rows int) {
	d.inputBack(dx, dy, rows, false)
	d.gatherGradients(dy, x, rows)
}

// BackwardAdd implements trainable.
func (d *Dense) BackwardAdd(dx, dy, x []float32, rows int) {
	d.inputBack(dx, dy, rows, true)
	d.gatherGradients(dy, x, rows)
}

// inputBack sets dx to the gradient with respect to what d was given, or adds it.
func (d *Dense) inputBack(dx, dy []float32, rows int, add bool) {
	if add {
		d.panels.MatMulBackXAdd(dx[:rows*d.In], dy[:rows*d.Out], d.Weight, rows, d.In, d.Out)
		return
	}
	d.panels.MatMulBackX(dx[:rows*d.In], dy[:rows*d.Out], d.Weight, rows, d.In, d.Out)
}

// LookUp implements Table.
func (d *Dense) LookUp(dst []float32, tokens []int32) { kernels.Embedding(dst, d.Weight, tokens) }

// LookUpBack implements trainableTable.
func (d *Dense) LookUpBack(dy []float32, tokens []int32) {
	kernels.EmbeddingBack(d.gradWeight, dy, tokens)
}

func (d *Dense) gatherGradients(dy, x []float32, rows int) {
	kernels.MatMulBackW(d.gradWeight, dy[:rows*d.Out], x[:rows*d.In], rows, d.In, d.Out)
	d.biasBack(dy, rows)
}

func (d *Dense) biasBack(dy []float32, rows int) {
	if d.Bias != nil {
		kernels.BiasBack(d.gradBias, dy[:rows*d.Out])
	}
}
