package model

import "plumb/kernels"

// A Guide is what a model learns from beside its text: losses of what a pass
// computes, such as its distance from a teacher. A Tape shows it what the
// forward pass gave, and it adds the gradients of its losses, with their
// weights, to those that are on their way back. It must not keep or change what
// it is shown. t counts the tokens of the pass.
type Guide interface {
	// Logits is shown logits [rows, v] of the tokens from on, behind their cap.
	// It is called for all tokens in order, some at a time.
	Logits(dlogits, logits []float32, from, rows int)
	// State is shown the residual stream x [t, c] as it enters a layer, and for
	// the number behind the last layer what the head reads, [t, e]: the stream
	// behind the last norm. (Hugging Face's hidden_states have the same order.)
	State(dx, x []float32, layer int)
	// Attention is shown what the attention of a layer read: dq is [t, h·d] and
	// dk [t, g·d], as the queries and keys in seen.
	Attention(dq, dk []float32, seen kernels.Attended, layer int)
}

// Guide lets g see every pass of Backward from now on.
func (t *Tape) Guide(g Guide) {
	t.pass.guide = g
	if t.capped == nil {
		t.capped = make([]float32, len(t.logits))
	}
}

// guided shows the guide of p, if there is one, a state of the stream.
func (p *pass) guided(dx, x []float32, layer int) {
	if p.guide != nil {
		p.guide.State(dx, x, layer)
	}
}

// attention is what attention with these heads read.
func (s *saved) attention(h kernels.Heads) kernels.Attended {
	return kernels.Attended{Heads: h, Q: s.q, K: s.k, LogSums: s.lse}
}

// A Reading is the memory for forward passes over a fixed number of sequences of
// a fixed length whose states can be looked at, as a student looks at those of
// its teacher. The model may be frozen.
type Reading struct {
	m      *Model
	pass   *pass
	logits []float32
}

// NewReading returns memory for batch sequences of length tokens each. With
// attention, every layer keeps what Attention returns.
func (m *Model) NewReading(batch, length int, attention bool) *Reading {
	return kernels.Place(func(a *kernels.Arena) *Reading {
		return &Reading{
			m: m, pass: m.keptPass(a, batch, length, !attention),
			logits: a.Floats(min(batch*length, m.cfg.LogitRows()) * m.cfg.Vocab),
		}
	})
}

// Read runs tokens [batch, length+1], as Tape.Backward takes them, forward.
func (r *Reading) Read(tokens []int32) {
	r.pass.load(tokens, nil)
	r.m.forward(r.pass)
}

// Logits returns those of rows tokens from on, [rows, v], until the next call.
// There may be as many rows as the tape of a model of the same width and
// vocabulary shows at a time.
func (r *Reading) Logits(from, rows int) []float32 {
	c, n := r.m.cfg.TokenWidth(), rows*r.m.cfg.Vocab
	if n > len(r.logits) {
		r.logits = make([]float32, n)
	}
	r.m.logits(r.logits[:n], r.pass.normed[from*c:(from+rows)*c], rows)
	return r.logits[:n]
}

// State returns the stream as it entered a layer, [t, c], or for the number
// behind the last layer what the head reads, [t, e]; see Guide.State.
func (r *Reading) State(layer int) []float32 {
	if layer == len(r.m.order) {
		return r.pass.normed[:r.pass.rows*r.m.cfg.TokenWidth()]
	}
	return r.pass.layers[layer].x
}

// Attention returns what the attention of a layer read.
func (r *Reading) Attention(layer int) kernels.Attended {
	return r.pass.layers[layer].attention(r.m.blocks[r.m.order[layer]].attention.heads[layer])
}
