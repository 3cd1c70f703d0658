package train

import (
	"math"
	"slices"
	"testing"

	"plumb/arch"
	"plumb/model"
)

// The gradient of every loss is its slope along a direction in each array, by
// central differences.
func TestGradientsOfTeaching(t *testing.T) {
	tests := []struct {
		name     string
		teaching teaching
		shape    func(*arch.Config)
	}{
		{"logits", teaching{Label: 0.3, Logits: 1, Temperature: 2}, nil},
		{"logits, mse", teaching{Logits: 0.1, LogitLoss: "mse"}, nil},
		{"capped logits", teaching{Logits: 1, Temperature: 1}, func(c *arch.Config) { c.FinalSoftCap = 1.5 }},
		{"hidden", teaching{Hidden: 2}, nil},
		{"hidden, mse, all layers", teaching{Hidden: 1, HiddenLoss: "mse", Layers: "uniform"}, nil},
		{"hidden, no last norm", teaching{Hidden: 1}, func(c *arch.Config) { c.NoOuterNorm = true }},
		{"embedding", teaching{Embedding: 2, HiddenLoss: "mse"}, nil},
		{"attention", teaching{Attention: 5, Layers: "uniform"}, nil},
		{"attention, mse, parallel", teaching{Attention: 9, AttentionLoss: "mse"}, func(c *arch.Config) { c.ParallelResidual = true }},
		{"all of shared layers", teaching{Label: 1, Logits: 1, Hidden: 1, Embedding: 1, Attention: 1, Layers: "uniform"},
			func(c *arch.Config) { c.Layers, c.Sharing, c.Repeat = 4, "cyclic", 2 }},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			c := tiny()
			if test.shape != nil {
				test.shape(&c)
			}
			student, teacher := mustNew(t, c, 1), mustNew(t, c, 2)
			g := newGraded(t, filled(test.teaching), student, teacher)
			g.loss()
			var slopes [][]float32 // later passes add to the gradients
			for _, p := range student.Params() {
				slopes = append(slopes, slices.Clone(p.Grad))
			}
			for i, p := range student.Params() {
				g.checkSlope(t, p, slopes[i], uint32(i))
			}
		})
	}
}

// filled has the names that t lacks.
func filled(t teaching) *teaching {
	names := newTeaching()
	for _, name := range []struct{ has, lacks *string }{
		{&t.LogitLoss, &names.LogitLoss}, {&t.HiddenLoss, &names.HiddenLoss},
		{&t.AttentionLoss, &names.AttentionLoss}, {&t.Layers, &names.Layers},
	} {
		if *name.has == "" {
			*name.has = *name.lacks
		}
	}
	if t.Temperature == 0 {
		t.Temperature = 1
	}
	return &t
}

func mustNew(t *testing.T, c arch.Config, seed uint64) *model.Model {
	t.Helper()
	m, err := model.New(c, model.Init{}, seed)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// graded is a student whose loss can be asked for.
type graded struct {
	student *model.Model
	guide   *distiller
	tape    *model.Tape
	tokens  []int32
	label   float64
}

func newGraded(t *testing.T, how *teaching, student, teacher *model.Model) *graded {
	t.Helper()
	guide, err := how.distiller(student, teacher)
	if err != nil {
		t.Fatal(err)
	}
	const batch, length = 2, 7
	student.EnableTraining()
	g := &graded{student: student, guide: guide, tape: student.NewTape(batch, length), label: how.Label}
	guide.attend(g.tape, student.Config().Heads, batch, length)
	g.tokens = make([]int32, batch*(length+1))
	for i := range g.tokens {
		g.tokens[i] = int32((i*i*7 + i*3 + 5) % student.Config().Vocab)
	}
	g.tokens[len(g.tokens)-1] = -1 // the last of the second row is padding
	return g
}

// loss runs a pass, adds gradients and returns the loss of the token.
func (g *graded) loss() float64 {
	const scale = 1.0 / 13
	g.guide.read(g.tokens, scale)
	label := g.tape.Backward(g.tokens, float32(scale*g.label))
	return g.label*label*scale + g.guide.loss()
}

func (g *graded) checkSlope(t *testing.T, p model.Param, slopes []float32, seed uint32) {
	t.Helper()
	direction, state := make([]float32, len(p.Data)), seed
	for i := range direction {
		state = state*1664525 + 1013904223
		direction[i] = float32(state>>8)/(1<<23) - 1
	}
	want := 0.0
	for i, d := range direction {
		want += float64(slopes[i]) * float64(d)
	}
	before := slices.Clone(p.Data)
	at := func(step float32) float64 {
		for i, d := range direction {
			p.Data[i] = before[i] + step*d
		}
		return g.loss()
	}
	const h = 2e-3
	got := (8*(at(h)-at(-h)) - (at(2*h) - at(-2*h))) / (12 * h)
	copy(p.Data, before)
	if math.Abs(got-want) > 2e-3*(0.1+math.Abs(want)) {
		t.Errorf("%s: slope %g by differences, %g by the backward pass", p.Name, got, want)
	}
}
