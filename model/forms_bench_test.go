package model

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"plumb/arch"
	"plumb/internal/machine"
	"plumb/kernels"
)

// BenchmarkForms scores a prompt of 512 tokens, and generates 16 behind 100, with
// all matrices of GPT-2's shape in a form, and reports how many times faster than
// dense this is: least processor time of runs that alternate.
func BenchmarkForms(b *testing.B) {
	dense := frozenModel(b, gpt2())
	for _, kind := range []string{"int8", "int4", "w8a8", "nmpanel", "csr"} {
		b.Run(kind, func(b *testing.B) {
			m := inForm(b, kind)
			b.Run("Scoring", func(b *testing.B) { alternate(b, 512, scoring(m), scoring(dense)) })
			b.Run("Decoding", func(b *testing.B) { alternate(b, 16, decoding(m), decoding(dense)) })
		})
	}
}

// alternate reports the speed of formed and how many times that of plain it is.
func alternate(b *testing.B, tokens int, formed, plain func()) {
	base := time.Hour
	plain()
	best := fastest(b, formed, func() {
		start := machine.CPUTime()
		plain()
		base = min(base, machine.CPUTime()-start)
	})
	b.ReportMetric(float64(tokens)/best.Seconds(), "tokens/s")
	b.ReportMetric(base.Seconds()/best.Seconds(), "×dense")
}

func scoring(m *Model) func() {
	texts, from := [][]int32{tokensOf(512, 1)}, []int{511}
	return func() { _ = m.LogProbsInto(make([]float64, 1), make([]bool, 1), texts, from) }
}

func decoding(m *Model) func() {
	const prompt, tokens = 100, 16
	d := m.newDecoder(prompt + tokens)
	d.feed(tokensOf(prompt, 1))
	return func() {
		d.cache.past = prompt
		for range tokens {
			d.next[0] = int32(kernels.ArgMax(d.feed(d.next[:])))
		}
	}
}

// BenchmarkFactors multiplies with one matrix in factors, and reports its time as a
// multiple of what its multiply-adds would take in a dense matrix: 1 is as it
// should be. Least processor time of runs that alternate.
func BenchmarkFactors(b *testing.B) {
	random := rand.New(rand.NewPCG(1, 2))
	weights := func(n int) []float32 {
		w := make([]float32, n)
		for i := range w {
			w[i] = float32(random.NormFloat64())
		}
		return w
	}
	order := func(n int) []int32 {
		o := make([]int32, n)
		for i, v := range random.Perm(n) {
			o[i] = int32(v)
		}
		return o
	}
	for _, size := range [][2]int{{3072, 768}, {768, 3072}, {768, 768}} {
		out, in := size[0], size[1]
		kronecker := func(m2, n2, terms int, rows, columns []int32) Linear {
			s := arch.Kronecker{Terms: terms, M1: out / m2, N1: in / n2, M2: m2, N2: n2}
			return NewKronecker(s, weights(terms*s.M1*s.N1), weights(terms*m2*n2), nil, rows, columns)
		}
		rank := out * in / (out + in) / 2
		forms := []struct {
			name string
			l    Linear
		}{
			{"lowrank", NewLowRank(weights(out*rank), weights(rank*in), nil, out, rank, in)},
			{"1x2", kronecker(1, 2, 1, nil, nil)},
			{"1x2 ordered", kronecker(1, 2, 1, nil, order(in))},
			{"2x1", kronecker(2, 1, 1, nil, nil)},
			{"4x2 of 4", kronecker(4, 2, 4, nil, nil)},
			{"2x4 of 4 ordered", kronecker(2, 4, 4, order(out), order(in))},
			{"32x32 of 4", kronecker(32, 32, 4, nil, nil)},
		}
		for _, f := range forms {
			dense := Linear(&Dense{Out: out, In: in, Weight: weights(out * in)})
			freeze(&dense)
			ratio := float64(macsOf(f.l)) / float64(out*in)
			freeze(&f.l)
			for _, rows := range []int{1, 8, 512} {
				b.Run(fmt.Sprintf("%dx%d/%s/%d", out, in, f.name, rows), func(b *testing.B) {
					x, y := weights(rows*in), make([]float32, rows*out)
					times := max(1, 256/rows)
					run := func(l Linear) func() {
						return func() {
							for range times {
								l.Forward(y, x, rows)
							}
						}
					}
					base := time.Hour
					best := fastest(b, run(f.l), func() {
						start := machine.CPUTime()
						run(dense)()
						base = min(base, machine.CPUTime()-start)
					})
					b.ReportMetric(best.Seconds()/base.Seconds()/ratio, "×multiply-adds")
					b.ReportMetric(best.Seconds()/base.Seconds(), "×dense")
				})
			}
		}
	}
}

// inForm is a frozen model of GPT-2's shape with all matrices in a form. The
// embedding stays dense where the form is for layers only.
func inForm(b *testing.B, kind string) *Model {
	m, err := empty(gpt2())
	if err != nil {
		b.Fatal(err)
	}
	matrices := map[string]Linear{}
	for _, s := range m.Slots() {
		out, in := s.Matrix.Shape()
		if l := benchForm(kind, out, in, biasOf(s.Matrix)); s.Name != "embedding" || kind == "int8" || kind == "int4" || kind == "w8a8" {
			matrices[s.Name] = l
		}
	}
	m, err = m.With(matrices)
	if err != nil {
		b.Fatal(err)
	}
	m.Freeze()
	return m
}

func benchForm(kind string, out, in int, bias []float32) Linear {
	random := rand.New(rand.NewPCG(1, uint64(out*in)))
	scales := func(n int) []float32 {
		s := make([]float32, n)
		for i := range s {
			s[i] = 1e-3
		}
		return s
	}
	q, signed := make([]uint8, out*in), make([]int8, out*in)
	for i := range q {
		q[i] = uint8(random.IntN(16))
		signed[i] = int8(q[i]*16) / 2
	}
	sparse := &Dense{Out: out, In: in, Weight: make([]float32, out*in), Bias: bias}
	switch kind {
	case "int8":
		return must(newInt8(signed, scales(out), 0, nil, bias, out, in))
	case "int4":
		return must(NewIntGroups(4, 128, q, scales(out*kernels.Groups(in, 128)), nil, true, bias, out, in))
	case "w8a8":
		return must(NewW8A8(signed, scales(out), 0, nil, nil, bias, out, in))
	case "nmpanel": // 2 of 4
		for i := range sparse.Weight {
			if (i%in+i/in/PanelRows)%4 < 2 {
				sparse.Weight[i] = float32(q[i])*1e-3 + 1e-4
			}
		}
		return must(NewPanelNM(sparse, 2, 4))
	}
	for i := range sparse.Weight { // a tenth
		if random.IntN(10) == 0 {
			sparse.Weight[i] = float32(q[i])*1e-3 + 1e-4
		}
	}
	return must(NewCSR(sparse))
}
