package compress

import (
	"errors"
	"fmt"
	"strings"

	"plumb/kernels"
	"plumb/model"
)

// A Calibration is text that shows a method what the matrices of a model are
// given to multiply. It is part of a trial: another text makes another model.
type Calibration struct {
	Texts [][]int32 // token ids, each at most a context long
	Hash  string    // names the texts in records
}

// Tokens counts those of all texts.
func (c *Calibration) Tokens() int {
	n := 0
	for _, text := range c.Texts {
		n += len(text)
	}
	return n
}

// Needs says what a method wants to know of the inputs x [rows, in] of a matrix.
type Needs int

// What can be known. They are added up with |.
const (
	Moments   Needs = 1 << iota // Inputs.MeanAbs, MeanSquare, MaxAbs
	Gram                        // Inputs.Gram
	Rows                        // Inputs.X
	Gradients                   // Inputs.Fisher
	Nothing   Needs = 0
)

// Inputs is what the calibration text showed of one matrix [out, in].
type Inputs struct {
	Slot       string
	Rows       int       // how many inputs were seen
	MeanAbs    []float64 // [in] mean of |x|
	MeanSquare []float64 // [in] mean of x²
	MaxAbs     []float64 // [in] greatest |x|
	Gram       []float64 // [in, in] sum over rows of x xᵀ
	X          []float32 // [Rows, in] the inputs themselves
	Fisher     []float32 // [out, in] mean over texts of the squared gradient of the loss

	needs Needs
	in    int
	sum   []float32 // of a chunk of the Gram matrix
}

// gramRows is how many rows are added in float32 before the sum joins the Gram
// matrix in float64.
const gramRows = 256

func newInputs(slot string, in int, needs Needs) *Inputs {
	s := &Inputs{Slot: slot, needs: needs, in: in}
	if needs&Moments != 0 {
		s.MeanAbs, s.MeanSquare, s.MaxAbs = make([]float64, in), make([]float64, in), make([]float64, in)
	}
	if needs&Gram != 0 {
		s.Gram, s.sum = make([]float64, in*in), make([]float32, in*in)
	}
	return s
}

// see adds rows of x [rows, in].
func (s *Inputs) see(x []float32, rows int) {
	s.Rows += rows
	if s.needs&Moments != 0 {
		s.moments(x)
	}
	if s.needs&Gram != 0 {
		for from := 0; from < rows; from += gramRows {
			s.gram(x[from*s.in:min(from+gramRows, rows)*s.in], min(gramRows, rows-from))
		}
	}
	if s.needs&Rows != 0 {
		s.X = append(s.X, x...)
	}
}

// moments adds up; finish divides.
func (s *Inputs) moments(x []float32) {
	for ; len(x) > 0; x = x[s.in:] {
		for i, v := range x[:s.in] {
			a := float64(v)
			s.MeanSquare[i] += float64(a * a) // not fused with the sum, so that all processors agree
			if a < 0 {
				a = -a
			}
			s.MeanAbs[i] += a
			s.MaxAbs[i] = max(s.MaxAbs[i], a)
		}
	}
}

func (s *Inputs) gram(x []float32, rows int) {
	clear(s.sum)
	kernels.MatMulBackW(s.sum, x, x, rows, s.in, s.in)
	for i, v := range s.sum {
		s.Gram[i] += float64(v)
	}
}

// finish turns sums into means and reports inputs that are no numbers.
func (s *Inputs) finish() error {
	if s.Rows == 0 {
		return fmt.Errorf("%s: the calibration text is empty", s.Slot)
	}
	bad := false
	for i := range s.MeanSquare {
		s.MeanAbs[i] /= float64(s.Rows)
		s.MeanSquare[i] /= float64(s.Rows)
		bad = bad || !(s.MeanSquare[i] < 1e300)
	}
	for _, v := range s.Gram {
		bad = bad || !(v > -1e300 && v < 1e300)
	}
	if bad || !kernels.AllFinite(s.X) {
		return fmt.Errorf("%s: the calibration text makes the model compute NaN or Inf: the model is broken, or the text is not for it", s.Slot)
	}
	s.sum = nil
	return nil
}

var errNoText = errors.New("this method learns from text: give it some (--text, or the data of the spec)")

// gather shows m the text and returns what the slots that want says were given.
func (c *Calibration) gather(m *model.Model, needs Needs, want func(slot string) bool) (map[string]*Inputs, error) {
	if c == nil || len(c.Texts) == 0 {
		return nil, errNoText
	}
	seen, err := watchers(m, needs, want).after(m, func(see model.Observer) error { return m.Observe(c.Texts, see) })
	if err == nil && needs&Gradients != 0 {
		err = c.fisher(m, seen)
	}
	return seen, err
}

// watched is what some slots were given.
type watched map[string]*Inputs

// watchers are those for the slots of m that want says.
func watchers(m *model.Model, needs Needs, want func(slot string) bool) watched {
	seen := watched{}
	for _, s := range m.Places() {
		if _, in := s.Matrix.Shape(); want(s.Name) {
			seen[s.Name] = newInputs(s.Name, in, needs)
		}
	}
	return seen
}

// after lets watchers see what show shows them of m.
func (seen watched) after(m *model.Model, show func(see model.Observer) error) (map[string]*Inputs, error) {
	err := show(func(slot string, x []float32, rows int) {
		if s := seen[slot]; s != nil {
			s.see(x, rows)
		}
	})
	if err != nil {
		return nil, err
	}
	for _, place := range m.Places() { // in their order, so that the first that is broken is named
		if s := seen[place.Name]; s != nil {
			if err := s.finish(); err != nil {
				return nil, err
			}
		}
	}
	return seen, nil
}

// fisher fills in the squared gradients, which are taken text by text.
func (c *Calibration) fisher(m *model.Model, seen map[string]*Inputs) error {
	err := c.eachGradient(m, func(slot string, _, g []float32) {
		if s := seen[slot]; s != nil {
			s.square(g, len(c.Texts))
		}
	})
	if err != nil {
		return err
	}
	for slot, s := range seen {
		if s.Fisher == nil || !kernels.AllFinite(s.Fisher) {
			return fmt.Errorf("%s: the calibration text gives no gradient, or one that is NaN or Inf", slot)
		}
	}
	return nil
}

// eachGradient shows see every matrix w [out, in] with the gradient g of the mean
// loss of every text, text by text. Texts of one token have none.
func (c *Calibration) eachGradient(m *model.Model, see func(slot string, w, g []float32)) error {
	if err := m.Trainable(); err != nil {
		return fmt.Errorf("gradients are wanted, but %w", err)
	}
	m = m.Clone()
	m.EnableTraining()
	for _, text := range c.Texts {
		if len(text) < 2 {
			continue // nothing to predict
		}
		m.NewTape(1, len(text)-1).Backward(text, 1/float32(len(text)-1))
		for _, p := range m.Params() {
			if slot, ok := strings.CutSuffix(p.Name, ".weight"); ok {
				see(slot, p.Data, p.Grad)
			}
			clear(p.Grad)
		}
	}
	return nil
}

// square adds the squares of g, the gradient of one of so many texts.
func (s *Inputs) square(g []float32, texts int) {
	if s.Fisher == nil {
		s.Fisher = make([]float32, len(g))
	}
	for i, v := range g {
		s.Fisher[i] += float32(float32(v*v) / float32(texts))
	}
}
