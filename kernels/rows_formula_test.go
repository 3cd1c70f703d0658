package kernels

import (
	"fmt"
	"hash/fnv"
	"math"
	"slices"
	"strings"
	"testing"

	"plumb/internal/golden"
)

// The kernels are held against the formulas of their comments, computed here
// with package math in float64, and the gradients against differences of these
// formulas.

func TestExp32(t *testing.T) {
	for bits := uint32(0); bits < 1<<32-1<<18; bits += 104729 {
		x := math.Float32frombits(bits)
		got, want := float64(exp32(x)), math.Exp(float64(x))
		switch {
		case x != x:
			if got == got {
				t.Fatalf("exp32(NaN) = %v", got)
			}
		case want < 1.7e-38:
			if got > 1.8e-38 {
				t.Fatalf("exp32(%v) = %v, want %v or 0", x, got, want)
			}
		case want > math.MaxFloat32:
			if !math.IsInf(got, 1) {
				t.Fatalf("exp32(%v) = %v, want +Inf", x, got)
			}
		case math.Abs(got/want-1) > 1.2e-7:
			t.Fatalf("exp32(%v) = %v, want %v: off by %.3g", x, got, want, got/want-1)
		}
	}
}

func TestExp32RelativeError(t *testing.T) {
	worst := 0.0
	for x := float32(-86.9); x < 88.7; x += 0.00137 {
		worst = max(worst, math.Abs(float64(exp32(x))/math.Exp(float64(x))-1))
	}
	if worst > 1.2e-7 {
		t.Errorf("relative error %.3g, want at most 1.2e-7", worst)
	}
}

func sigmoid64(x float64) float64 { return 1 / (1 + math.Exp(-x)) }
func swish64(x float64) float64   { return x * sigmoid64(x) }
func geluTanh64(x float64) float64 {
	return x / 2 * (1 + math.Tanh(math.Sqrt(2/math.Pi)*(x+0.044715*x*x*x)))
}
func geluErf64(x float64) float64 { return x / 2 * math.Erfc(-x/math.Sqrt2) }
func relu64(x float64) float64    { return math.Max(x, 0) }

// slope64 is the derivative of f at x, by a central difference.
func slope64(f func(float64) float64, x float64) float64 {
	const h = 1e-5
	return (f(x+h) - f(x-h)) / (2 * h)
}

func TestActivations(t *testing.T) {
	tests := []struct {
		name    string
		formula func(float64) float64
		run     func(dst, x []float32)
		back    func(dx, dy, x []float32)
		gated   func(dst, gate, up []float32)
		backs   func(dst, dgate, dup, dy, gate, up []float32)
	}{
		{name: "SwiGLU", formula: swish64, gated: SwiGLU, backs: SwiGLUBack},
		{name: "GeGLU", formula: geluTanh64, gated: GeGLU, backs: GeGLUBack},
		{name: "GELUTanh", formula: geluTanh64, run: GELUTanh, back: GELUTanhBack},
		{name: "GELUErf", formula: geluErf64, run: GELUErf, back: GELUErfBack},
		{name: "ReLU", formula: relu64, run: ReLU, back: ReLUBack},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			const n = 2500
			x := make([]float32, n)
			for i := range x {
				x[i] = -12.5 + float32(i)*0.01 + 0.001 // never 0, where ReLU has no slope
			}
			up, dy := random(1, n, 1), random(2, n, 1)
			got, dx, dup := make([]float32, n), make([]float32, n), make([]float32, n)
			if test.gated != nil {
				test.gated(got, x, up)
				again := make([]float32, n)
				test.backs(again, dx, dup, dy, x, up)
				sameBits(t, "value, computed again", again, got)
			} else {
				for i := range up {
					up[i] = 1
				}
				test.run(got, x)
				test.back(dx, dy, x)
			}
			for i := range x {
				v, u, d := float64(x[i]), float64(up[i]), float64(dy[i])
				about(t, "value", i, got[i], test.formula(v)*u, 3e-7*math.Abs(v*u)+1e-30)
				about(t, "gradient", i, dx[i], slope64(test.formula, v)*u*d, 3e-6*math.Abs(u*d))
				if test.gated != nil {
					about(t, "gradient of up", i, dup[i], test.formula(v)*d, 3e-7*math.Abs(v*d)+1e-30)
				}
			}
		})
	}
}

// about fails the test when got is further than tolerance from want.
func about(t *testing.T, what string, i int, got float32, want, tolerance float64) {
	t.Helper()
	if !(math.Abs(float64(got)-want) <= tolerance) {
		t.Fatalf("%s %d is %v, want %v within %.2g", what, i, got, want, tolerance)
	}
}

func wide(x []float32) []float64 {
	w := make([]float64, len(x))
	for i, v := range x {
		w[i] = float64(v)
	}
	return w
}

func rmsNorm64(x, gain, _ []float64) []float64 {
	sum := 0.0
	for _, v := range x {
		sum += v * v
	}
	y := make([]float64, len(x))
	for i, v := range x {
		y[i] = v / math.Sqrt(sum/float64(len(x))+1e-5) * gain[i]
	}
	return y
}

func layerNorm64(x, gain, bias []float64) []float64 {
	mean := 0.0
	for _, v := range x {
		mean += v / float64(len(x))
	}
	centred := make([]float64, len(x))
	for i, v := range x {
		centred[i] = v - mean
	}
	y := rmsNorm64(centred, gain, nil)
	for i := range y {
		y[i] += bias[i]
	}
	return y
}

// A normCase is a norm with its gradient in one form.
type normCase struct {
	name    string
	formula func(x, gain, bias []float64) []float64
	run     func(dst, x, gain, bias []float32)
	back    func(dx, dgain, dbias, dy, x, gain []float32)
}

var normCases = []normCase{
	{"RMSNorm", rmsNorm64,
		func(dst, x, gain, _ []float32) { RMSNorm(dst, x, gain, 1e-5) },
		func(dx, dgain, _, dy, x, gain []float32) { RMSNormBack(dx, dgain, dy, x, gain, 1e-5) }},
	{"LayerNorm", layerNorm64,
		func(dst, x, gain, bias []float32) { LayerNorm(dst, x, gain, bias, 1e-5) },
		func(dx, dgain, dbias, dy, x, gain []float32) { LayerNormBack(dx, dgain, dbias, dy, x, gain, 1e-5) }},
}

// loss is the sum of dy times the norm of x, whose gradients are sought.
func (n normCase) loss(x, gain, bias, dy []float64) float64 {
	c, sum := len(gain), 0.0
	for r := 0; r < len(x); r += c {
		for i, v := range n.formula(x[r:r+c], gain, bias) {
			sum += v * dy[r+i]
		}
	}
	return sum
}

func TestNorms(t *testing.T) {
	for _, n := range normCases {
		for _, c := range []int{5, 16, 19} {
			t.Run(fmt.Sprintf("%s of %d", n.name, c), func(t *testing.T) { n.check(t, 70, c) })
		}
	}
}

func (n normCase) check(t *testing.T, rows, c int) {
	x, dy, gain, bias := random(1, rows*c, 1), random(2, rows*c, 1), random(3, c, 1), random(4, c, 1)
	got := make([]float32, rows*c)
	n.run(got, x, gain, bias)
	for r := range rows {
		for i, want := range n.formula(wide(x[r*c:(r+1)*c]), wide(gain), wide(bias)) {
			about(t, "value", r*c+i, got[r*c+i], want, 2e-6)
		}
	}
	dx, dgain, dbias := make([]float32, rows*c), make([]float32, c), make([]float32, c)
	n.back(dx, dgain, dbias, dy, x, gain)
	at := [][]float64{wide(x), wide(gain), wide(bias)}
	for k, gradient := range [][]float32{dx, dgain, dbias} {
		if n.name == "RMSNorm" && k == 2 {
			continue
		}
		for i := range gradient {
			v := at[k][i]
			slope := slope64(func(moved float64) float64 {
				at[k][i] = moved
				return n.loss(at[0], at[1], at[2], wide(dy))
			}, v)
			at[k][i] = v
			about(t, "gradient", i, gradient[i], slope, 2e-5*math.Max(1, math.Abs(slope)))
		}
	}
}

func TestSoftmax(t *testing.T) {
	const rows, c = 9, 37
	x := random(1, rows*c, 5)
	got := make([]float32, rows*c)
	Softmax(got, x, rows)
	for r := range rows {
		for i, p := range probabilities(x[r*c : (r+1)*c]) {
			about(t, "probability", r*c+i, got[r*c+i], p, 3e-6*p) // logits near 20 have an ulp of 1.9e-6
		}
	}
}

func probabilities(logits []float32) []float64 {
	p := wide(logits)
	sum := 0.0
	for i, v := range p {
		p[i] = math.Exp(v - float64(slices.Max(logits)))
		sum += p[i]
	}
	for i := range p {
		p[i] /= sum
	}
	return p
}

func TestCrossEntropy(t *testing.T) {
	const rows, v, scale = 11, 53, 0.25
	logits := random(1, rows*v, 3)
	targets := targetsOf(rows, v)
	targets[4] = -1
	want := slices.Clone(logits)
	losses, logProbs := make([]float64, rows), make([]float64, rows)
	LogProbs(logProbs, nil, logits, targets)
	CrossEntropy(logits, losses, targets, scale)
	for r, target := range targets {
		p := probabilities(want[r*v : (r+1)*v])
		if target < 0 {
			clear(p)
			p = append(p, 1) // its loss is ln 1
			target = int32(v)
		} else if losses[r] != -logProbs[r] {
			t.Errorf("row %d: loss %v, LogProbs %v", r, losses[r], logProbs[r])
		}
		if loss := -math.Log(p[target]); math.Abs(losses[r]-loss) > 1e-6 {
			t.Errorf("row %d: loss %v, want %v", r, losses[r], loss)
		}
		p[target]--
		for i := range v {
			about(t, "gradient", r*v+i, logits[r*v+i], p[i]*scale, 2e-7)
		}
	}
}

func TestCrossEntropyOfBrokenLogits(t *testing.T) {
	inf, nan := float32(math.Inf(1)), float32(math.NaN())
	tests := []struct {
		name   string
		logits []float32
	}{
		{"a NaN", []float32{1, nan, 2}},
		{"only NaN", []float32{nan, nan, nan}},
		{"infinite", []float32{1, inf, 2}},
		{"all minus infinite", []float32{-inf, -inf, -inf}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			onEach(t, func(t *testing.T) {
				losses, greedy := make([]float64, 1), make([]bool, 1)
				LogProbs(losses, greedy, test.logits, []int32{2})
				if losses[0] == losses[0] || greedy[0] {
					t.Errorf("LogProbs %v, greedy %v, want NaN, false", losses[0], greedy[0])
				}
				CrossEntropy(slices.Clone(test.logits), losses, []int32{2}, 1)
				if losses[0] == losses[0] {
					t.Errorf("loss %v, want NaN", losses[0])
				}
			})
		})
	}
}

func TestLogProbsGreedy(t *testing.T) {
	inf := float32(math.Inf(1))
	tests := []struct {
		name   string
		logits []float32
		target int32
		greedy bool
	}{
		{"largest", []float32{1, 3, 2}, 1, true},
		{"not largest", []float32{1, 3, 2}, 2, false},
		{"first of ties", []float32{1, 3, 3}, 1, true},
		{"second of ties", []float32{1, 3, 3}, 2, false},
		{"zeros of both signs", []float32{float32(math.Copysign(0, -1)), 0}, 0, true},
		{"others impossible", []float32{-inf, 0, -inf}, 1, true},
		{"left out", []float32{1, 2}, -1, false},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			onEach(t, func(t *testing.T) {
				dst, greedy := make([]float64, 1), make([]bool, 1)
				LogProbs(dst, greedy, test.logits, []int32{test.target})
				if greedy[0] != test.greedy {
					t.Errorf("greedy %v, want %v", greedy[0], test.greedy)
				}
			})
		})
	}
}

func TestRotaryFormula(t *testing.T) {
	const dim, rot, heads, theta = 12, 8, 2, 500.0
	positions := []int32{0, 3, 39}
	x := random(1, len(positions)*heads*dim, 1)
	got := slices.Clone(x)
	table := NewRotaryTable(40, rot, theta)
	Rotary(got, positions, heads, dim, table)
	want := wide(x)
	for r, p := range positions {
		for h := range heads {
			head := want[(r*heads+h)*dim:]
			for i := range rot / 2 {
				sin, cos := math.Sincos(float64(p) * math.Pow(theta, -2*float64(i)/rot))
				a, b := head[i], head[i+rot/2]
				head[i], head[i+rot/2] = a*cos-b*sin, b*cos+a*sin
			}
		}
	}
	for i, v := range want {
		about(t, "channel", i, got[i], v, 5e-7)
	}
	RotaryBack(got, positions, heads, dim, table)
	for i, v := range x {
		about(t, "channel turned back", i, got[i], float64(v), 1e-6)
	}
}

func TestSoftCapFormula(t *testing.T) {
	const limit = 30.0
	for _, x := range []float64{0, 1e-30, 1e-3, 1, 10, 10.606, 10.607, -10.7, 29, 30, -100, 1e5, math.Inf(1), math.Inf(-1)} {
		got := []float32{float32(x)}
		SoftCap(got, limit)
		want := limit * math.Tanh(float64(float32(x))/limit)
		if math.Abs(float64(got[0])-want) > 5e-7*math.Abs(want) {
			t.Errorf("SoftCap(%v) = %v, want %v", x, got[0], want)
		}
		slope := []float32{2}
		SoftCapBack(slope, got, limit)
		about(t, "slope", 0, slope[0], 2*(1-want/limit*want/limit), 1e-6)
	}
	broken := []float32{float32(math.NaN())}
	if SoftCap(broken, limit); broken[0] == broken[0] {
		t.Errorf("SoftCap(NaN) = %v", broken[0])
	}
}

func TestEmbeddingAddsRowsInOrder(t *testing.T) {
	table := []float32{1, 2, 3, 4, 5, 6}
	got := make([]float32, 8)
	Embedding(got, table, []int32{2, 0, 2, 1})
	sameBits(t, "Embedding", got, []float32{5, 6, 1, 2, 5, 6, 3, 4})
	grad := make([]float32, 6)
	EmbeddingBack(grad, []float32{1e8, 1, 1, 2, -1e8, 3, 1, 4}, []int32{2, 2, 2, 1})
	sameBits(t, "EmbeddingBack", grad, []float32{0, 0, 1, 4, 0, 6}) // 1e8 + 1 - 1e8 in this order is 0
}

func TestAdamWFormula(t *testing.T) {
	const n = 61
	w, g, m, v := random(1, n, 1), random(2, n, 1), random(3, n, 0.1), random(4, n, 0.1)
	for i := range v {
		v[i] *= v[i]
	}
	w64, g64, m64, v64 := wide(w), wide(g), wide(m), wide(v)
	a := adamWExample
	a.Step(w, g, m, v)
	for i := range w {
		grad := g64[i] * float64(a.GradScale)
		first := m64[i]*float64(a.Beta1) + (1-float64(a.Beta1))*grad
		second := v64[i]*float64(a.Beta2) + (1-float64(a.Beta2))*grad*grad
		step := first / float64(a.Correction1) / (math.Sqrt(second/float64(a.Correction2)) + float64(a.Eps))
		about(t, "weight", i, w[i], w64[i]-float64(a.LearningRate)*(step+float64(a.Decay)*w64[i]), 3e-7)
		about(t, "first moment", i, m[i], first, 2e-7)
		about(t, "second moment", i, v[i], second, 2e-7)
		about(t, "gradient", i, g[i], 0, 0)
	}
}

func TestVectorSums(t *testing.T) {
	x := random(1, 3*sumChunk+77, 1)
	sum := 0.0
	for _, v := range wide(x) {
		sum += v * v
	}
	if got := SumSquares(x); math.Abs(got/sum-1) > 1e-12 {
		t.Errorf("SumSquares %v, want %v", got, sum)
	}
	for _, bad := range []float64{math.NaN(), math.Inf(1), math.Inf(-1)} {
		if !AllFinite(x) {
			t.Fatal("AllFinite denies finite numbers")
		}
		last := x[len(x)-1]
		x[len(x)-1] = float32(bad)
		if AllFinite(x) {
			t.Errorf("AllFinite overlooks %v", bad)
		}
		x[len(x)-1] = last
	}
}

// TestBitsOnEveryProcessor holds a hash of what every kernel returns against a
// file, so that a processor that rounds something else is found out.
func TestBitsOnEveryProcessor(t *testing.T) {
	var text strings.Builder
	for _, rc := range rowCases {
		in, numbers := rc.outcome(t, rc.inputs(5, 37), 5, 37)
		hash := fnv.New64a()
		fmt.Fprint(hash, numbers)
		for _, x := range in {
			for _, v := range x {
				fmt.Fprintf(hash, "%08x", math.Float32bits(v))
			}
		}
		fmt.Fprintf(&text, "%016x %s\n", hash.Sum64(), rc.name)
	}
	hash := fnv.New64a()
	for i := range 1000 {
		x := float64(float64(i)*0.37) + 0.01 // a conversion, lest arm64 fuses
		fmt.Fprint(hash, Exp64(x-100), Log64(x), Sin(x), Cos(x), Pow(x, -1.7))
	}
	fmt.Fprintf(&text, "%016x scalar functions\n", hash.Sum64())
	golden.Check(t, "testdata/bits.golden", []byte(text.String()))
}
