package kernels

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
)

// rowSizes are lengths around each vector width, and rows as models have them.
var rowSizes = []int{0, 1, 2, 3, 4, 5, 7, 8, 9, 12, 15, 16, 17, 23, 24, 31, 32, 33, 47, 48, 63, 64, 65, 96, 100, 127, 192, 513}

// random returns n numbers of a normal distribution times scale, the same for
// the same seed.
func random(seed uint64, n int, scale float64) []float32 {
	r := rand.New(rand.NewPCG(seed, 1))
	x := make([]float32, n)
	for i := range x {
		x[i] = float32(r.NormFloat64() * scale)
	}
	return x
}

// equalBits says that a and b are equal bit by bit, where all NaNs are one.
func equalBits(a, b []float32) error {
	if len(a) != len(b) {
		return fmt.Errorf("%d and %d numbers", len(a), len(b))
	}
	for i := range a {
		if math.Float32bits(a[i]) != math.Float32bits(b[i]) && (a[i] == a[i] || b[i] == b[i]) {
			return fmt.Errorf("number %d of %d is %v (%08x), want %v (%08x)",
				i, len(a), a[i], math.Float32bits(a[i]), b[i], math.Float32bits(b[i]))
		}
	}
	return nil
}

// A rowCase runs a kernel on inputs, which it may change, and returns further
// numbers. Afterwards inputs and numbers must be the same for every
// implementation and number of workers.
type rowCase struct {
	name   string
	inputs func(rows, c int) [][]float32
	run    func(in [][]float32, rows, c int) []float64
}

// on makes inputs of the named shapes: t is rows·c random numbers, c is c of them.
func on(shapes string) func(rows, c int) [][]float32 {
	return func(rows, c int) [][]float32 {
		var in [][]float32
		for i, shape := range shapes {
			n := c
			if shape == 't' {
				n = rows * c
			}
			in = append(in, random(uint64(i+1), n, 2))
		}
		return in
	}
}

func targetsOf(rows, c int) []int32 {
	t := make([]int32, rows)
	for r := range t {
		t[r] = int32((r*7+1)%(c+1)) - 1
	}
	return t
}

func positionsOf(rows int) []int32 {
	p := make([]int32, rows)
	for r := range p {
		p[r] = int32(r * 5 % 40)
	}
	return p
}

func greedyNumbers(greedy []bool) []float64 {
	numbers := make([]float64, len(greedy))
	for i, g := range greedy {
		if g {
			numbers[i] = 1
		}
	}
	return numbers
}

var testTable = NewRotaryTable(40, 10, 10000)

// wholeTable turns all of a head of 2·half channels.
func wholeTable(half int) *RotaryTable {
	if wholeTables[half] == nil {
		wholeTables[half] = NewRotaryTable(40, 2*half, 10000)
	}
	return wholeTables[half]
}

var wholeTables = map[int]*RotaryTable{}

var adamWExample = AdamW{LearningRate: 1e-2, Beta1: 0.9, Beta2: 0.95, Eps: 1e-8, Decay: 0.1,
	GradScale: 0.7, Correction1: 0.1, Correction2: 0.05}

// rowCases has every kernel of this half of the package.
var rowCases = []rowCase{
	{"exp row", on("tt"), func(in [][]float32, _, _ int) []float64 { return []float64{float64(expRow(in[0], in[1], 1.25))} }},
	{"exp row in float64", on("tt"), func(in [][]float32, _, _ int) []float64 { return []float64{expRow64(in[0], in[1], 1.25)} }},
	{"exp sum", on("t"), func(in [][]float32, _, _ int) []float64 { return []float64{expSum64(in[0], 1.25)} }},
	{"row max", on("t"), func(in [][]float32, _, _ int) []float64 { return []float64{float64(rowMax(in[0]))} }},
	{"dot", on("tt"), func(in [][]float32, _, _ int) []float64 { return []float64{float64(dot(in[0], in[1]))} }},
	{"Add", on("tt"), func(in [][]float32, _, _ int) []float64 { Add(in[0], in[1]); return nil }},
	{"Scale", on("t"), func(in [][]float32, _, _ int) []float64 { Scale(in[0], 0.3); return nil }},
	{"AddBias", on("tc"), func(in [][]float32, _, _ int) []float64 { AddBias(in[0], in[1]); return nil }},
	{"BiasBack", on("ct"), func(in [][]float32, _, _ int) []float64 { BiasBack(in[0], in[1]); return nil }},
	{"SumSquares", on("t"), func(in [][]float32, _, _ int) []float64 { return []float64{SumSquares(in[0])} }},
	{"AllFinite", on("t"), func(in [][]float32, _, _ int) []float64 { return greedyNumbers([]bool{AllFinite(in[0])}) }},
	{"Softmax", on("tt"), func(in [][]float32, rows, _ int) []float64 { Softmax(in[0], in[1], rows); return nil }},
	{"Softmax in place", on("t"), func(in [][]float32, rows, _ int) []float64 { Softmax(in[0], in[0], rows); return nil }},
	{"CrossEntropy", on("t"), func(in [][]float32, rows, c int) []float64 {
		losses := make([]float64, rows*min(c, 1))
		CrossEntropy(in[0], losses, targetsOf(rows, c)[:len(losses)], 0.01)
		return losses
	}},
	{"LogProbs", on("t"), func(in [][]float32, rows, c int) []float64 {
		n := rows * min(c, 1)
		dst, greedy := make([]float64, n), make([]bool, n)
		LogProbs(dst, greedy, in[0], targetsOf(rows, c)[:n])
		return append(dst, greedyNumbers(greedy)...)
	}},
	{"Divergence", on("ttt"), func(in [][]float32, rows, c int) []float64 {
		losses := make([]float64, rows*min(c, 1))
		Divergence(in[0], losses, in[1], in[2], targetsOf(rows, c)[:len(losses)], 2, 0.01)
		return losses
	}},
	{"SquaredDistance", on("ttt"), func(in [][]float32, rows, c int) []float64 {
		losses := make([]float64, rows*min(c, 1))
		SquaredDistance(in[0], losses, in[1], in[2], targetsOf(rows, c)[:len(losses)], 0.3)
		return losses
	}},
	{"CosineDistance", on("ttt"), func(in [][]float32, rows, c int) []float64 {
		losses := make([]float64, rows*min(c, 1))
		CosineDistance(in[0], losses, in[1], in[2], targetsOf(rows, c)[:len(losses)], 0.3)
		return losses
	}},
	{"RMSNorm", on("ttc"), func(in [][]float32, _, _ int) []float64 { RMSNorm(in[0], in[1], in[2], 1e-5); return nil }},
	{"RMSNorm in place", on("tc"), func(in [][]float32, _, _ int) []float64 { RMSNorm(in[0], in[0], in[1], 1e-5); return nil }},
	{"RMSNormBack", on("tcttc"), func(in [][]float32, _, _ int) []float64 {
		RMSNormBack(in[0], in[1], in[2], in[3], in[4], 1e-5)
		return nil
	}},
	{"LayerNorm", on("ttcc"), func(in [][]float32, _, _ int) []float64 {
		LayerNorm(in[0], in[1], in[2], in[3], 1e-5)
		return nil
	}},
	{"LayerNorm in place", on("tcc"), func(in [][]float32, _, _ int) []float64 {
		LayerNorm(in[0], in[0], in[1], in[2], 1e-5)
		return nil
	}},
	{"LayerNormBack", on("tccttc"), func(in [][]float32, _, _ int) []float64 {
		LayerNormBack(in[0], in[1], in[2], in[3], in[4], in[5], 1e-5)
		return nil
	}},
	{"SwiGLU", on("ttt"), func(in [][]float32, _, _ int) []float64 { SwiGLU(in[0], in[1], in[2]); return nil }},
	{"SwiGLU in place", on("tt"), func(in [][]float32, _, _ int) []float64 { SwiGLU(in[0], in[0], in[1]); return nil }},
	{"SwiGLUBack", on("tttttt"), func(in [][]float32, _, _ int) []float64 {
		SwiGLUBack(in[0], in[1], in[2], in[3], in[4], in[5])
		return nil
	}},
	{"SwiGLUBack in place", on("tttt"), func(in [][]float32, _, _ int) []float64 {
		SwiGLUBack(in[3], in[1], in[2], in[0], in[1], in[2])
		return nil
	}},
	{"GeGLU", on("ttt"), func(in [][]float32, _, _ int) []float64 { GeGLU(in[0], in[1], in[2]); return nil }},
	{"GeGLUBack", on("tttttt"), func(in [][]float32, _, _ int) []float64 {
		GeGLUBack(in[0], in[1], in[2], in[3], in[4], in[5])
		return nil
	}},
	{"GELUTanh", on("tt"), func(in [][]float32, _, _ int) []float64 { GELUTanh(in[0], in[1]); return nil }},
	{"GELUTanhBack", on("ttt"), func(in [][]float32, _, _ int) []float64 { GELUTanhBack(in[0], in[1], in[2]); return nil }},
	{"GELUErf", on("tt"), func(in [][]float32, _, _ int) []float64 { GELUErf(in[0], in[1]); return nil }},
	{"GELUErfBack", on("ttt"), func(in [][]float32, _, _ int) []float64 { GELUErfBack(in[0], in[1], in[2]); return nil }},
	{"ReLU", on("tt"), func(in [][]float32, _, _ int) []float64 { ReLU(in[0], in[1]); return nil }},
	{"ReLUBack", on("ttt"), func(in [][]float32, _, _ int) []float64 { ReLUBack(in[0], in[1], in[2]); return nil }},
	{"SoftCap", on("t"), func(in [][]float32, _, _ int) []float64 { SoftCap(in[0], 0.6); return nil }},
	{"SoftCapBack", on("tt"), func(in [][]float32, _, _ int) []float64 { SoftCapBack(in[0], in[1], 2.5); return nil }},
	{"Rotary", func(rows, c int) [][]float32 { return on("t")(rows, 3*(10+c)) }, func(in [][]float32, rows, c int) []float64 {
		Rotary(in[0], positionsOf(rows), 3, 10+c, testTable)
		return nil
	}},
	{"Rotary of all channels", func(rows, c int) [][]float32 { return on("t")(rows, 2*2*c) }, func(in [][]float32, rows, c int) []float64 {
		RotaryBack(in[0], positionsOf(rows), 2, 2*c, wholeTable(c))
		return nil
	}},
	{"Embedding", func(rows, c int) [][]float32 { return [][]float32{random(1, rows*c, 1), random(2, 40*c, 1)} },
		func(in [][]float32, rows, c int) []float64 {
			Embedding(in[0], in[1], positionsOf(rows)[:rows*min(c, 1)])
			return nil
		}},
	{"EmbeddingBack", func(rows, c int) [][]float32 { return [][]float32{random(1, 40*c, 1), random(2, rows*c, 1)} },
		func(in [][]float32, rows, c int) []float64 {
			EmbeddingBack(in[0], in[1], positionsOf(rows)[:rows*min(c, 1)])
			return nil
		}},
	{"AdamW", on("tttt"), func(in [][]float32, _, _ int) []float64 {
		for i, v := range in[3] {
			in[3][i] = v * v
		}
		adamWExample.Step(in[0], in[1], in[2], in[3])
		return nil
	}},
}

// outcome is what a case leaves behind on guarded copies of its inputs.
func (rc rowCase) outcome(t *testing.T, inputs [][]float32, rows, c int) ([][]float32, []float64) {
	t.Helper()
	var guards []guarded
	var in [][]float32
	for _, x := range inputs {
		g := newGuarded(len(x))
		copy(g.data, x)
		guards, in = append(guards, g), append(in, g.data)
	}
	numbers := rc.run(in, rows, c)
	for i, g := range guards {
		g.check(t, fmt.Sprintf("%d rows of %d: argument %d", rows, c, i))
	}
	return in, numbers
}

// compare runs rc as it is configured now and holds it against want.
func (rc rowCase) compare(t *testing.T, inputs, want [][]float32, wantNumbers []float64, rows, c int) {
	t.Helper()
	got, numbers := rc.outcome(t, inputs, rows, c)
	for i := range want {
		if err := equalBits(got[i], want[i]); err != nil {
			t.Fatalf("%d rows of %d: argument %d: %v", rows, c, i, err)
		}
	}
	for i, v := range wantNumbers {
		if math.Float64bits(numbers[i]) != math.Float64bits(v) && (numbers[i] == numbers[i] || v == v) {
			t.Fatalf("%d rows of %d: number %d is %v, want %v", rows, c, i, numbers[i], v)
		}
	}
}

// generically returns what the pure Go version of rc gives.
func (rc rowCase) generically(t *testing.T, inputs [][]float32, rows, c int) ([][]float32, []float64) {
	t.Helper()
	chosen := Chosen()
	defer func() { _ = Use(chosen) }()
	if err := Use("generic"); err != nil {
		t.Fatal(err)
	}
	return rc.outcome(t, inputs, rows, c)
}

func TestRowKernelsEqualPureGo(t *testing.T) {
	for _, rc := range rowCases {
		t.Run(rc.name, func(t *testing.T) {
			for _, c := range rowSizes {
				inputs := rc.inputs(3, c)
				want, numbers := rc.generically(t, inputs, 3, c)
				onEach(t, func(t *testing.T) { rc.compare(t, inputs, want, numbers, 3, c) })
			}
		})
	}
}

// Zeros of both signs, denormals, huge numbers, infinities and NaN.
var oddNumbers = []float32{0, float32(math.Copysign(0, -1)), 1e-45, -1e-45, 1e-38, -3e-39, 3e38, -3e38,
	88.7, 88.73, -87, -87.4, -103, 1, -1, 0.5, 1e-20, -1e-20,
	float32(math.Inf(1)), float32(math.Inf(-1)), float32(math.NaN())}

func TestRowKernelsEqualPureGoOnOddNumbers(t *testing.T) {
	for _, rc := range rowCases {
		t.Run(rc.name, func(t *testing.T) {
			for _, known := range []int{2, 8, 18, 19, 20, 21} { // how many of oddNumbers take part
				const rows, c = 2, 21
				inputs := rc.inputs(rows, c)
				for i, x := range inputs {
					for j := range x {
						x[j] = oddNumbers[(j*(i+1)+i)%known]
					}
				}
				want, numbers := rc.generically(t, inputs, rows, c)
				onEach(t, func(t *testing.T) { rc.compare(t, inputs, want, numbers, rows, c) })
			}
		})
	}
}

func TestRowKernelsDoNotDependOnWorkers(t *testing.T) {
	defer SetWorkers(Workers())
	const rows, c = 431, 160 // several tasks
	for _, rc := range rowCases {
		t.Run(rc.name, func(t *testing.T) {
			inputs := rc.inputs(rows, c)
			SetWorkers(1)
			want, numbers := rc.outcome(t, inputs, rows, c)
			for _, workers := range []int{2, 4} {
				SetWorkers(workers)
				rc.compare(t, inputs, want, numbers, rows, c)
			}
		})
	}
}

func TestRowKernelsPanicOnLengths(t *testing.T) {
	x := make([]float32, 6)
	tests := []struct {
		name string
		call func()
	}{
		{"Add", func() { Add(x, x[:5]) }},
		{"AddBias", func() { AddBias(x, x[:4]) }},
		{"BiasBack", func() { BiasBack(nil, x) }},
		{"Softmax", func() { Softmax(x, x, 4) }},
		{"CrossEntropy", func() { CrossEntropy(x, make([]float64, 2), []int32{0, 3}, 1) }},
		{"LogProbs", func() { LogProbs(make([]float64, 1), nil, x, []int32{0, 1}) }},
		{"Divergence", func() { Divergence(x, make([]float64, 2), x, x[:3], []int32{0, 1}, 1, 1) }},
		{"CosineDistance", func() { CosineDistance(x, make([]float64, 3), x, x, []int32{0, 1}, 1) }},
		{"RMSNorm", func() { RMSNorm(x, x, x[:4], 1) }},
		{"RMSNormBack", func() { RMSNormBack(x, x[:2], x, x, x[:3], 1) }},
		{"LayerNorm", func() { LayerNorm(x, x, x[:3], x[:2], 1) }},
		{"LayerNormBack", func() { LayerNormBack(x, x[:3], x[:3], x, x[:3], x[:3], 1) }},
		{"SwiGLU", func() { SwiGLU(x, x[:5], x) }},
		{"SwiGLUBack", func() { SwiGLUBack(x, x, x, x, x, x[:5]) }},
		{"GELUTanh", func() { GELUTanh(x, x[:5]) }},
		{"ReLUBack", func() { ReLUBack(x, x, x[:5]) }},
		{"Embedding", func() { Embedding(x, x, []int32{0, 2}) }},
		{"EmbeddingBack", func() { EmbeddingBack(x, x, []int32{-1}) }},
		{"Rotary", func() { Rotary(x, []int32{40}, 1, 6, testTable) }},
		{"AdamW", func() { AdamW{}.Step(x, x, x, x[:5]) }},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			defer func() {
				if recover() == nil {
					t.Error("no panic")
				}
			}()
			test.call()
		})
	}
}
