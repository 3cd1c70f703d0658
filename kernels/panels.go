package kernels

// Panels keep a matrix w [n, k] in the order in which products read it, beside
// the matrix itself: the first product of a kind puts it in order, those after it
// find it so. With nil every product does it for itself. The bits are the same.
type Panels struct {
	forward, back order // for products with wᵀ and with w
}

// unkept are those of matrices that every product puts in order.
var unkept *Panels

// NewPanels returns panels for a matrix [n, k] in memory cut from a.
func NewPanels(a *Arena, n, k int) *Panels {
	return &Panels{forward: order{data: a.Floats(filled(n) * k)}, back: order{data: a.Floats(n * filled(k))}}
}

// filled is how many columns panels of cols have: whole vectors of any
// instruction set.
func filled(cols int) int { return (cols + 15) &^ 15 }

// Forget has to be called when the matrix has changed.
func (p *Panels) Forget() { p.forward.packed, p.back.packed = false, false }

// MatMul is MatMul of this package.
func (p *Panels) MatMul(dst, x, w []float32, m, k, n int) {
	mustHave("MatMul", m, k, n, len(dst), m*n, len(x), m*k, len(w), n*k)
	shapes[current()].summing(k).multiply(matrix{w, 1, k}, k, n, false, p.ahead(n, k), factor{matrix{dst, n, 1}, matrix{x, k, 1}, m})
}

// MatMulAdd is MatMulAdd of this package.
func (p *Panels) MatMulAdd(dst, x, w []float32, m, k, n int) {
	mustHave("MatMulAdd", m, k, n, len(dst), m*n, len(x), m*k, len(w), n*k)
	shapes[current()].summing(k).multiply(matrix{w, 1, k}, k, n, true, p.ahead(n, k), factor{matrix{dst, n, 1}, matrix{x, k, 1}, m})
}

// MatMulBackX is MatMulBackX of this package.
func (p *Panels) MatMulBackX(dx, dy, w []float32, m, k, n int) {
	mustHave("MatMulBackX", m, k, n, len(dx), m*k, len(dy), m*n, len(w), n*k)
	shapes[current()].multiply(matrix{w, k, 1}, n, k, false, p.behind(n, k), factor{matrix{dx, k, 1}, matrix{dy, n, 1}, m})
}

// MatMulBackXAdd is MatMulBackXAdd of this package.
func (p *Panels) MatMulBackXAdd(dx, dy, w []float32, m, k, n int) {
	mustHave("MatMulBackXAdd", m, k, n, len(dx), m*k, len(dy), m*n, len(w), n*k)
	shapes[current()].multiply(matrix{w, k, 1}, n, k, true, p.behind(n, k), factor{matrix{dx, k, 1}, matrix{dy, n, 1}, m})
}

func (p *Panels) ahead(n, k int) *order {
	if p == nil {
		return nil
	}
	mustFit(len(p.forward.data) == filled(n)*k, "Panels")
	return &p.forward
}

func (p *Panels) behind(n, k int) *order {
	if p == nil {
		return nil
	}
	mustFit(len(p.back.data) == n*filled(k), "Panels")
	return &p.back
}

// An order is a matrix b [steps, cols] of a product as pack leaves it, block by
// block: blocks of steps within blocks of columns. A nil one has no memory.
type order struct {
	data   []float32
	lanes  int // of the panels
	block  int // steps of a block
	packed bool
}

// cut drops what was packed for other panels or blocks.
func (o *order) cut(s shape, block int) {
	if o != nil && (o.lanes != s.lanes || o.block != block) {
		o.lanes, o.block, o.packed = s.lanes, block, false
	}
}

// panels is where the block lies that begins at step at and column col of b and
// has cols columns.
func (o *order) panels(steps, at, col, cols int) []float32 {
	if o == nil {
		return nil
	}
	return o.data[steps*col+shape{lanes: o.lanes}.packedLen(at, cols):]
}

func (o *order) isPacked() bool { return o != nil && o.packed }

// done says that every block is packed.
func (o *order) done() {
	if o != nil {
		o.packed = true
	}
}
