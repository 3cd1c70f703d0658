package kernels

import (
	"fmt"
	"math"
	"math/rand/v2"
	"sync"
	"testing"
)

// An attentionCase has the inputs of one attention, and its results.
type attentionCase struct {
	h                 Heads
	batch, t          int
	q, k, v, out, lse []float32
	dout, dq, dk, dv  []float32
}

func newAttentionCase(h Heads, batch, t int, seed uint64) *attentionCase {
	r := rand.New(rand.NewPCG(seed, 7))
	c := &attentionCase{h: h, batch: batch, t: t}
	random := func(n int) []float32 {
		x := newGuarded(n).data
		fillRandom(r, x)
		return x
	}
	nq, nk := batch*t*h.Query*h.Dim, batch*t*h.KV*h.Dim
	c.q, c.k, c.v, c.dout = random(nq), random(nk), random(nk), random(nq)
	c.out, c.lse, c.dq = random(nq), random(batch*t*h.Query), random(nq)
	c.dk, c.dv = random(nk), random(nk)
	return c
}

func (c *attentionCase) run() {
	AttentionBatch(c.out, c.lse, c.q, c.k, c.v, c.h, c.batch, c.t)
	AttentionBackBatch(c.dq, c.dk, c.dv, c.dout, c.q, c.k, c.v, c.out, c.lse, c.h, c.batch, c.t)
}

var attentionShapes = []struct {
	h        Heads
	batch, t int
}{
	{Heads{Query: 1, KV: 1, Dim: 1, Scale: 1}, 1, 1},
	{Heads{Query: 2, KV: 1, Dim: 4, Scale: 0.5}, 2, 3},
	{Heads{Query: 4, KV: 2, Dim: 16, Scale: 0.25}, 2, 33},
	{Heads{Query: 3, KV: 3, Dim: 7, Scale: 0.4}, 1, 40},
	{Heads{Query: 6, KV: 2, Dim: 24, Scale: 0.2}, 1, 65},
	{Heads{Query: 2, KV: 1, Dim: 65, Scale: 0.12}, 1, 70},
	{Heads{Query: 2, KV: 2, Dim: 52, Scale: 0.14}, 1, 36},
	{Heads{Query: 10, KV: 2, Dim: 8, Scale: 0.3}, 1, 61},
	{Heads{Query: 4, KV: 2, Dim: 8, Scale: 0.3, Window: 1}, 1, 20},
	{Heads{Query: 4, KV: 2, Dim: 16, Scale: 0.25, Window: 19}, 2, 65},
	{Heads{Query: 4, KV: 1, Dim: 12, Scale: 0.5, SoftCap: 1.5}, 2, 40},
	{Heads{Query: 6, KV: 2, Dim: 24, Scale: 0.4, Window: 33, SoftCap: 3}, 1, 70},
	{Heads{Query: 2, KV: 2, Dim: 16, Scale: 0.25}, 1, 150}, // heads with keys of their own: blocks of up to 112 rows
	{Heads{Query: 3, KV: 3, Dim: 20, Scale: 0.2, Window: 40}, 2, 115},
	{Heads{Query: 1, KV: 1, Dim: 12, Scale: 0.4, SoftCap: 3}, 1, 230},
	{Heads{Query: 1, KV: 1, Dim: 4, Scale: 0.5}, 1, 620}, // keys that leave room for 84
	{Heads{Query: 5, KV: 1, Dim: 8, Scale: 0.3}, 1, 59},  // four heads are stacked, one is left
}

// naiveAttention is out in float64 by the formula.
func naiveAttention(h Heads, t int, q, k, v []float32) (out, lse []float64) {
	out, lse = make([]float64, t*h.Query*h.Dim), make([]float64, t*h.Query)
	for i := range t {
		for head := range h.Query {
			g := head / (h.Query / h.KV)
			terms, sum := make([]float64, i+1), 0.0
			for j := range terms {
				score := 0.0
				for d := range h.Dim {
					score += float64(q[(i*h.Query+head)*h.Dim+d]) * float64(k[(j*h.KV+g)*h.Dim+d])
				}
				score *= float64(h.Scale)
				if h.SoftCap > 0 {
					score = float64(h.SoftCap) * math.Tanh(score/float64(h.SoftCap))
				}
				if h.Window > 0 && j <= i-h.Window {
					continue
				}
				terms[j] = math.Exp(score)
				sum += terms[j]
			}
			lse[i*h.Query+head] = math.Log(sum)
			for j, e := range terms {
				for d := range h.Dim {
					out[(i*h.Query+head)*h.Dim+d] += e / sum * float64(v[(j*h.KV+g)*h.Dim+d])
				}
			}
		}
	}
	return out, lse
}

func near(t *testing.T, what string, got []float32, want []float64, tolerance float64) {
	t.Helper()
	for i, w := range want {
		if !(math.Abs(float64(got[i])-w) <= tolerance*(1+math.Abs(w))) {
			t.Fatalf("%s: element %d is %v, want %v", what, i, got[i], w)
		}
	}
}

func TestAttentionMatchesFormula(t *testing.T) {
	onEach(t, func(t *testing.T) {
		for _, s := range attentionShapes {
			c := newAttentionCase(s.h, s.batch, s.t, 1)
			c.run()
			n, kn := s.t*s.h.Query*s.h.Dim, s.t*s.h.KV*s.h.Dim
			for b := range s.batch {
				out, lse := naiveAttention(s.h, s.t, c.q[b*n:][:n], c.k[b*kn:][:kn], c.v[b*kn:][:kn])
				near(t, fmt.Sprintf("%+v out", s), c.out[b*n:], out, 5e-6)
				near(t, fmt.Sprintf("%+v lse", s), c.lse[b*s.t*s.h.Query:], lse, 5e-6)
			}
		}
	})
}

// TestAttentionBackMatchesDifferences moves single inputs of the formula.
func TestAttentionBackMatchesDifferences(t *testing.T) {
	for _, s := range attentionShapes {
		if s.batch > 1 {
			continue // the same code; TestAttentionBatch compares it
		}
		c := newAttentionCase(s.h, 1, s.t, 2)
		c.run()
		loss := func() (sum float64) {
			out, _ := naiveAttention(s.h, s.t, c.q, c.k, c.v)
			for i, o := range out {
				sum += o * float64(c.dout[i])
			}
			return sum
		}
		r := rand.New(rand.NewPCG(3, 4))
		for _, input := range []struct {
			name    string
			x, grad []float32
		}{{"dq", c.q, c.dq}, {"dk", c.k, c.dk}, {"dv", c.v, c.dv}} {
			for range 6 {
				i := r.IntN(len(input.x))
				was := input.x[i]
				input.x[i] = was + 1.0/512
				up, upper := loss(), input.x[i]
				input.x[i] = was - 1.0/512
				down, lower := loss(), input.x[i]
				input.x[i] = was
				want := (up - down) / (float64(upper) - float64(lower))
				near(t, fmt.Sprintf("%+v %s[%d]", s, input.name, i), input.grad[i:], []float64{want}, 2e-4)
			}
		}
	}
}

func (c *attentionCase) results() []float32 {
	var all []float32
	for _, x := range [][]float32{c.out, c.lse, c.dq, c.dk, c.dv} {
		all = append(all, x...)
	}
	return all
}

func TestAttentionSameBitsEverywhere(t *testing.T) {
	for _, s := range attentionShapes {
		var want []float32
		onEach(t, func(t *testing.T) {
			for _, workers := range []int{1, 2, 4} {
				withWorkers(workers, func() {
					c := newAttentionCase(s.h, s.batch, s.t, 5)
					c.run()
					if want == nil {
						want = c.results()
					}
					sameBits(t, fmt.Sprintf("%+v with %d workers", s, workers), c.results(), want)
				})
			}
		})
	}
}

// TestAttentionBatch compares a batch with its sequences one by one, and
// these with themselves cut into prefix and continuation.
func TestAttentionBatch(t *testing.T) {
	for _, s := range attentionShapes {
		const batch = 3
		c := newAttentionCase(s.h, batch, s.t, 6)
		c.run()
		n, kn := s.t*s.h.Query*s.h.Dim, s.t*s.h.KV*s.h.Dim
		for b := range batch {
			one := newAttentionCase(s.h, 1, s.t, 6)
			copy(one.q, c.q[b*n:])
			copy(one.k, c.k[b*kn:])
			copy(one.v, c.v[b*kn:])
			copy(one.dout, c.dout[b*n:])
			Attention(one.out, one.lse, one.q, one.k, one.v, s.h, s.t, 0)
			AttentionBack(one.dq, one.dk, one.dv, one.dout, one.q, one.k, one.v, one.out, one.lse, s.h, s.t)
			sameBits(t, "out", one.out, c.out[b*n:][:n])
			sameBits(t, "dq", one.dq, c.dq[b*n:][:n])
			sameBits(t, "dk", one.dk, c.dk[b*kn:][:kn])
			sameBits(t, "dv", one.dv, c.dv[b*kn:][:kn])
			checkContinuation(t, one)
		}
	}
}

func checkContinuation(t *testing.T, c *attentionCase) {
	t.Helper()
	width, kvWidth := c.h.Query*c.h.Dim, c.h.KV*c.h.Dim
	for past := range c.t {
		got := newGuarded((c.t - past) * width)
		Attention(got.data, nil, c.q[past*width:], c.k[:c.t*kvWidth], c.v[:c.t*kvWidth], c.h, c.t-past, past)
		sameBits(t, fmt.Sprintf("continuation of %d", past), got.data, c.out[past*width:])
		got.check(t, "continuation")
		if past%9 > 2 {
			continue
		}
		got = newGuarded(past * width)
		Attention(got.data, nil, c.q[:past*width], c.k[:past*kvWidth], c.v[:past*kvWidth], c.h, past, 0)
		sameBits(t, fmt.Sprintf("prefix of %d", past), got.data, c.out[:past*width])
	}
}

func TestAttentionConcurrentCallers(t *testing.T) {
	h := Heads{Query: 4, KV: 2, Dim: 16, Scale: 0.25}
	want := newAttentionCase(h, 4, 150, 8)
	withWorkers(1, want.run)
	withWorkers(3, func() {
		var all sync.WaitGroup
		for range 4 {
			all.Go(func() {
				c := newAttentionCase(h, 4, 150, 8)
				c.run()
				sameBits(t, "concurrent", c.results(), want.results())
			})
		}
		all.Wait()
	})
}

func TestAttentionAllocatesLittle(t *testing.T) {
	c := newAttentionCase(Heads{Query: 4, KV: 2, Dim: 16, Scale: 0.25}, 2, 70, 9)
	withWorkers(1, func() {
		// The race detector makes pools forget, hence more than 0.
		if n := testing.AllocsPerRun(20, c.run); n > 8 {
			t.Errorf("%v allocations", n)
		}
	})
}

func TestLog32(t *testing.T) {
	for _, x := range []float32{1, 1.0000001, 1.41, 1.42, 2, 3, 17.5, 1000, 1e30, 1e-30} {
		near(t, fmt.Sprintf("log32(%v)", x), []float32{log32(x)}, []float64{math.Log(float64(x))}, 1e-7)
	}
	if !math.IsNaN(float64(log32(float32(math.NaN())))) {
		t.Error("log32(NaN) is a number")
	}
}
