package compress

import (
	"context"
	"maps"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"gonum.org/v1/gonum/mat"

	"plumb/model"
)

// randomMatrix returns a matrix [out, in] of normal numbers.
func randomMatrix(out, in int, seed uint64) *model.Dense {
	random := rand.New(rand.NewPCG(seed, 1))
	w := &model.Dense{Out: out, In: in, Weight: make([]float32, out*in)}
	for i := range w.Weight {
		w.Weight[i] = float32(random.NormFloat64())
	}
	return w
}

// dependent returns what a method sees of inputs [rows, in] that depend on
// each other, and a Fisher matrix for w.
func dependent(w *model.Dense, rows int, seed uint64) *Inputs {
	mixed, mix := randomMatrix(rows, w.In, seed), randomMatrix(w.In, w.In, seed+1)
	var x mat.Dense
	x.Mul(matrixOf(mixed), matrixOf(mix))
	in := newInputs("m", w.In, Moments|Gram|Rows)
	for i := range rows {
		row := make([]float32, w.In)
		for j := range row {
			row[j] = float32(x.At(i, j)) * float32(1+j%5)
		}
		in.see(row, 1)
	}
	if err := in.finish(); err != nil {
		panic(err)
	}
	random := rand.New(rand.NewPCG(seed, 2))
	in.Fisher = make([]float32, len(w.Weight))
	for i := range in.Fisher {
		in.Fisher[i] = float32(random.Float64()) * float32(1+i/w.In)
	}
	return in
}

// truncation is the sum of the first terms.
func (t *terms) truncation(rank int) *mat.Dense {
	out, _ := t.left.Dims()
	_, in := t.right.Dims()
	var product mat.Dense
	product.Mul(t.left.Slice(0, out, 0, rank), t.right.Slice(0, rank, 0, in))
	return &product
}

func near(t *testing.T, what string, got, want, tolerance float64) {
	t.Helper()
	if !(math.Abs(got-want) <= tolerance*(math.Abs(want)+1e-12)) {
		t.Errorf("%s is %v, want %v", what, got, want)
	}
}

func square(m mat.Matrix) float64 {
	n := mat.Norm(m, 2)
	return n * n
}

// What each method says that dropping terms costs is the error in its own norm:
// of the weights (svd), of weighted rows (fwsvd), of weighted columns (asvd), and
// of the outputs (svdllm).
func TestDroppedSpectrumIsTheError(t *testing.T) {
	for _, shape := range [][2]int{{12, 20}, {20, 12}, {16, 16}} {
		w := randomMatrix(shape[0], shape[1], 1)
		in := dependent(w, 60, 5)
		x := mat.NewDense(60, w.In, nil)
		for i, v := range in.X {
			x.Set(i/w.In, i%w.In, float64(v))
		}
		errors := map[string]func(d *mat.Dense) float64{
			"svd": func(d *mat.Dense) float64 { return square(d) },
			"fwsvd": func(d *mat.Dense) float64 {
				sum := 0.0
				for i := range w.Out {
					weight := 0.0
					for _, f := range in.Fisher[i*w.In : (i+1)*w.In] {
						weight += float64(f)
					}
					sum += weight * square(d.RowView(i))
				}
				return sum
			},
			"asvd": func(d *mat.Dense) float64 {
				sum := 0.0
				for j := range w.In {
					sum += in.MeanAbs[j] * square(d.ColView(j)) // alpha is 0.5
				}
				return sum
			},
			"svdllm": func(d *mat.Dense) float64 {
				var out mat.Dense
				out.Mul(x, d.T())
				return square(&out)
			},
		}
		for name, errorOf := range errors {
			method, _ := Methods.Get(name)
			terms, err := method.New().(splitter).split(w, in)
			if err != nil {
				t.Fatal(err)
			}
			for _, rank := range []int{1, 5, 11} {
				var d mat.Dense
				d.Sub(matrixOf(w), terms.truncation(rank))
				near(t, name+"'s error", errorOf(&d), terms.energy(terms.values[rank:]), 1e-4)
				near(t, name+"'s left vector", mat.Norm(terms.left.ColView(rank), 2), mat.Norm(terms.right.RowView(rank), 2), 1e-12)
			}
		}
	}
}

// Where the scales are all alike, every method is svd.
func TestReductionsToSVD(t *testing.T) {
	w := randomMatrix(14, 10, 3)
	plain, err := (&svd{}).split(w, nil)
	if err != nil {
		t.Fatal(err)
	}
	identity, flat := make([]float64, w.In*w.In), make([]float32, len(w.Weight))
	for i := range w.In {
		identity[i*w.In+i] = 1
	}
	for i := range flat {
		flat[i] = 0.3
	}
	in := dependent(w, 30, 4)
	for name, method := range map[string]splitter{"svdllm": &svdllm{}, "asvd": &asvd{Alpha: 0}, "fwsvd": &fwsvd{}} {
		terms, err := method.split(w, &Inputs{Gram: identity, Fisher: flat, MeanAbs: in.MeanAbs})
		if err != nil {
			t.Fatal(err)
		}
		for _, rank := range []int{1, 4, 10} {
			var d mat.Dense
			d.Sub(plain.truncation(rank), terms.truncation(rank))
			if mat.Norm(&d, 2) > 1e-10 {
				t.Errorf("%s at rank %d is %v from svd", name, rank, mat.Norm(&d, 2))
			}
		}
	}
}

// manyTexts are texts of a walk over tokens whose neighbours are near each other.
func manyTexts(n int, seed uint64) *Calibration {
	random := rand.New(rand.NewPCG(seed, 7))
	c := &Calibration{Hash: "many"}
	for range n {
		text := make([]int32, 32)
		for i := range text {
			text[i] = int32(random.IntN(6) * random.IntN(17))
		}
		c.Texts = append(c.Texts, text)
	}
	return c
}

// heldOut returns for every matrix how far the outputs of a model are from those
// that it had, for inputs that the original one gives it on a text.
func heldOut(t *testing.T, was, is *model.Model, text *Calibration) map[string]float64 {
	t.Helper()
	inputs, err := text.gather(was, Gram, func(string) bool { return true })
	if err != nil {
		t.Fatal(err)
	}
	far := map[string]float64{}
	for i, s := range is.Slots() {
		if s.Block >= 0 {
			_, far[s.Name] = distances(model.Expand(was.Slots()[i].Matrix), model.Expand(s.Matrix), inputs[s.Name])
		}
	}
	return far
}

// By the walk over a model, whitened matrices are nearer in their outputs than those
// of plain decomposition on text that was not shown, too, each of them; and the model
// that has come so far, where that is what is seen, gives others.
func TestWhiteningHelpsOnOtherText(t *testing.T) {
	m := small(t)
	loud(t, m)
	shown, other := manyTexts(128, 1), manyTexts(64, 2)
	far := map[string]map[string]float64{}
	for _, stage := range []string{"svd", "svdllm", "svdllm inputs=compressed", "svdllm damp=1e9"} {
		smaller, _, err := applyTo(t, stage, m, shown)
		if err != nil {
			t.Fatal(err)
		}
		far[stage] = heldOut(t, m, smaller, other)
	}
	for slot, plain := range far["svd"] {
		if got := far["svdllm"][slot]; !(got < plain) {
			t.Errorf("%s: error %.4f, of plain decomposition %.4f", slot, got, plain)
		}
		near(t, slot+", damped without end: error", far["svdllm damp=1e9"][slot], plain, 1e-3)
	}
	if maps.Equal(far["svdllm"], far["svdllm inputs=compressed"]) {
		t.Error("what the compressed model gives is not seen")
	}
}

// Inputs of fewer dimensions than the matrix has leave its Gram matrix singular:
// something is added to its diagonal, and outputs are kept all the same.
func TestSingularGram(t *testing.T) {
	w := randomMatrix(8, 16, 1)
	for _, gram := range [][]float64{make([]float64, 16*16), oneDirection(16)} {
		terms, err := (&svdllm{}).split(w, &Inputs{Gram: gram})
		if err != nil {
			t.Fatal(err)
		}
		if terms.lifted < 1e-6 {
			t.Errorf("%v was added to the diagonal", terms.lifted)
		}
		l, notes, err := terms.at(w, 1)
		if err != nil {
			t.Fatal(err)
		}
		if notes["added to the diagonal"] == 0 {
			t.Errorf("notes %v do not tell of the diagonal", notes)
		}
		if _, out := distances(w, model.Expand(l), &Inputs{Gram: gram}); !(out < 1e-3) {
			t.Errorf("one direction at rank 1: error %v of the outputs", out)
		}
	}
}

// oneDirection is the Gram matrix of inputs that are multiples of one.
func oneDirection(n int) []float64 {
	gram := make([]float64, n*n)
	for i := range gram {
		gram[i] = float64((i/n)%3-1) * float64((i%n)%3-1)
	}
	return gram
}

// reduced applies a stage to small and returns the model and what became of its
// matrices.
func reduced(t *testing.T, text string) (*model.Model, []Change, error) {
	t.Helper()
	s, err := ParseStage(text)
	if err != nil {
		t.Fatal(err)
	}
	w, err := s.Worker()
	if err != nil {
		return nil, nil, err
	}
	return w.Apply(context.Background(), small(t), someText(), Options{})
}

func TestRankRules(t *testing.T) {
	whole := small(t).Size().Params.Body
	gains := small(t).Config().Width * 5
	tests := []struct {
		stage   string
		least   float64 // share of the weights of the matrices that stay
		most    float64
		problem string
	}{
		{stage: "svd keep=0.5", least: 0.4, most: 0.5},
		{stage: "svd keep=1", least: 1, most: 1},
		{stage: "svd keep=0.001", problem: "leaves rank 0"},
		{stage: "svd rank=energy keep=1", least: 1, most: 1},
		{stage: "svd rank=energy keep=0.3", least: 0.02, most: 0.5},
		{stage: "svd rank=energy keep=0.000001", least: 0.02, most: 0.2},
		{stage: "svd rank=global keep=0.5", least: 0.45, most: 0.5},
		{stage: "svdllm rank=global keep=0.7", least: 0.65, most: 0.7},
		{stage: "asvd rank=global keep=1", least: 1, most: 1},
		{stage: "asvd rank=search keep=0.6", least: 0.3, most: 0.6},
		{stage: "fwsvd rank=search keep=0.01", problem: "the budget of"},
		{stage: "svd rank=global keep=0.01", problem: "no room for rank 1"},
		{stage: "svd rank=globl", problem: `did you mean "global"?`},
		{stage: "asvd alpha=-1", problem: "a power from 0 to 4"},
		{stage: "asvd inputs=none", problem: "original, compressed"},
		{stage: "svdllm damp=-1", problem: "0 or more"},
	}
	for _, test := range tests {
		t.Run(test.stage, func(t *testing.T) {
			m, changes, err := reduced(t, test.stage)
			if test.problem != "" {
				if err == nil || !strings.Contains(err.Error(), test.problem) {
					t.Fatalf("got %v, want something about %q", err, test.problem)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			share := float64(m.Size().Params.Body-gains) / float64(whole-gains)
			if share < test.least || share > test.most {
				t.Errorf("%v of the weights stay, want %v to %v", share, test.least, test.most)
			}
			for _, c := range changes {
				if dense := c.Notes["stays dense"] == 1; dense != (c.Form == "dense") {
					t.Errorf("%s: form %s, notes %v", c.Slot, c.Form, c.Notes)
				}
			}
		})
	}
}

// Broken numbers are refused, with the place.
func TestBrokenNumbers(t *testing.T) {
	m := small(t)
	m.Params()[0].Data[5] = float32(math.NaN())
	w, err := Stage{Name: "svdllm"}.Worker()
	if err != nil {
		t.Fatal(err)
	}
	cal := someText()
	cal.Texts[0][0] = 0
	if _, _, err := w.Apply(context.Background(), m, cal, Options{}); err == nil || !strings.Contains(err.Error(), "NaN") {
		t.Errorf("a token of NaN gives %v", err)
	}
	if _, _, err := w.Apply(context.Background(), small(t), nil, Options{}); err == nil || !strings.Contains(err.Error(), "learns from text") {
		t.Errorf("no text gives %v", err)
	}
}
