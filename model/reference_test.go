package model

import (
	"cmp"
	"fmt"
	"math"
	"testing"

	"plumb/arch"
)

// A reference computes logits by the formulas, in float64, one token and one
// number at a time, and knows of a config only what its comments say.
type reference struct {
	c arch.Config
	w map[string]Param
}

type vector = []float64

// TestForwardIsTheFormula holds every variant against the reference.
func TestForwardIsTheFormula(t *testing.T) {
	for name, cfg := range variants() {
		t.Run(name, func(t *testing.T) {
			m := mustNew(t, cfg)
			shake(m)
			tokens := tokensFor(cfg, 1, cfg.Context)
			r := reference{cfg, map[string]Param{}}
			for _, p := range m.Params() {
				r.w[p.Name] = p
			}
			got := m.NewTape(1, cfg.Context).Logits(tokens)
			for i, row := range r.logits(tokens[:cfg.Context]) {
				for j, want := range row {
					if diff := math.Abs(float64(got[i*cfg.Vocab+j]) - want); !(diff < 2e-5) {
						t.Fatalf("position %d, token %d: %v, want %v", i, j, got[i*cfg.Vocab+j], want)
					}
				}
			}
		})
	}
}

func (r reference) logits(tokens []int32) []vector {
	c := r.c
	var x []vector
	for i, token := range tokens {
		row := r.row("embedding.weight", int(token))
		if c.Projected() {
			row = r.linear("embedding.project.", row)
		}
		for j := range row {
			row[j] *= cmp.Or(c.EmbeddingScale, 1)
			if c.Position == "learned" {
				row[j] += float64(r.w["position.weight"].Data[(i+c.PositionOffset)*c.Width+j])
			}
		}
		x = append(x, row)
	}
	for layer, block := range c.Blocks() {
		x = r.layer(x, layer, fmt.Sprintf("blocks.%d.", block))
	}
	for i := range x {
		x[i] = r.head(x[i])
	}
	return x
}

func (r reference) head(x vector) vector {
	if !r.c.NoOuterNorm {
		x = r.norm("norm.", x)
	}
	if r.c.Projected() {
		x = r.linear("head.project.", x)
	}
	if r.c.TiedHead {
		r.w["head.weight"] = r.w["embedding.weight"]
	}
	x = r.linear("head.", x)
	for i := range x {
		x[i] = capped(x[i], r.c.FinalSoftCap)
	}
	return x
}

func (r reference) layer(x []vector, layer int, b string) []vector {
	switch {
	case r.c.PostNorm:
		x = r.each(b+"attention.norm.", plus(x, r.attention(x, layer, b)))
		return r.each(b+"ffn.norm.", plus(x, r.feedForward(x, b)))
	case r.c.NormsPerLayer == 4:
		x = plus(x, r.each(b+"attention.post_norm.", r.attention(r.each(b+"attention.norm.", x), layer, b)))
		return plus(x, r.each(b+"ffn.post_norm.", r.feedForward(r.each(b+"ffn.norm.", x), b)))
	case r.c.NormsPerLayer == 1:
		n := r.each(b+"attention.norm.", x)
		return plus(plus(x, r.attention(n, layer, b)), r.feedForward(n, b))
	case r.c.ParallelResidual:
		return plus(plus(x, r.attention(r.each(b+"attention.norm.", x), layer, b)), r.feedForward(r.each(b+"ffn.norm.", x), b))
	}
	x = plus(x, r.attention(r.each(b+"attention.norm.", x), layer, b))
	return plus(x, r.feedForward(r.each(b+"ffn.norm.", x), b))
}

func (r reference) attention(x []vector, layer int, b string) []vector {
	c := r.c
	var q, k, v, out []vector
	for i, row := range x {
		q = append(q, r.rotated(r.linear(b+"attention.q.", row), i))
		k = append(k, r.rotated(r.linear(b+"attention.k.", row), i))
		v = append(v, r.linear(b+"attention.v.", row))
	}
	scale := cmp.Or(c.AttentionScale, 1/math.Sqrt(float64(c.HeadDim)))
	if c.ScaleByLayer {
		scale /= float64(layer + 1)
	}
	for i := range x {
		all := make(vector, c.Heads*c.HeadDim)
		for h := range c.Heads {
			g := h / (c.Heads / c.KVHeads) * c.HeadDim
			sum, mixed := 0.0, all[h*c.HeadDim:][:c.HeadDim]
			for j := 0; j <= i; j++ {
				windowed := c.Window > 0 && layer >= c.WindowFirst && (layer-c.WindowFirst)%max(1, c.WindowEvery) == 0
				if windowed && i-j >= c.Window {
					continue
				}
				e := math.Exp(capped(scale*dotOf(q[i][h*c.HeadDim:][:c.HeadDim], k[j][g:]), c.AttentionSoftCap))
				sum += e
				for d := range mixed {
					mixed[d] += e * v[j][g+d]
				}
			}
			for d := range mixed {
				mixed[d] /= sum
			}
		}
		out = append(out, r.linear(b+"attention.out.", all))
	}
	return out
}

// rotated turns the pairs (i, i+rot/2) of every head of x by position times
// their frequency.
func (r reference) rotated(x vector, position int) vector {
	c, rot := r.c, r.c.RotaryChannels()
	for at := 0; at < len(x) && rot > 0; at += c.HeadDim {
		for i := range rot / 2 {
			f := r.stretched(math.Pow(c.RotaryTheta, -2*float64(i)/float64(rot)))
			sin, cos := math.Sincos(float64(position) * f)
			a, b := x[at+i], x[at+i+rot/2]
			x[at+i], x[at+i+rot/2] = a*cos-b*sin, b*cos+a*sin
		}
	}
	return x
}

// stretched follows the code of the transformers library, which speaks of
// wave lengths.
func (r reference) stretched(f float64) float64 {
	s := r.c.RotaryScaling
	if s.Factor == 0 {
		return f
	}
	if s.Context == 0 {
		return f / s.Factor
	}
	length, context := 2*math.Pi/f, float64(s.Context)
	if length < context/s.HighFrequency {
		return f
	}
	if length > context/s.LowFrequency {
		return f / s.Factor
	}
	smooth := (context/length - s.LowFrequency) / (s.HighFrequency - s.LowFrequency)
	return (1-smooth)*f/s.Factor + smooth*f
}

func (r reference) feedForward(x []vector, b string) []vector {
	var out []vector
	for _, row := range x {
		up := r.linear(b+"ffn.up.", row)
		gate := up
		if r.c.Gated() {
			gate = r.linear(b+"ffn.gate.", row)
		}
		hidden := make(vector, len(up))
		for i, v := range gate {
			hidden[i] = r.activation(v)
			if r.c.Gated() {
				hidden[i] *= up[i]
			}
		}
		out = append(out, r.linear(b+"ffn.down.", hidden))
	}
	return out
}

func (r reference) activation(x float64) float64 {
	switch r.c.Activation {
	case "swiglu":
		return x / (1 + math.Exp(-x))
	case "relu":
		return max(x, 0)
	case "gelu_erf":
		return x * math.Erfc(-x/math.Sqrt2) / 2
	}
	return x / 2 * (1 + math.Tanh(math.Sqrt(2/math.Pi)*(x+0.044715*x*x*x)))
}

func (r reference) each(norm string, x []vector) []vector {
	var out []vector
	for _, row := range x {
		out = append(out, r.norm(norm, row))
	}
	return out
}

func (r reference) norm(name string, x vector) vector {
	mean := 0.0
	bias := r.w[name+"bias"].Data
	if r.c.Norm == "layernorm" {
		for _, v := range x {
			mean += v / float64(len(x))
		}
	}
	variance, out := 0.0, make(vector, len(x))
	for _, v := range x {
		variance += (v - mean) * (v - mean) / float64(len(x))
	}
	for i, v := range x {
		out[i] = (v - mean) / math.Sqrt(variance+r.c.NormEps) * float64(r.w[name+"gain"].Data[i])
		if bias != nil {
			out[i] += float64(bias[i])
		}
	}
	return out
}

func (r reference) linear(name string, x vector) vector {
	w, bias := r.w[name+"weight"], r.w[name+"bias"].Data
	out := make(vector, w.Shape[0])
	for o := range out {
		out[o] = dotOf(r.row(name+"weight", o), x)
		if bias != nil {
			out[o] += float64(bias[o])
		}
	}
	return out
}

func (r reference) row(name string, i int) vector {
	w := r.w[name]
	row := make(vector, w.Shape[1])
	for j := range row {
		row[j] = float64(w.Data[i*w.Shape[1]+j])
	}
	return row
}

func capped(x, limit float64) float64 {
	if limit == 0 {
		return x
	}
	return limit * math.Tanh(x/limit)
}

func dotOf(x, y vector) float64 {
	sum := 0.0
	for i := range x {
		sum += x[i] * y[i]
	}
	return sum
}

func plus(x, y []vector) []vector {
	sum := make([]vector, len(x))
	for i := range x {
		for j := range x[i] {
			sum[i] = append(sum[i], x[i][j]+y[i][j])
		}
	}
	return sum
}
