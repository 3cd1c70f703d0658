package bench

import (
	"fmt"
	"math/rand/v2"
	"strings"

	"plumb/arch"
	"plumb/kernels"
	"plumb/model"
)

var formsSection = section{
	name:   "forms",
	about:  "matrices in the forms that compression makes, beside float32: a prompt of 512 tokens by the operations that the form needs, and decoding by the bytes that it stores",
	shapes: []string{"gpt2"},
	groups: func(r *runner, s Shape) []group { return []group{r.forms(s)} },
}

// plain names the model that the others are compared with.
const plain = "float32"

// A form is a way to store the matrices of a model.
type form struct {
	name, note string
	head       bool // the table and the output matrix are stored so too
	matrix     func(random *rand.Rand, slot string, out, in int) (model.Linear, error)
}

// forms lists them. Values are random, which changes no operation.
var forms = []form{
	{name: plain, head: true},
	{"int8", "a scale a row", true, func(random *rand.Rand, _ string, out, in int) (model.Linear, error) {
		return model.NewIntGroups(8, 0, codes(random, out*in, 256), scales(out), nil, true, nil, out, in)
	}},
	{"int4", "groups of 128", true, func(random *rand.Rand, _ string, out, in int) (model.Linear, error) {
		return model.NewIntGroups(4, 128, codes(random, out*in, 16), scales(out*kernels.Groups(in, min(in, 128))), nil, true, nil, out, in)
	}},
	{"w8a8", "", true, func(random *rand.Rand, _ string, out, in int) (model.Linear, error) {
		q := make([]int8, out*in)
		for i, v := range codes(random, len(q), 255) {
			q[i] = int8(int(v) - 127)
		}
		return model.NewW8A8(q, scales(out), 0, nil, nil, nil, out, in)
	}},
	{"low rank", "half of the weights of blocks", false, func(random *rand.Rand, _ string, out, in int) (model.Linear, error) {
		rank := max(1, out*in/(out+in)/2)
		return model.NewLowRank(numbers(random, out*rank), numbers(random, rank*in), nil, out, rank, in), nil
	}},
	{"kronecker", "B of 1x2 in blocks, as KnGPT-2", false, func(random *rand.Rand, _ string, out, in int) (model.Linear, error) {
		return kronecker(random, out, in, 1, 2, 1, false), nil
	}},
	{"kronecker, ordered", "4 terms, B of 4x2 and 2x4, as TQCompressedGPT-2 in all feed-forward parts", false,
		func(random *rand.Rand, slot string, out, in int) (model.Linear, error) {
			switch {
			case !strings.Contains(slot, "ffn"):
				return nil, nil
			case out > in:
				return kronecker(random, out, in, 4, 2, 4, true), nil
			}
			return kronecker(random, out, in, 2, 4, 4, true), nil
		}},
}

// codes returns n numbers below most.
func codes(random *rand.Rand, n, most int) []uint8 {
	q := make([]uint8, n)
	for i := range q {
		q[i] = uint8(random.Uint32N(uint32(most)))
	}
	return q
}

// scales returns n scales.
func scales(n int) []float32 {
	s := make([]float32, n)
	for i := range s {
		s[i] = 1e-3
	}
	return s
}

// numbers returns n weights.
func numbers(random *rand.Rand, n int) []float32 {
	w := make([]float32, n)
	for i := range w {
		w[i] = (random.Float32() - 0.5) / 16
	}
	return w
}

// kronecker returns a sum in the shape of B, with orders of rows and columns where
// they are asked for. It is nil where the matrix cannot be one.
func kronecker(random *rand.Rand, out, in, m2, n2, terms int, ordered bool) model.Linear {
	s := arch.Kronecker{Terms: terms, M1: out / m2, N1: in / n2, M2: m2, N2: n2}
	if s.Validate(out, in) != nil {
		return nil
	}
	var rows, columns []int32
	if ordered {
		rows, columns = order(random, out), order(random, in)
	}
	return model.NewKronecker(s, numbers(random, terms*s.M1*s.N1), numbers(random, terms*m2*n2), nil, rows, columns)
}

// order returns a permutation of n numbers.
func order(random *rand.Rand, n int) []int32 {
	o := make([]int32, n)
	for i, v := range random.Perm(n) {
		o[i] = int32(v)
	}
	return o
}

// A formed model has its matrices in a form.
type formed struct {
	*model.Model
	form
	bytes float64 // of the matrices that a token needs
	saved float64 // operations of a token, compared with float32
}

// of returns m in form f; m itself for float32.
func (f form) of(m *model.Model) (formed, error) {
	random := rand.New(rand.NewPCG(1, 1))
	all := formed{Model: m, form: f}
	matrices := map[string]model.Linear{}
	for _, s := range m.Slots() {
		out, in := s.Matrix.Shape()
		bytes := 4 * out * in
		if f.matrix != nil && (s.Block >= 0 || f.head) {
			l, err := f.matrix(random, s.Name, out, in)
			if err != nil {
				return all, fmt.Errorf("%s as %s: %w", s.Name, f.name, err)
			}
			if formed, ok := l.(model.Formed); ok {
				matrices[s.Name] = l
				_, bytes, _ = model.SizeOf(formed.Form(), out, in)
			}
		}
		if s.Name != "embedding" || m.Config().TiedHead { // a token reads one row of a table
			all.bytes += float64(bytes)
		}
	}
	if len(matrices) == 0 {
		return all, nil
	}
	var err error
	if all.Model, err = m.With(matrices); err == nil {
		all.saved = 2 * float64(m.MACs(1)-all.MACs(1))
	}
	return all, err
}

// forms times one model in every form.
func (r *runner) forms(s Shape) group {
	g := group{section: "forms", shape: s.Name}
	for range forms {
		for range r.counts() {
			g.costs = append(g.costs, spanFLOPs(s.Config, 0, r.formPrompt(s), 1), formTokens*decodingBytes(s.Config))
		}
	}
	g.open = func() (probes []probe, drop func(), err error) {
		base, err := model.New(s.Config, model.Init{}, 1)
		if err != nil {
			return nil, nil, err
		}
		var models []formed
		for _, f := range forms {
			m, err := f.of(base)
			if err != nil {
				return nil, nil, err
			}
			models = append(models, m)
		}
		for _, kind := range []func(formed, Shape, int) probe{r.formPromptProbe, r.formDecoding} {
			for _, m := range models {
				m.Freeze()
				for _, workers := range r.counts() {
					probes = append(probes, kind(m, s, workers))
				}
			}
		}
		return probes, func() {}, nil
	}
	return g
}

// formTokens is how many tokens are decoded in one repetition.
const formTokens = 32

// formPrompt is how many tokens a prompt has.
func (r *runner) formPrompt(s Shape) int { return min(promptTokens, s.Context) }

// formPromptProbe scores the token behind a prompt.
func (r *runner) formPromptProbe(m formed, s Shape, workers int) probe {
	length := r.formPrompt(s)
	row := make([]int32, length+1)
	someRows(s.Vocab).Row(0, row)
	p := m.probe("prompt", s, workers, length, func() error {
		_, _, err := m.LogProbs([][]int32{row}, []int{length})
		return err
	})
	p.Limit, p.needs = PeakLimit, spanFLOPs(s.Config, 0, length, 1)-float64(length)*m.saved
	return p
}

// formDecoding decodes one sequence.
func (r *runner) formDecoding(m formed, s Shape, workers int) probe {
	tokens := min(formTokens, s.Context-1)
	p := m.probe("decoding", s, workers, tokens, func() error { return decode(m.Model, tokens) })
	p.Limit, p.needs = MemoryLimit, float64(tokens)*m.bytes
	return p
}

// probe is a line of a form, to be compared with that of float32.
func (m formed) probe(kind string, s Shape, workers, tokens int, do func() error) probe {
	p := probe{
		Line: Line{
			Section: "forms", Shape: s.Name, Name: kind + ", " + m.name, Workers: workers,
			Unit: "tokens", Work: float64(tokens), Note: m.note,
		},
		Task: on(workers, do),
	}
	if m.name != plain {
		p.Against = kind + ", " + plain
	}
	return p
}
