package compress

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"

	"gonum.org/v1/gonum/mat"

	"plumb/arch"
	"plumb/kernels"
	"plumb/model"
)

func init() {
	Methods.Add("kronecker", Method{
		About: "sums of Kronecker products (Van Loan and Pitsianis 1993; KnGPT-2, TQCompressor)",
		New:   func() any { return &kronecker{Shape: "tq", Permute: "identity", Seed: 1, Steps: 20000} },
	})
}

// kronecker replaces a matrix by the nearest sum of Kronecker products, which is
// the truncated singular value decomposition of the matrix rearranged so that
// every product becomes of rank 1 (Van Loan and Pitsianis 1993).
type kronecker struct {
	// Shape names the shapes of factors, see KroneckerShapes, or gives one for
	// every matrix as m2xn2, that of B.
	Shape string `stage:"shape"`
	Terms int    `stage:"terms"` // of the sum; 0 for what the shape says
	// Permute is how rows and columns are put into another order first, so that
	// the sum comes nearer: one of permutations.
	Permute string `stage:"permute"`
	Seed    int    `stage:"seed"`  // of the search
	Steps   int    `stage:"steps"` // of the search, for each matrix

	fixed  *arch.Kronecker // of the matrix at hand; nil before a plan
	folded [2]bool         // sides that are in order already
	origin order           // where its rows and columns stood before that; nil where they are
}

func (k *kronecker) Check() error {
	if _, err := shapesNamed(k.Shape); err != nil {
		return err
	}
	if k.Terms < 0 {
		return fmt.Errorf("terms=%d: 1 or more are wanted", k.Terms)
	}
	if k.Steps < 0 {
		return fmt.Errorf("steps=%d: 0 or more are wanted", k.Steps)
	}
	return oneOf("permute", k.Permute, permutations)
}

// On says which matrices a named shape is made for.
func (k *kronecker) On() []string {
	shapes, _ := shapesNamed(k.Shape)
	return shapes.on
}

func (k *kronecker) Needs() Needs { return Nothing }

// Plan finds the shape of every matrix, gives the model an output matrix of its
// own where the token table is to be changed in a layout that keeps it dense, and
// puts hidden units in the order that suits the matrices before and behind them,
// which changes nothing of what the model computes.
func (k *kronecker) Plan(m *model.Model, _ *Calibration, places []model.Slot) (*Plan, error) {
	shapes, err := shapesNamed(k.Shape)
	if err != nil {
		return nil, err
	}
	at := map[string]*kronecker{}
	for _, p := range places {
		out, in := p.Matrix.Shape()
		s, ok := shapes.of(p.Name, p.Block, out, in)
		if !ok {
			continue
		}
		if k.Terms > 0 {
			s.Terms = k.Terms
		}
		if err := s.Validate(out, in); err != nil {
			return nil, fmt.Errorf("%s: %w", p.Name, err)
		}
		one := *k
		one.fixed = &s
		at[p.Name] = &one
	}
	if at["embedding"] != nil && shapes.untie && m.Config().TiedHead {
		if m, err = m.Untied(); err != nil {
			return nil, err
		}
	}
	if k.Permute != "identity" {
		if m, err = k.orderHidden(m, at); err != nil {
			return nil, err
		}
	}
	return &Plan{Model: m, At: func(place string) MatrixMethod {
		if one := at[place]; one != nil {
			return one
		}
		return nil
	}}, nil
}

func (k *kronecker) Matrix(w *model.Dense, _ *Inputs) (model.Linear, Notes, error) {
	if k.fixed == nil {
		return nil, nil, errors.New("kronecker is given a matrix without a plan")
	}
	shape := *k.fixed
	if shape.Weights() >= w.Out*w.In {
		return w.Clone(), Notes{"stays dense": 1, "kept energy": 1}, nil
	}
	o, moves, err := naturalOrder(w.Out, w.In), 0, error(nil)
	if k.Permute != "identity" {
		free := [2]bool{!k.folded[0], !k.folded[1]}
		if o, moves, err = searched(w, shape, o, k.Permute, k.Steps, uint64(k.Seed), free); err != nil {
			return nil, nil, err
		}
	}
	l, kept, err := nearest(w, shape, o)
	if err != nil {
		return nil, nil, err
	}
	notes := Notes{"terms": float64(shape.Terms), "kept energy": kept, "A first": 0}
	notes["multiply-adds of dense"] = float64(shape.MultiplyAdds(shape.AFirst())) / float64(w.Out*w.In)
	if shape.AFirst() {
		notes["A first"] = 1
	}
	if k.Permute == "identity" {
		return l, notes, nil
	}
	notes["moves"] = float64(moves)
	return l, notes, k.compare(notes, w)
}

// compare notes what the matrix would have kept in the order that it had, and in
// one at random.
func (k *kronecker) compare(notes Notes, w *model.Dense) error {
	was := naturalOrder(w.Out, w.In)
	if k.origin.rows != nil {
		was.rows = k.origin.rows
	}
	if k.origin.columns != nil {
		was.columns = k.origin.columns
	}
	random := rand.New(rand.NewPCG(uint64(k.Seed), 3))
	for name, o := range map[string]order{"identity": was, "random": {randomOrder(w.Out, random), randomOrder(w.In, random)}} {
		_, kept, err := nearest(w, *k.fixed, o)
		if err != nil {
			return err
		}
		notes["kept energy, "+name] = kept
	}
	return nil
}

// orderHidden puts the hidden units of every block in the order that keeps most of
// all matrices that have them as rows or columns and are to be replaced.
func (k *kronecker) orderHidden(m *model.Model, at map[string]*kronecker) (*model.Model, error) {
	replaced := map[string]model.Linear{}
	blocks, want := denseParts(m), 2
	if m.Config().Gated() {
		want = 3
	}
	for b := range m.Config().BlockCount() {
		prefix := fmt.Sprintf("blocks.%d.", b)
		if len(blocks[b]) != want { // another is in a form, whose rows cannot be moved
			continue
		}
		views := hiddenViews(blocks[b], func(part string) *kronecker { return at[prefix+part] })
		if len(views) == 0 {
			continue
		}
		sort, err := newSorter(views, uint64(k.Seed))
		if err != nil {
			return nil, err
		}
		to, err := sort.search(k.Permute, k.Steps)
		if err != nil {
			return nil, err
		}
		for part, d := range blocks[b] {
			replaced[prefix+part] = moved(d, part, to)
			if one := at[prefix+part]; one != nil {
				one.fold(part, to)
			}
		}
	}
	return m.With(replaced)
}

// denseParts are the dense matrices of feed-forward parts, by block and name.
func denseParts(m *model.Model) map[int]map[string]*model.Dense {
	blocks := map[int]map[string]*model.Dense{}
	for _, s := range m.Slots() {
		_, part, _ := strings.Cut(strings.TrimPrefix(s.Name, "blocks."), ".")
		if d, ok := s.Matrix.(*model.Dense); ok && s.Block >= 0 && strings.HasPrefix(part, "ffn.") {
			if blocks[s.Block] == nil {
				blocks[s.Block] = map[string]*model.Dense{}
			}
			blocks[s.Block][part] = d
		}
	}
	return blocks
}

// hiddenViews are how the matrices of a block that are to be replaced see the order
// of its hidden units.
func hiddenViews(parts map[string]*model.Dense, at func(part string) *kronecker) (views []*view) {
	for _, part := range ffn {
		one := at(part)
		if one == nil {
			continue
		}
		d := parts[part]
		o := naturalOrder(d.Out, d.In)
		switch {
		case one.fixed.M2*one.fixed.N2 > mostB:
		case part == "ffn.down" && one.fixed.N2 > 1:
			views = append(views, columnsView(d, *one.fixed, o))
		case part != "ffn.down" && one.fixed.M2 > 1:
			views = append(views, rowsView(d, *one.fixed, o))
		}
	}
	return views
}

// moved is a matrix of a feed-forward part with its hidden units in another order.
func moved(d *model.Dense, part string, to []int32) *model.Dense {
	o := order{to, natural(d.In)}
	if part == "ffn.down" {
		o = order{natural(d.Out), to}
	}
	m := &model.Dense{Out: d.Out, In: d.In, Weight: ordered(d, o), Bias: slices.Clone(d.Bias)}
	for i, v := range d.Bias {
		m.Bias[o.rows[i]] = v
	}
	return m
}

// fold notes that the hidden units of the matrix are in another order.
func (k *kronecker) fold(part string, to []int32) {
	if part == "ffn.down" {
		k.folded[1], k.origin.columns = true, inverse(to)
	} else {
		k.folded[0], k.origin.rows = true, inverse(to)
	}
}

// rearranged returns R(W) [m2·n2, m1·n1] transposed: row (u, v) has the weights that
// B[u, v] multiplies in the matrix, put in order o.
func rearranged(w *model.Dense, s arch.Kronecker, o order) *mat.Dense {
	r := mat.NewDense(s.M2*s.N2, s.M1*s.N1, nil)
	for i := range w.Out {
		p := int(o.rows[i])
		for j, v := range w.Row(i) {
			q := int(o.columns[j])
			r.Set(p%s.M2*s.N2+q%s.N2, p/s.M2*s.N1+q/s.N2, float64(v))
		}
	}
	return r
}

// spectrum returns the greatest eigenvalues of a Gram matrix and their vectors as
// columns.
func spectrum(gram *mat.SymDense, terms int) (values []float64, vectors *mat.Dense, err error) {
	var e mat.EigenSym
	if !e.Factorize(gram, true) {
		return nil, nil, errors.New("the eigenvalues of the rearranged matrix did not converge")
	}
	n, _ := gram.Dims()
	all, every := e.Values(nil), mat.NewDense(n, n, nil)
	e.VectorsTo(every)
	vectors = mat.NewDense(n, terms, nil)
	for t := range terms {
		values = append(values, max(0, all[n-1-t]))
		for i := range n {
			vectors.Set(i, t, every.At(i, n-1-t))
		}
	}
	return values, vectors, nil
}

// nearest returns the sum of Kronecker products nearest to w in order o. The
// second factors are the singular vectors of the shorter side of R(W), from its
// small Gram matrix, and the first ones what R(W) makes of them; the root of a
// singular value goes to either side.
func nearest(w *model.Dense, s arch.Kronecker, o order) (l *model.Kronecker, kept float64, err error) {
	r := rearranged(w, s, o)
	u, v, values, err := topTerms(r, s.Terms)
	if err != nil {
		return nil, 0, err
	}
	a, b := make([]float32, s.Terms*s.M1*s.N1), make([]float32, s.Terms*s.M2*s.N2)
	for t, value := range values {
		kept += value * value
		root := math.Sqrt(value)
		for i := range s.M2 * s.N2 {
			b[t*s.M2*s.N2+i] = float32(u.At(i, t) * root)
		}
		for i := range s.M1 * s.N1 {
			a[t*s.M1*s.N1+i] = float32(v.At(i, t) * root)
		}
	}
	if !kernels.AllFinite(a) || !kernels.AllFinite(b) {
		return nil, 0, errors.New("the factors hold a NaN or Inf")
	}
	if all := kernels.SumSquares(w.Weight); all > 0 {
		kept /= all
	} else {
		kept = 1
	}
	return model.NewKronecker(s, a, b, w.Bias, unlessNatural(o.rows), unlessNatural(o.columns)), kept, nil
}

// topTerms returns the first singular vectors of r and their values.
func topTerms(r *mat.Dense, terms int) (u, v *mat.Dense, values []float64, err error) {
	rows, cols := r.Dims()
	if rows > cols {
		v, u, values, err = topTerms(mat.DenseCopyOf(r.T()), terms)
		return u, v, values, err
	}
	gram := mat.NewSymDense(rows, nil)
	gram.SymOuterK(1, r)
	values, u, err = spectrum(gram, terms)
	if err != nil {
		return nil, nil, nil, err
	}
	v = mat.NewDense(cols, terms, nil)
	v.Mul(r.T(), u)
	for t := range terms {
		norm := mat.Norm(v.ColView(t), 2) // the singular value, more exact than the root of the eigenvalue
		for i := range cols {
			if norm > 0 {
				v.Set(i, t, v.At(i, t)/norm)
			}
		}
		values[t] = norm
	}
	return u, v, values, nil
}
