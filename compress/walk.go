package compress

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"plumb/kernels"
	"plumb/model"
)

// Options are how a method is applied.
type Options struct {
	// Parallel lets a method see what the uncompressed model computes. Otherwise
	// each matrix is fitted to what those before it, already compressed, leave:
	// attention's q, k, v, then its output, then gate and up, then down
	// ("true sequential" in GPTQ's code).
	Parallel bool
	Progress func(done, all int) // after every matrix; nil for none
}

// A Change is what became of one matrix, or of one factor of a matrix that was
// factored before.
type Change struct {
	Slot   string  // as model.Places names it
	Form   string  // kind of its form, "dense" where it stays so
	Error  float64 // |W-W'| / |W|, Frobenius norms
	Output float64 // |X(W-W')ᵀ| / |XWᵀ| on the calibration text; NaN without one
	Notes  Notes
	Time   time.Duration // of processor and all else that the method took
}

// Apply makes a smaller model of m, which is unchanged, and says what became of
// every matrix. cal may be nil for a method that needs no text. What Foresee refuses
// is refused before any work.
func (w *Worker) Apply(ctx context.Context, m *model.Model, cal *Calibration, o Options) (*model.Model, []Change, error) {
	if _, err := w.Foresee(m.Outline()); err != nil {
		return nil, nil, err
	}
	if whole, ok := w.work.(ModelMethod); ok {
		if w.Method.Text && (cal == nil || len(cal.Texts) == 0) {
			return nil, nil, fmt.Errorf("stage %q learns from text: give it some", w.Stage)
		}
		start := time.Now()
		smaller, notes, err := whole.Model(m, cal)
		if err != nil {
			return nil, nil, fmt.Errorf("stage %q: %w", w.Stage, err)
		}
		if name, ok := smaller.AllFinite(); !ok {
			return nil, nil, fmt.Errorf("stage %q: array %s holds a NaN or Inf afterwards", w.Stage, name)
		}
		return smaller, []Change{{Slot: "model", Output: math.NaN(), Error: math.NaN(), Notes: notes, Time: time.Since(start)}}, nil
	}
	walk := &walk{Worker: w, ctx: ctx, method: w.work.(MatrixMethod), model: m, cal: cal, options: o}
	if err := walk.prepare(); err != nil {
		return nil, nil, fmt.Errorf("stage %q: %w", w.Stage, err)
	}
	if err := walk.run(); err != nil {
		return nil, nil, fmt.Errorf("stage %q: %w", w.Stage, err)
	}
	if name, ok := walk.model.AllFinite(); !ok {
		return nil, nil, fmt.Errorf("stage %q: array %s holds a NaN or Inf afterwards", w.Stage, name)
	}
	return walk.model, walk.changes, nil
}

// walk goes over the matrices of a model, in groups that see the same inputs.
type walk struct {
	*Worker
	ctx     context.Context
	method  MatrixMethod
	model   *model.Model // as far as it has come
	cal     *Calibration
	options Options
	inputs  map[string]*Inputs // of all slots, where the walk is parallel
	at      func(place string) MatrixMethod
	changes []Change
	front   *front // where the text has come to, in a walk that is not parallel

	done, all int // matrices
}

// prepare lets a method that wants to change the model as a whole do so.
func (w *walk) prepare() error {
	p, ok := w.method.(Preparer)
	if !ok {
		return nil
	}
	if w.cal == nil || len(w.cal.Texts) == 0 {
		return errNoText
	}
	start := time.Now()
	m, notes, err := p.Prepare(w.model, w.cal)
	if err != nil {
		return err
	}
	w.model = m
	w.changes = append(w.changes, Change{Slot: "model", Form: "dense", Output: math.NaN(), Error: math.NaN(), Notes: notes, Time: time.Since(start)})
	return nil
}

func (w *walk) run() error {
	if err := w.plan(); err != nil {
		return err
	}
	groups := w.groups()
	for _, g := range groups {
		w.all += len(g)
	}
	if w.all == 0 {
		return w.nothing(w.model.Outline())
	}
	needs := w.method.Needs()
	if w.parallel() && needs != Nothing {
		var err error
		if w.inputs, err = w.cal.gather(w.model, needs, func(slot string) bool { return true }); err != nil {
			return err
		}
	}
	for _, group := range groups {
		if err := w.group(group, needs); err != nil {
			return err
		}
	}
	return nil
}

// parallel reports whether all inputs are those of the model as it was.
func (w *walk) parallel() bool {
	method, ok := w.method.(Onlooker)
	return w.options.Parallel || ok && method.Original()
}

// groups lists the places that are worked on, those with the same inputs
// together. A matrix in factors is worked on factor by factor.
func (w *walk) groups() [][]string {
	sameInput := map[string]string{"attention.k": "attention.q", "attention.v": "attention.q", "ffn.up": "ffn.gate"}
	var groups [][]string
	last := ""
	for _, s := range w.model.Slots() {
		if !s.Matches(w.on) {
			continue
		}
		if f, ok := s.Matrix.(model.Factored); ok {
			for _, factor := range large(f, s.Name) {
				if w.chosen(factor) {
					groups, last = append(groups, []string{factor}), ""
				}
			}
			continue
		}
		if !w.chosen(s.Name) {
			continue
		}
		key := s.Name
		for part, first := range sameInput {
			if prefix, ok := strings.CutSuffix(s.Name, part); ok {
				key = prefix + first
			}
		}
		if key != last {
			groups, last = append(groups, nil), key
		}
		groups[len(groups)-1] = append(groups[len(groups)-1], s.Name)
	}
	return groups
}

// chosen reports whether the plan, if there is one yet, works on a place.
func (w *walk) chosen(place string) bool { return w.at == nil || w.at(place) != nil }

// leastShare of the weights of a factored matrix makes a factor worth compressing.
const leastShare = 1.0 / 64

// large lists the places of the factors of f, which stands in slot, that hold
// more than a few of its weights.
func large(f model.Factored, slot string) []string {
	var names []string
	for _, factor := range f.Factors() {
		name := slot + "." + factor.Name
		inner, ok := factor.Matrix.(model.Factored)
		switch {
		case ok:
			names = append(names, large(inner, name)...)
		case float64(entries(factor.Matrix)) >= leastShare*float64(entriesOf(f)):
			names = append(names, name)
		}
	}
	return names
}

func entries(l model.Linear) int {
	out, in := l.Shape()
	return out * in
}

func entriesOf(f model.Factored) int {
	n := 0
	for _, factor := range f.Factors() {
		n += entries(factor.Matrix)
	}
	return n
}

// group replaces the matrices of one group.
func (w *walk) group(slots []string, needs Needs) error {
	inputs := w.inputs
	if inputs == nil && needs != Nothing {
		var err error
		inputs, err = w.look(slots, needs)
		if err != nil {
			return err
		}
	}
	replaced := map[string]model.Linear{}
	for _, s := range w.model.Places() {
		if !slices.Contains(slots, s.Name) {
			continue
		}
		if err := w.ctx.Err(); err != nil {
			return err
		}
		l, err := w.matrix(s, inputs[s.Name])
		if err != nil {
			return fmt.Errorf("%s: %w", s.Name, err)
		}
		replaced[s.Name] = l
		if w.done++; w.options.Progress != nil {
			w.options.Progress(w.done, w.all)
		}
	}
	next, err := w.model.With(replaced)
	if err != nil {
		return err
	}
	w.model = next
	return nil
}

// matrix replaces one matrix. One that is in a form already is taken as the
// dense matrix that it stands for.
func (w *walk) matrix(s model.Slot, in *Inputs) (model.Linear, error) {
	start := time.Now()
	dense := model.Expand(s.Matrix)
	if !kernels.AllFinite(dense.Weight) {
		return nil, errors.New("the matrix holds a NaN or Inf")
	}
	l, notes, err := w.at(s.Name).Matrix(dense, in)
	if err != nil {
		return nil, err
	}
	change := Change{Slot: s.Name, Form: "dense", Notes: notes, Time: time.Since(start)}
	if f, ok := l.(model.Formed); ok {
		change.Form = f.Form().Kind()
	}
	change.Error, change.Output = distances(dense, model.Expand(l), in)
	w.changes = append(w.changes, change)
	return l, nil
}

// distances returns how far b is from a: of the weights, and of the outputs for
// inputs whose Gram matrix is known, else NaN. Both are relative.
func distances(a, b *model.Dense, in *Inputs) (weights, outputs float64) {
	difference := make([]float32, len(a.Weight))
	for i, v := range a.Weight {
		difference[i] = v - b.Weight[i]
	}
	weights = ratio(kernels.SumSquares(difference), kernels.SumSquares(a.Weight))
	if in == nil || in.Gram == nil {
		return weights, math.NaN()
	}
	return weights, ratio(energy(difference, in.Gram, a.In), energy(a.Weight, in.Gram, a.In))
}

// ratio is the root of a quotient; 0 of 0 is 0.
func ratio(part, whole float64) float64 {
	if part == 0 {
		return 0
	}
	return math.Sqrt(part / whole)
}

// energy is the sum over rows w of wᵀGw: the squared norm of what the rows make
// of inputs with this Gram matrix.
func energy(rows []float32, gram []float64, in int) float64 {
	sum := 0.0
	for ; len(rows) > 0; rows = rows[in:] {
		for i, v := range rows[:in] {
			if v == 0 {
				continue
			}
			dot := 0.0
			for j, g := range gram[i*in : (i+1)*in] {
				dot += float64(g * float64(rows[j]))
			}
			sum += float64(float64(v) * dot)
		}
	}
	return sum
}
