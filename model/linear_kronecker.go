package model

import (
	"encoding/binary"
	"fmt"
	"slices"

	"plumb/arch"
	"plumb/kernels"
)

func init() { Forms.Add("kronecker", func() Form { return &kroneckerForm{} }) }

// A Kronecker matrix is a sum of Kronecker products whose rows and columns stand
// in another order:
//
//	W[i, j] = K[rows(i), columns(j)]
//	K[a·m2+u, b·n2+v] = Σ over terms of A[a, b]·B[u, v]
//
// A product reorders its input to [n2, n1] and its output from [m2, m1], so that
// both factors work on whole vectors; any order of rows and columns comes with
// that for nothing. The factor that is cheaper to begin with comes first, see
// arch.Kronecker. A may be in a form of its own; B is small.
type Kronecker struct {
	A Linear    // A first: [terms·m1, n1]; B first: [m1, terms·n1]
	B []float32 // A first: [m2, n2, terms]; B first: [m2, terms, n2]

	shape         arch.Kronecker
	aFirst        bool
	bias          Bias
	gradB         []float32
	rows, columns []int32 // nil where the order is that of K
	kroneckerOrder

	x, z, y, gradX, gradZ, gradY []float32 // a block of rows, reordered and between the factors
	ids                          []int32
}

// kroneckerOrder says where numbers stand while a product runs.
type kroneckerOrder struct {
	in, out   reordering // the input's number at [v, b]; where in [u, a] an output stands
	toIn, toY reordering // their inverses
}

// A reordering says which number of a vector stands where in another: that of an index,
// or that of the vector as a matrix [n1, n2] transposed, or else the same.
type reordering struct {
	index  []int32
	n1, n2 int
}

// same says whether every number stays where it is.
func (p reordering) same() bool { return p.index == nil && p.n1 == 0 }

// kroneckerRows is how many rows go through both factors at a time, so that
// what is between them stays in cache.
const kroneckerRows = 56

// NewKronecker returns the sum of a [terms, m1, n1] ⊗ b [terms, m2, n2] with a
// bias, nil for none, and its rows and columns in an order, nil for that of the
// sum: rows[i] is the row of the sum that output i has. It panics if lengths do
// not fit or an order is no permutation.
func NewKronecker(shape arch.Kronecker, a, b, bias []float32, rows, columns []int32) *Kronecker {
	out, in := shape.M1*shape.M2, shape.N1*shape.N2
	if err := shape.Validate(out, in); err != nil || len(a) != shape.Terms*shape.M1*shape.N1 || len(b) != shape.Terms*shape.M2*shape.N2 {
		panic(fmt.Sprintf("model: NewKronecker of %+v with %d and %d weights", shape, len(a), len(b)))
	}
	k := &Kronecker{shape: shape, aFirst: shape.AFirst(), bias: Bias{Data: bias}, rows: rows, columns: columns}
	k.A, k.B = k.denseA(a), make([]float32, len(b))
	for i, v := range b {
		term, u, v2 := i/(shape.M2*shape.N2), i/shape.N2%shape.M2, i%shape.N2
		k.B[k.bAt(term, u, v2)] = v
	}
	if err := k.order(); err != nil {
		panic("model: NewKronecker: " + err.Error())
	}
	return k
}

// denseA lays a [terms, m1, n1] out as the products need it.
func (k *Kronecker) denseA(a []float32) *Dense {
	s := k.shape
	if k.aFirst {
		return &Dense{Out: s.Terms * s.M1, In: s.N1, Weight: slices.Clone(a)}
	}
	d := &Dense{Out: s.M1, In: s.Terms * s.N1, Weight: make([]float32, len(a))}
	for term := range s.Terms {
		for i := range s.M1 {
			copy(d.Row(i)[term*s.N1:][:s.N1], a[(term*s.M1+i)*s.N1:])
		}
	}
	return d
}

// bAt is where B has the weight [u, v] of a term.
func (k *Kronecker) bAt(term, u, v int) int {
	if k.aFirst {
		return (u*k.shape.N2+v)*k.shape.Terms + term
	}
	return (u*k.shape.Terms+term)*k.shape.N2 + v
}

// order works out where numbers stand, after a check that the orders of rows and
// columns are permutations.
func (k *Kronecker) order() error {
	s := k.shape
	var err error
	if k.out, k.toY, err = transposedPlaces(k.rows, s.M1, s.M2); err != nil {
		return fmt.Errorf("rows: %w", err)
	}
	if k.toIn, k.in, err = transposedPlaces(k.columns, s.N1, s.N2); err != nil {
		return fmt.Errorf("columns: %w", err)
	}
	return nil
}

// transposedPlaces returns where each number i, which is number order[i] of a vector
// [n1, n2], stands in the transposed vector [n2, n1], and the inverse.
func transposedPlaces(order []int32, n1, n2 int) (at, inverse reordering, err error) {
	switch {
	case order == nil && (n1 == 1 || n2 == 1):
		return at, inverse, nil
	case order == nil:
		return reordering{n1: n2, n2: n1}, reordering{n1: n1, n2: n2}, nil
	}
	n := n1 * n2
	if len(order) != n {
		return at, inverse, fmt.Errorf("an order of %d numbers, wanted are %d", len(order), n)
	}
	at.index, inverse.index = make([]int32, n), slices.Repeat([]int32{-1}, n)
	for i, from := range order {
		if from < 0 || int(from) >= n {
			return at, inverse, fmt.Errorf("an order of %d numbers has %d", n, from)
		}
		to := int(from)%n2*n1 + int(from)/n2
		if inverse.index[to] >= 0 {
			return at, inverse, fmt.Errorf("an order has %d twice", from)
		}
		at.index[i], inverse.index[to] = int32(to), int32(i)
	}
	return at, inverse, nil
}

// Shape implements Linear.
func (k *Kronecker) Shape() (out, in int) { return k.shape.M1 * k.shape.M2, k.shape.N1 * k.shape.N2 }

// Terms returns the shape of the sum, and whether A is multiplied with first.
func (k *Kronecker) Terms() (shape arch.Kronecker, aFirst bool) { return k.shape, k.aFirst }

// Forward implements Linear.
func (k *Kronecker) Forward(dst, x []float32, rows int) {
	out, in := k.Shape()
	for from := 0; from < rows; from += kroneckerRows {
		n := min(kroneckerRows, rows-from)
		d := dst[from*out:][:n*out]
		if k.out.same() {
			k.product(d, x[from*in:][:n*in], n)
		} else {
			gather(d, k.reordered(x[from*in:][:n*in], n), k.out, n)
		}
		k.addBias(d)
	}
}

// ForwardAdd implements Linear.
func (k *Kronecker) ForwardAdd(dst, x []float32, rows int) {
	out, in := k.Shape()
	for from := 0; from < rows; from += kroneckerRows {
		n := min(kroneckerRows, rows-from)
		d := dst[from*out:][:n*out]
		k.gradY = room(k.gradY, n*out)
		gather(k.gradY, k.reordered(x[from*in:][:n*in], n), k.out, n)
		kernels.Add(d, k.gradY)
		k.addBias(d)
	}
}

func (k *Kronecker) addBias(dst []float32) {
	if k.bias.Data != nil {
		kernels.AddBias(dst, k.bias.Data)
	}
}

// gather copies rows of src to dst, reordered.
func gather(dst, src []float32, p reordering, rows int) {
	switch {
	case p.same():
		copy(dst, src)
	case p.index == nil:
		kernels.Transpose(dst, src, rows, p.n1, p.n2)
	default:
		kernels.Gather(dst, src, p.index, rows)
	}
}

// gathered is gather to a buffer, or src itself.
func gathered(buf *[]float32, src []float32, p reordering, rows int) []float32 {
	if p.same() {
		return src
	}
	*buf = room(*buf, len(src))
	gather(*buf, src, p, rows)
	return *buf
}

// reordered returns K·x as [rows, m2, m1].
func (k *Kronecker) reordered(x []float32, rows int) []float32 {
	k.y = room(k.y, rows*k.shape.M1*k.shape.M2)
	k.product(k.y, x, rows)
	return k.y
}

// product sets y to K·x as [rows, m2, m1]. It leaves what is between the factors
// in k.z.
func (k *Kronecker) product(y, x []float32, rows int) {
	s := k.shape
	x = gathered(&k.x, x, k.in, rows)
	k.z = room(k.z, rows*k.between())
	if k.aFirst {
		k.A.Forward(k.z, x, rows*s.N2)
		kernels.MatMulEach(y, k.B, k.z, rows, s.M2, s.N2*s.Terms, s.M1)
	} else {
		kernels.MatMulEach(k.z, k.B, x, rows, s.M2*s.Terms, s.N2, s.N1)
		k.A.Forward(y, k.z, rows*s.M2)
	}
}

// between is how many numbers of a row stand between the factors.
func (k *Kronecker) between() int {
	if k.aFirst {
		return k.shape.N2 * k.shape.Terms * k.shape.M1
	}
	return k.shape.M2 * k.shape.Terms * k.shape.N1
}

// Backward implements trainable.
func (k *Kronecker) Backward(dx, dy, x []float32, rows int) { k.backward(dx, dy, x, rows, false) }

// BackwardAdd implements trainable.
func (k *Kronecker) BackwardAdd(dx, dy, x []float32, rows int) { k.backward(dx, dy, x, rows, true) }

func (k *Kronecker) backward(dx, dy, x []float32, rows int, add bool) {
	out, in := k.Shape()
	for from := 0; from < rows; from += kroneckerRows {
		n := min(kroneckerRows, rows-from)
		dyBlock, dxBlock := dy[from*out:][:n*out], dx[from*in:][:n*in]
		if k.bias.Data != nil {
			kernels.BiasBack(k.bias.Grad, dyBlock)
		}
		given := k.productBack(dyBlock, x[from*in:][:n*in], n)
		if !add {
			gather(dxBlock, given, k.toIn, n)
			continue
		}
		kernels.Add(dxBlock, gathered(&k.gradY, given, k.toIn, n))
	}
}

// productBack returns the gradient by K's input [rows, n2, n1] and gathers those
// of the factors.
func (k *Kronecker) productBack(dy, x []float32, rows int) []float32 {
	s, a := k.shape, back(k.A)
	k.reordered(x, rows)
	if !k.in.same() {
		x = k.x
	}
	dy = gathered(&k.gradY, dy, k.toY, rows)
	k.gradX, k.gradZ = room(k.gradX, rows*s.N1*s.N2), room(k.gradZ, len(k.z))
	if k.aFirst {
		k.bBack(k.gradZ, dy, k.z, rows, s.M2, s.N2*s.Terms, s.M1)
		a.Backward(k.gradX, k.gradZ, x, rows*s.N2)
	} else {
		a.Backward(k.gradZ, dy, k.z, rows*s.M2)
		k.bBack(k.gradX, k.gradZ, x, rows, s.M2*s.Terms, s.N2, s.N1)
	}
	return k.gradX
}

// bBack is the gradient of MatMulEach with B [p, q] by its input [rows, q, n], and
// adds that by B, row by row.
func (k *Kronecker) bBack(dx, dy, x []float32, rows, p, q, n int) {
	kernels.MatMulEach(dx, transposed(k.B, p, q), dy, rows, q, p, n)
	for r := range rows {
		kernels.MatMulAdd(k.gradB, dy[r*p*n:][:p*n], x[r*q*n:][:q*n], p, n, q)
	}
}

// transposed returns m [p, q] as [q, p].
func transposed(m []float32, p, q int) []float32 {
	t := make([]float32, len(m))
	for i := range p {
		for j := range q {
			t[j*p+i] = m[i*q+j]
		}
	}
	return t
}

// LookUp implements Table where A is one.
func (k *Kronecker) LookUp(dst []float32, tokens []int32) {
	s := k.shape
	k.lookUpA(tokens)
	k.x = room(k.x, len(tokens)*s.N1*s.N2)
	each := len(tokens) // that need the same rows of B
	if s.M2 > 1 {
		each = 1
	}
	for i := 0; i < len(tokens); i += each {
		kernels.MatMulEach(k.x[i*s.N1*s.N2:][:each*s.N1*s.N2], k.rowOfB(tokens[i]), k.z[i*s.Terms*s.N1:][:each*s.Terms*s.N1], each, s.N2, s.Terms, s.N1)
	}
	gather(dst[:len(k.x)], k.x, k.toIn, len(tokens))
}

// rowOfK is the row of the sum that a token has.
func (k *Kronecker) rowOfK(token int32) int {
	if k.rows == nil {
		return int(token)
	}
	return int(k.rows[token])
}

// rowOfB returns the row of every B that a token needs, [n2, terms].
func (k *Kronecker) rowOfB(token int32) []float32 {
	s := k.shape
	row := make([]float32, s.N2*s.Terms)
	for v := range s.N2 {
		for term := range s.Terms {
			row[v*s.Terms+term] = k.B[k.bAt(term, k.rowOfK(token)%s.M2, v)]
		}
	}
	return row
}

// lookUpA sets k.z to the rows of every A that tokens need, [t, terms, n1].
func (k *Kronecker) lookUpA(tokens []int32) {
	table, ok := k.A.(Table)
	if !ok {
		panic("model: the first factor of this table has no rows to look up")
	}
	k.ids = k.ids[:0]
	for _, token := range tokens {
		row := k.rowOfK(token) / k.shape.M2
		if !k.aFirst {
			k.ids = append(k.ids, int32(row))
			continue
		}
		for term := range k.shape.Terms {
			k.ids = append(k.ids, int32(term*k.shape.M1+row))
		}
	}
	k.z = room(k.z, len(tokens)*k.shape.Terms*k.shape.N1)
	table.LookUp(k.z, k.ids)
}

// LookUpBack implements trainableTable.
func (k *Kronecker) LookUpBack(dy []float32, tokens []int32) {
	s, t := k.shape, len(tokens)
	k.lookUpA(tokens)
	given := gathered(&k.gradX, dy[:t*s.N1*s.N2], k.in, t)
	k.gradZ = room(k.gradZ, len(k.z))
	grad := make([]float32, s.N2*s.Terms)
	for i, token := range tokens {
		row := given[i*s.N1*s.N2:][:s.N1*s.N2]
		z := k.z[i*s.Terms*s.N1:][:s.Terms*s.N1]
		kernels.MatMulEach(k.gradZ[i*s.Terms*s.N1:][:s.Terms*s.N1], transposed(k.rowOfB(token), s.N2, s.Terms), row, 1, s.Terms, s.N2, s.N1)
		kernels.MatMul(grad, row, z, s.N2, s.N1, s.Terms)
		k.addGradB(grad, token)
	}
	k.A.(trainableTable).LookUpBack(k.gradZ, k.ids)
}

// addGradB adds the gradient [n2, terms] of the rows of B that a token needs.
func (k *Kronecker) addGradB(grad []float32, token int32) {
	for i, g := range grad {
		k.gradB[k.bAt(i%k.shape.Terms, k.rowOfK(token)%k.shape.M2, i/k.shape.Terms)] += g
	}
}

// Factors implements Factored. B is too small to be one.
func (k *Kronecker) Factors() []Factor { return []Factor{{"a", k.A}} }

// WithFactors implements Factored.
func (k *Kronecker) WithFactors(others []Linear) Factored {
	return &Kronecker{
		A: others[0], B: k.B, shape: k.shape, aFirst: k.aFirst, bias: k.bias, gradB: k.gradB,
		rows: k.rows, columns: k.columns, kroneckerOrder: k.kroneckerOrder,
	}
}

func (k *Kronecker) freeze() Linear {
	freeze(&k.A)
	return k
}

// MACs returns the multiply-adds of a row's product: those with A, for every
// vector that it meets, and those with B.
func (k *Kronecker) MACs() int {
	s := k.shape
	if k.aFirst {
		return s.N2*macsOf(k.A) + s.M2*s.N2*s.Terms*s.M1
	}
	return s.M2*macsOf(k.A) + s.M2*s.N2*s.Terms*s.N1
}

// Form implements Formed.
func (k *Kronecker) Form() Form {
	return &kroneckerForm{
		Terms: k.shape.Terms, M2: k.shape.M2, N2: k.shape.N2, AFirst: k.aFirst,
		Rows: k.rows != nil, Columns: k.columns != nil, A: formOf(k.A),
	}
}

// Values implements Formed.
func (k *Kronecker) Values() ([]Stored, []float32) {
	all, err := k.Form().Arrays(k.Shape())
	if err != nil {
		panic("model: " + err.Error())
	}
	a, _ := valuesOf("a", k.A)
	copy(all, a)
	rest := all[len(a):]
	rest[0].Data, rest = k.B, rest[1:]
	for _, order := range [][]int32{k.rows, k.columns} {
		if order != nil {
			rest[0].Bytes, rest = orderBytes(order), rest[1:]
		}
	}
	return all, k.bias.Data
}

// Expand implements Formed.
func (k *Kronecker) Expand() *Dense {
	s, a := k.shape, Expand(k.A).Weight
	out, in := k.Shape()
	d := &Dense{Out: out, In: in, Weight: make([]float32, out*in), Bias: slices.Clone(k.bias.Data)}
	for i := range out {
		row := d.Row(i)
		for j := range row {
			p, q := k.rowOfK(int32(i)), j
			if k.columns != nil {
				q = int(k.columns[j])
			}
			for term := range s.Terms {
				at := p/s.M2*s.Terms*s.N1 + term*s.N1 + q/s.N2
				if k.aFirst {
					at = (term*s.M1+p/s.M2)*s.N1 + q/s.N2
				}
				row[j] += float32(a[at] * k.B[k.bAt(term, p%s.M2, q%s.N2)])
			}
		}
	}
	return d
}

// KroneckerForm is the form of a Kronecker matrix of a shape, with an order of its
// rows or columns or without.
func KroneckerForm(s arch.Kronecker, rows, columns bool) Form {
	return &kroneckerForm{Terms: s.Terms, M2: s.M2, N2: s.N2, AFirst: s.AFirst(), Rows: rows, Columns: columns}
}

// kroneckerForm is the form of Kronecker.
type kroneckerForm struct {
	Terms   int        `json:"terms"`
	M2      int        `json:"m2"`
	N2      int        `json:"n2"`
	AFirst  bool       `json:"a_first"`
	Rows    bool       `json:"rows"`    // an order of the rows is stored
	Columns bool       `json:"columns"` // an order of the columns is stored
	A       factorForm `json:"a,omitzero"`
}

func (f *kroneckerForm) Kind() string { return "kronecker" }

func (f *kroneckerForm) factors() []factorForm { return []factorForm{f.A} }

func (f *kroneckerForm) parts(out, in int) []Place {
	s, err := f.shape(out, in)
	if err != nil {
		return nil
	}
	aOut, aIn := f.shapeOfA(s)
	return []Place{{Name: "a", Out: aOut, In: aIn, Form: f.A.Form}}
}

func (f *kroneckerForm) withParts(forms []factorForm) Form {
	next := *f
	next.A = forms[0]
	return &next
}

// shape is that of the sum in place of a matrix [out, in].
func (f *kroneckerForm) shape(out, in int) (arch.Kronecker, error) {
	if f.M2 < 1 || f.N2 < 1 {
		return arch.Kronecker{}, fmt.Errorf("a factor [%d, %d]", f.M2, f.N2)
	}
	s := arch.Kronecker{Terms: f.Terms, M1: out / f.M2, N1: in / f.N2, M2: f.M2, N2: f.N2}
	return s, s.Validate(out, in)
}

// shapeOfA is how the first factors stand in one matrix.
func (f *kroneckerForm) shapeOfA(s arch.Kronecker) (out, in int) {
	if f.AFirst {
		return s.Terms * s.M1, s.N1
	}
	return s.M1, s.Terms * s.N1
}

func (f *kroneckerForm) Arrays(out, in int) ([]Stored, error) {
	s, err := f.shape(out, in)
	if err != nil {
		return nil, err
	}
	aOut, aIn := f.shapeOfA(s)
	all, err := f.A.arrays("a", aOut, aIn)
	if err != nil {
		return nil, err
	}
	b := Stored{Name: "b", DType: "F32", Shape: []int{s.M2, s.Terms, s.N2}, Weights: s.Terms * s.M2 * s.N2}
	if f.AFirst {
		b.Shape = []int{s.M2, s.N2, s.Terms}
	}
	all = append(all, b)
	if f.Rows {
		all = append(all, Stored{Name: "rows", DType: "I32", Shape: []int{out}})
	}
	if f.Columns {
		all = append(all, Stored{Name: "columns", DType: "I32", Shape: []int{in}})
	}
	return all, nil
}

func (f *kroneckerForm) Bind(out, in int, arrays []Stored, bias Bias) (Linear, error) {
	s, err := f.shape(out, in)
	if err != nil {
		return nil, err
	}
	aOut, aIn := f.shapeOfA(s)
	a, rest, err := f.A.bind("a", aOut, aIn, arrays, Bias{})
	if err != nil {
		return nil, err
	}
	k := &Kronecker{A: a, B: rest[0].Data, gradB: rest[0].Grad, shape: s, aFirst: f.AFirst, bias: bias}
	rest = rest[1:]
	if f.Rows {
		k.rows, rest = orderOf(rest[0].Bytes), rest[1:]
	}
	if f.Columns {
		k.columns = orderOf(rest[0].Bytes)
	}
	return k, k.order()
}

// orderOf reads an order as files have it.
func orderOf(bytes []byte) []int32 {
	order := make([]int32, len(bytes)/4)
	for i := range order {
		order[i] = int32(binary.LittleEndian.Uint32(bytes[4*i:]))
	}
	return order
}

func orderBytes(order []int32) []byte {
	bytes := alignedBytes(4 * len(order))
	for i, v := range order {
		binary.LittleEndian.PutUint32(bytes[4*i:], uint32(v))
	}
	return bytes
}
