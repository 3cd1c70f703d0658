package model

import (
	"fmt"

	"plumb/kernels"
)

// A Tape is the memory for training passes over a fixed number of sequences
// of a fixed length.
type Tape struct {
	m       *Model
	pass    *pass
	lean    bool      // layers keep only what they were given
	targets []int32   // [t]
	logits  []float32 // [arch.LogitRows, v], so that they never exist in full
	capped  []float32 // the same again, where they have a cap or a guide
	losses  []float64 // [t] nats
	held    []held    // matrices of m, from the first Hold
}

// NewTape returns memory for passes over batch sequences of length predictions
// each. The model must have its gradients (EnableTraining) before Backward.
func (m *Model) NewTape(batch, length int) *Tape { return m.tape(batch, length, false) }

// NewLeanTape returns a tape that keeps of every layer only what it was given,
// and computes the rest again on the way back: arch.Config.LeanTrainMemory in
// place of TrainMemory, for arch.Config.RecomputeFLOPs more. No bit changes.
func (m *Model) NewLeanTape(batch, length int) *Tape { return m.tape(batch, length, true) }

func (m *Model) tape(batch, length int, lean bool) *Tape {
	m.mustNotBeFrozen("a tape")
	if length > m.cfg.Context {
		panic(fmt.Sprintf("model: sequences of %d tokens in a context of %d", length, m.cfg.Context))
	}
	rows := batch * length
	return kernels.Place(func(a *kernels.Arena) *Tape {
		t := &Tape{
			m: m, pass: m.trainingPass(a, batch, length, lean), lean: lean,
			targets: make([]int32, rows), losses: make([]float64, rows),
		}
		logits := min(rows, m.cfg.LogitRows()) * m.cfg.Vocab
		t.logits = a.Floats(logits)
		if m.cfg.FinalSoftCap > 0 {
			t.capped = a.Floats(logits)
		}
		return t
	})
}

// Backward runs tokens [batch, length+1] forward and back: the first length of
// each row are read, the last length predicted. A negative token is padding;
// it is predicted by nobody, and its row must hold no real token after it.
// Backward returns the summed loss in nats over predicted tokens, and adds
// scale times its gradient to the gradients of the model.
func (t *Tape) Backward(tokens []int32, scale float32) float64 {
	t.pass.load(tokens, t.targets)
	m, p := t.m, t.pass
	m.forward(p)
	loss := t.head(scale)
	p.guided(p.grads.normed, p.normed, len(m.order))
	m.finishBack(p)
	for layer := len(m.order) - 1; layer >= 0; layer-- {
		t.recompute(layer)
		m.blocks[m.order[layer]].backward(p, p.layers[layer], layer)
		p.guided(p.grads.dx, p.layers[layer].x, layer)
	}
	m.embedBack(p)
	return loss
}

// recompute fills what layer left for its backward pass, if t is lean. That of
// the last layer is still there.
func (t *Tape) recompute(layer int) {
	m, p := t.m, t.pass
	if !t.lean || layer == len(m.order)-1 {
		return
	}
	s := p.layers[layer]
	copy(p.x, s.x)
	m.blocks[m.order[layer]].forward(p, s, layer)
}

// Logits returns the logits [batch × length, v] of the first length tokens of
// each row, as Backward would see them.
func (t *Tape) Logits(tokens []int32) []float32 {
	t.pass.load(tokens, t.targets)
	t.m.forward(t.pass)
	logits := make([]float32, t.pass.rows*t.m.cfg.Vocab)
	t.m.logits(logits, t.pass.normed, t.pass.rows)
	return logits
}

// head runs the output matrix and the loss by chunks of rows, forward and
// back, and leaves the gradient of the normalised last state in
// p.grads.normed. It returns the summed loss in nats.
func (t *Tape) head(scale float32) float64 {
	m, p := t.m, t.pass
	c, v, each := m.cfg.TokenWidth(), m.cfg.Vocab, m.cfg.LogitRows()
	for from := 0; from < p.rows; from += each {
		to := min(from+each, p.rows)
		rows := to - from
		x, logits := p.normed[from*c:to*c], t.logits[:rows*v]
		m.logits(logits, x, rows)
		copy(t.capped, logits)
		kernels.CrossEntropy(logits, t.losses[from:to], t.targets[from:to], scale)
		if p.guide != nil {
			p.guide.Logits(logits, t.capped[:rows*v], from, rows)
		}
		if m.cfg.FinalSoftCap > 0 {
			kernels.SoftCapBack(logits, t.capped[:rows*v], float32(m.cfg.FinalSoftCap))
		}
		m.logitsBack(p.grads.normed[from*c:to*c], logits, x, rows)
	}
	sum := 0.0
	for _, loss := range t.losses {
		sum += loss
	}
	return sum
}
