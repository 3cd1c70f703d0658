package compress

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"

	"gonum.org/v1/gonum/mat"

	"plumb/arch"
	"plumb/kernels"
	"plumb/model"
)

// permutations are the ways to put rows and columns in order before a matrix is
// replaced by a sum of Kronecker products: as they are; at random; rows alike
// side by side; from there by swaps of two as long as they help; and by swaps that
// sometimes harm, ever more rarely.
var permutations = []string{"identity", "random", "greedy", "swaps", "anneal"}

// mostB is how many weights B may have where orders are searched.
const mostB = 64

// An order says where rows and columns of a matrix are put: row i of the matrix
// is row rows[i] of the sum.
type order struct{ rows, columns []int32 }

func naturalOrder(out, in int) order { return order{natural(out), natural(in)} }

func natural(n int) []int32 {
	ids := make([]int32, n)
	for i := range ids {
		ids[i] = int32(i)
	}
	return ids
}

// inverse of a permutation.
func inverse(p []int32) []int32 {
	q := make([]int32, len(p))
	for i, v := range p {
		q[v] = int32(i)
	}
	return q
}

// unlessNatural is p as a form has it: nil where nothing moves.
func unlessNatural(p []int32) []int32 {
	for i, v := range p {
		if int(v) != i {
			return p
		}
	}
	return nil
}

func randomOrder(n int, random *rand.Rand) []int32 {
	p := natural(n)
	random.Shuffle(n, func(i, j int) { p[i], p[j] = p[j], p[i] })
	return p
}

// A view is a matrix whose rows are to be put in order: tuples of group rows
// become rows of A, and B has a row for each member of a tuple. The columns stay
// as they are, in tuples of width.
//
// Let b_t be the terms' matrices B, of length 1 and at right angles. A tuple keeps
// Σ_t |b_t · block|² of each block [group, width] of it; for the best b_t, the
// eigenvectors of the Gram matrix of all blocks, that is what the sum of terms
// keeps. A move that gains with b_t as they are gains at least as much with the
// best ones after it, so they need not be found anew for every move.
type view struct {
	rows         [][]float32 // in the order so far
	group, width int
	basis        [][]float64 // [terms][group·width]
	kept         []float64   // of each tuple
}

// newView looks at the rows of x [n, columns].
func newView(x []float32, columns, group, width, terms int) *view {
	v := &view{group: group, width: width, basis: make([][]float64, terms)}
	for ; len(x) > 0; x = x[columns:] {
		v.rows = append(v.rows, x[:columns])
	}
	v.kept = make([]float64, len(v.rows)/group)
	return v
}

// rowsOf and columnsOf are views of a matrix in order o, of its rows and of its
// columns.
func rowsView(w *model.Dense, s arch.Kronecker, o order) *view {
	return newView(ordered(w, o), w.In, s.M2, s.N2, s.Terms)
}

func columnsView(w *model.Dense, s arch.Kronecker, o order) *view {
	t := &model.Dense{Out: w.In, In: w.Out, Weight: turned(w.Weight, w.Out, w.In)}
	x, columns := ordered(t, order{o.columns, o.rows}), w.Out
	if s.M2 == 1 && columns > w.In { // only inner products of columns count
		x, columns = compact(x, w.In, columns)
	}
	return newView(x, columns, s.N2, s.M2, s.Terms)
}

// ordered returns the weights of w in order o.
func ordered(w *model.Dense, o order) []float32 {
	x := make([]float32, len(w.Weight))
	for i := range w.Out {
		to := x[int(o.rows[i])*w.In:][:w.In]
		for j, v := range w.Row(i) {
			to[o.columns[j]] = v
		}
	}
	return x
}

// turned is x [rows, columns] transposed.
func turned(x []float32, rows, columns int) []float32 {
	t := make([]float32, len(x))
	for i := range rows {
		for j, v := range x[i*columns : (i+1)*columns] {
			t[j*rows+i] = v
		}
	}
	return t
}

// compact returns n shorter rows with the inner products of those of x, and their
// length.
func compact(x []float32, n, columns int) ([]float32, int) {
	products := make([]float32, n*n)
	kernels.MatMul(products, x, x, n, columns, n)
	g := mat.NewSymDense(n, nil)
	for i := range n {
		for j := i; j < n; j++ {
			g.SetSym(i, j, float64(products[i*n+j]))
		}
	}
	values, vectors, err := spectrum(g, n)
	if err != nil {
		return x, columns
	}
	short := make([]float32, n*n)
	for i := range n {
		for j, v := range values {
			short[i*n+j] = float32(vectors.At(i, j) * math.Sqrt(v))
		}
	}
	return short, n
}

// fit finds the best basis for the order so far and what every tuple keeps.
func (v *view) fit() error {
	n := v.group * v.width
	gram, block := make([]float64, n*n), make([]float64, n)
	for a := range v.kept {
		rows := v.rows[a*v.group : (a+1)*v.group]
		for b := 0; b < len(rows[0]); b += v.width {
			for i := range block {
				block[i] = float64(rows[i/v.width][b+i%v.width])
			}
			for i, x := range block {
				for j, y := range block[i:] {
					gram[i*n+i+j] += float64(x * y)
				}
			}
		}
	}
	_, vectors, err := spectrum(mat.NewSymDense(n, gram), len(v.basis))
	if err != nil {
		return err
	}
	for t := range v.basis {
		v.basis[t] = mat.Col(nil, t, vectors)
	}
	for a := range v.kept {
		v.kept[a] = v.energy(v.rows[a*v.group : (a+1)*v.group])
	}
	return nil
}

// energy is what a tuple of rows keeps.
func (v *view) energy(rows [][]float32) float64 {
	sum := 0.0
	for _, basis := range v.basis {
		for b := 0; b < len(rows[0]); b += v.width {
			dot, at := 0.0, 0
			for _, row := range rows {
				for _, x := range row[b : b+v.width] {
					dot += float64(basis[at] * float64(x))
					at++
				}
			}
			sum += float64(dot * dot)
		}
	}
	return sum
}

// swap exchanges two rows and returns what that gains.
func (v *view) swap(i, j int) float64 {
	v.rows[i], v.rows[j] = v.rows[j], v.rows[i]
	a, b := i/v.group, j/v.group
	gain := v.again(a)
	if a != b {
		gain += v.again(b)
	}
	return gain
}

// again works out what a tuple keeps and returns by how much more that is.
func (v *view) again(a int) float64 {
	was := v.kept[a]
	v.kept[a] = v.energy(v.rows[a*v.group : (a+1)*v.group])
	return v.kept[a] - was
}

// total is what all tuples keep.
func (v *view) total() float64 {
	sum := 0.0
	for _, k := range v.kept {
		sum += k
	}
	return sum
}

// A sorter searches one order of rows for several views at once.
type sorter struct {
	views  []*view
	at     []int32 // the row that stands at a place
	random *rand.Rand
	moves  int
}

func newSorter(views []*view, seed uint64) (*sorter, error) {
	s := &sorter{views: views, at: natural(len(views[0].rows)), random: rand.New(rand.NewPCG(seed, uint64(len(views[0].rows))))}
	return s, s.fit()
}

func (s *sorter) fit() error {
	for _, v := range s.views {
		if err := v.fit(); err != nil {
			return err
		}
	}
	return nil
}

func (s *sorter) total() float64 {
	sum := 0.0
	for _, v := range s.views {
		sum += v.total()
	}
	return sum
}

// swap exchanges two rows in all views.
func (s *sorter) swap(i, j int) (gain float64) {
	s.at[i], s.at[j] = s.at[j], s.at[i]
	for _, v := range s.views {
		gain += v.swap(i, j)
	}
	return gain
}

// arrange puts row at[i] of the order so far at place i.
func (s *sorter) arrange(at []int32) error {
	s.at = picked(s.at, at)
	for _, v := range s.views {
		v.rows = picked(v.rows, at)
	}
	return s.fit()
}

func picked[T any](from []T, at []int32) []T {
	to := make([]T, len(at))
	for i, j := range at {
		to[i] = from[j]
	}
	return to
}

// fits is how often the basis is found anew while swaps are tried.
const fits = 40

// climb tries swaps and keeps those that gain, at a temperature also some that
// lose. Heat falls from one to a thousandth of it.
func (s *sorter) climb(steps int, heat float64) error {
	n := len(s.at)
	for step := range steps {
		if step%max(1, steps/fits) == 0 {
			if err := s.fit(); err != nil {
				return err
			}
		}
		i, j := s.random.IntN(n), s.random.IntN(n)
		if i == j {
			continue
		}
		gain := s.swap(i, j)
		t := heat * kernels.Exp64(-7*float64(step)/float64(steps))
		if gain > 0 || heat > 0 && s.random.Float64() < kernels.Exp64(max(-700, gain/t)) {
			s.moves++
			continue
		}
		s.swap(i, j)
	}
	return s.fit()
}

// heat is what a swap loses on average.
func (s *sorter) heat() float64 {
	sum, n := 0.0, len(s.at)
	for range 100 {
		i, j := s.random.IntN(n), s.random.IntN(n)
		sum += math.Abs(s.swap(i, j))
		s.swap(i, j)
	}
	return sum / 100
}

// group puts rows together whose directions are alike, up to their sign: the
// longest row that is left begins a tuple, and those most like it fill it.
func (s *sorter) group() []int32 {
	size, n := 1, len(s.at)
	for _, v := range s.views {
		size = max(size, v.group)
	}
	like := s.likeness()
	left := natural(n)
	slices.SortStableFunc(left, func(i, j int32) int {
		switch a, b := like[int(i)*n+int(i)], like[int(j)*n+int(j)]; {
		case a > b:
			return -1
		case a < b:
			return 1
		}
		return 0
	})
	var at []int32
	taken := make([]bool, n)
	for _, first := range left {
		for member := 0; member < size && !taken[first] || member > 0 && member < size && len(at) < n; member++ {
			next := first
			if member > 0 {
				next = most(like[int(first)*n:][:n], taken)
			}
			taken[next] = true
			at = append(at, next)
		}
	}
	return at
}

// most is the place of the greatest number that is not taken.
func most(of []float32, taken []bool) int32 {
	best := int32(-1)
	for i, v := range of {
		if !taken[i] && (best < 0 || v > of[best]) {
			best = int32(i)
		}
	}
	return best
}

// likeness is |cos| of every two rows, added up over views, and on the diagonal
// the squared length of a row.
func (s *sorter) likeness() []float32 {
	n := len(s.at)
	like := make([]float32, n*n)
	for _, v := range s.views {
		x := slices.Concat(v.rows...)
		products := make([]float32, n*n)
		kernels.MatMul(products, x, x, n, len(v.rows[0]), n)
		for i := range n {
			for j := range n {
				a, b := products[i*n+i], products[j*n+j]
				switch {
				case i == j:
					like[i*n+j] += a
				case a > 0 && b > 0:
					like[i*n+j] += float32(math.Abs(float64(products[i*n+j])) / math.Sqrt(float64(a)*float64(b)))
				}
			}
		}
	}
	return like
}

// search puts the rows in order by a method, and returns where each row goes.
func (s *sorter) search(method string, steps int) ([]int32, error) {
	n := len(s.at)
	if method == "random" {
		return randomOrder(n, s.random), nil
	}
	start := s.total()
	if err := s.arrange(s.group()); err != nil {
		return nil, err
	}
	if s.total() < start { // as they were is better
		if err := s.arrange(inverse(s.at)); err != nil {
			return nil, err
		}
	}
	switch method {
	case "swaps":
		if err := s.climb(steps, 0); err != nil {
			return nil, err
		}
	case "anneal":
		if err := s.climb(steps, s.heat()); err != nil {
			return nil, err
		}
		if s.total() < start {
			s.at = natural(n)
		}
	}
	return inverse(s.at), nil
}

// rounds is how often rows and columns are put in order in turn, each fitted to
// the other.
const rounds = 4

// A swap search ends where no swap helps, which need not be the best order. Where
// no side has more than fewRows it begins again at random orders, restarts times
// or until it keeps all.
const (
	fewRows  = 64
	restarts = 10
)

// searchable reports a B for which no order can be searched.
func searchable(s arch.Kronecker, method string) error {
	if s.M2*s.N2 <= mostB || method == "identity" {
		return nil
	}
	return fmt.Errorf("permute=%s of B [%d, %d]: its %d weights are too many for a search, which takes up to %d", method, s.M2, s.N2, s.M2*s.N2, mostB)
}

// searched returns the order of w that the method finds, from order o on, and how
// many moves led there; free says which of rows and columns may move.
func searched(w *model.Dense, s arch.Kronecker, o order, method string, steps int, seed uint64, free [2]bool) (order, int, error) {
	if err := searchable(s, method); err != nil {
		return o, 0, err
	}
	free[0], free[1] = free[0] && s.M2 > 1, free[1] && s.N2 > 1
	tries, random := 1, rand.New(rand.NewPCG(seed, 4))
	if method != "random" && method != "greedy" && (free[0] || free[1]) && max(w.Out, w.In) <= fewRows {
		tries += restarts
	}
	best, most, moves := o, -1.0, 0
	for try := range tries {
		at, n, err := inTurn(w, s, o, method, steps, seed+uint64(100*try), free)
		if err != nil {
			return o, 0, err
		}
		if moves += n; tries == 1 {
			return at, moves, nil
		}
		_, kept, err := nearest(w, s, at)
		if err != nil {
			return o, 0, err
		}
		if kept > most {
			best, most = at, kept
		}
		if most > 1-1e-9 {
			break
		}
		if free[0] {
			o.rows = randomOrder(w.Out, random)
		}
		if free[1] {
			o.columns = randomOrder(w.In, random)
		}
	}
	return best, moves, nil
}

// inTurn puts rows and columns in order, the ones after the others.
func inTurn(w *model.Dense, s arch.Kronecker, o order, method string, steps int, seed uint64, free [2]bool) (order, int, error) {
	moves, turns := 0, rounds
	if method == "random" || method == "greedy" || !free[0] || !free[1] {
		turns = 1
	}
	for round := range turns {
		for side := range free {
			if !free[side] {
				continue
			}
			look := rowsView
			if side == 1 {
				look = columnsView
			}
			sort, err := newSorter([]*view{look(w, s, o)}, seed+uint64(2*round+side))
			if err != nil {
				return o, 0, err
			}
			to, err := sort.search(method, steps/turns)
			if err != nil {
				return o, 0, err
			}
			moves += sort.moves
			if side == 0 {
				o.rows = picked(to, o.rows)
			} else {
				o.columns = picked(to, o.columns)
			}
		}
	}
	return o, moves, nil
}
