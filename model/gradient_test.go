package model

import (
	"fmt"
	"math"
	"strings"
	"testing"

	"plumb/arch"
	"plumb/kernels"
)

// tiny is a shape small enough for finite differences.
func tiny() arch.Config {
	return arch.Config{
		Name: "tiny", Vocab: 23, Context: 9, Layers: 2, Sharing: "none", Repeat: 1,
		Width: 12, Heads: 3, KVHeads: 3, HeadDim: 4, Hidden: 20,
		Activation: "swiglu", Norm: "rmsnorm", NormEps: 1e-5,
		Position: "rotary", RotaryTheta: 10000, RotaryShare: 1, TiedHead: true,
	}
}

// variants are shapes that between them use every kind of block.
func variants() map[string]arch.Config {
	all := map[string]arch.Config{"base": tiny()}
	add := func(name string, change func(*arch.Config)) {
		c := tiny()
		change(&c)
		c.Name = name
		all[name] = c
	}
	for _, a := range arch.Activations {
		add(a, func(c *arch.Config) { c.Activation, c.FFNBias = a, a == "relu" })
	}
	for _, s := range arch.Sharings.Names() {
		if s != arch.NoSharing {
			add(s, func(c *arch.Config) { c.Sharing, c.Repeat, c.Layers = s, 2, 4 })
		}
	}
	add("grouped heads", func(c *arch.Config) { c.Heads, c.KVHeads, c.HeadDim = 6, 2, 2 })
	add("layernorm", func(c *arch.Config) { c.Norm = "layernorm" })
	add("learned positions", func(c *arch.Config) { c.Position, c.RotaryTheta, c.RotaryShare = "learned", 0, 0 })
	add("part of a head rotates", func(c *arch.Config) { c.RotaryShare = 0.5 })
	add("biases", func(c *arch.Config) { c.QKVBias, c.OutBias, c.FFNBias = true, true, true })
	add("untied", func(c *arch.Config) { c.TiedHead = false })
	add("scaled embedding", func(c *arch.Config) { c.EmbeddingScale = 3.5 })
	add("gpt2", func(c *arch.Config) {
		c.Norm, c.Position, c.Activation, c.RotaryTheta, c.RotaryShare = "layernorm", "learned", "gelu", 0, 0
		c.QKVBias, c.OutBias, c.FFNBias = true, true, true
	})
	addFamilies(add)
	return all
}

// addFamilies adds the ways in which published families depart from the base.
func addFamilies(add func(name string, change func(*arch.Config))) {
	add("parallel residual", func(c *arch.Config) { c.ParallelResidual, c.Norm, c.RotaryShare = true, "layernorm", 0.5 })
	add("parallel residual of one norm", func(c *arch.Config) { c.ParallelResidual, c.NormsPerLayer, c.KVHeads = true, 1, 1 })
	add("four norms", func(c *arch.Config) { c.NormsPerLayer, c.NormOffset = 4, 1 })
	add("norms behind the sums", func(c *arch.Config) { c.PostNorm, c.NoOuterNorm, c.Norm = true, true, "layernorm" })
	add("no last norm", func(c *arch.Config) { c.NoOuterNorm = true })
	add("narrow embedding", func(c *arch.Config) { c.EmbeddingWidth, c.NoOuterNorm, c.EmbeddingScale = 8, true, 2 })
	add("narrow embedding, untied", func(c *arch.Config) { c.EmbeddingWidth, c.NoOuterNorm, c.TiedHead, c.HeadBias = 8, true, false, true })
	add("head bias", func(c *arch.Config) { c.HeadBias = true })
	add("position offset", func(c *arch.Config) {
		c.Position, c.RotaryTheta, c.RotaryShare, c.PositionOffset = "learned", 0, 0, 2
	})
	add("window", func(c *arch.Config) { c.Window = 3 })
	add("window in every second layer", func(c *arch.Config) { c.Window, c.WindowFirst, c.WindowEvery, c.Layers = 2, 1, 2, 4 })
	add("soft caps", func(c *arch.Config) { c.AttentionSoftCap, c.FinalSoftCap = 0.5, 1.5 })
	add("attention scale", func(c *arch.Config) { c.AttentionScale = 1 })
	add("scale by layer", func(c *arch.Config) { c.ScaleByLayer, c.Layers, c.Repeat, c.Sharing = true, 4, 2, "cyclic" })
	add("linear rotary scaling", func(c *arch.Config) { c.RotaryScaling.Factor = 4 })
	add("rotary scaling in bands", func(c *arch.Config) {
		c.RotaryScaling, c.RotaryTheta = arch.RotaryScaling{Factor: 8, LowFrequency: 1, HighFrequency: 4, Context: 20}, 20
	})
}

func tokensFor(c arch.Config, batch, length int) []int32 {
	tokens := make([]int32, batch*(length+1))
	for i := range tokens {
		tokens[i] = int32((i*i*7 + i*3 + 5) % c.Vocab)
	}
	return tokens
}

// TestGradients compares the gradient of every array with the slope of the
// loss along a random direction of that array, by central differences.
func TestGradients(t *testing.T) {
	for name, cfg := range variants() {
		t.Run(name, func(t *testing.T) {
			m := mustNew(t, cfg)
			shake(m)
			m.EnableTraining()
			const batch = 2
			tokens := tokensFor(cfg, batch, cfg.Context)
			tape := m.NewTape(batch, cfg.Context)
			tape.Backward(tokens, 1)
			for i, p := range m.Params() {
				checkSlope(t, tape, tokens, p, uint64(i))
			}
		})
	}
}

// shake moves gains and biases off their first values, which hide mistakes.
// The inputs of a ReLU are moved away from its kink, where no difference
// shows the slope.
func shake(m *Model) {
	for i, p := range m.Params() {
		if m.cfg.Activation == "relu" && strings.HasSuffix(p.Name, "ffn.up.bias") {
			for j := range p.Data {
				p.Data[j] = float32(12*(j%2) - 6)
			}
			continue
		}
		if !p.Matrix() {
			noise := make([]float32, len(p.Data))
			normal(noise, 0.3, stream(uint64(i), "shake"))
			for j := range noise {
				p.Data[j] += noise[j]
			}
		}
	}
}

func checkSlope(t *testing.T, tape *Tape, tokens []int32, p Param, seed uint64) {
	direction := make([]float32, len(p.Data))
	normal(direction, 1, stream(seed, "direction"))
	want := 0.0
	for i, d := range direction {
		if p.weights < len(p.Data) && p.Data[i] == 0 { // masked
			d, direction[i] = 0, 0
		}
		want += float64(p.Grad[i]) * float64(d)
	}
	before := append([]float32(nil), p.Data...)
	grad := append([]float32(nil), p.Grad...)
	at := func(step float32) float64 {
		for i, d := range direction {
			p.Data[i] = before[i] + step*d
		}
		return tape.Backward(tokens, 0)
	}
	const h = 2e-3
	got := (8*(at(h)-at(-h)) - (at(2*h) - at(-2*h))) / (12 * h)
	copy(p.Data, before)
	copy(p.Grad, grad)
	if math.Abs(got-want) > 2e-3*(1+math.Abs(want)) {
		t.Errorf("%s: slope %g by differences, %g by the backward pass", p.Name, got, want)
	}
}

func mustNew(t testing.TB, cfg arch.Config) *Model {
	t.Helper()
	m, err := New(cfg, Init{}, 1)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// A padded row must leave every bit as if it were not there.
func TestPaddingChangesNothing(t *testing.T) {
	cfg := tiny()
	tokens := tokensFor(cfg, 1, cfg.Context)
	padded := append(append([]int32(nil), tokens...), make([]int32, cfg.Context+1)...)
	for i := len(tokens); i < len(padded); i++ {
		padded[i] = -1
	}
	gradients := func(batch int, tokens []int32) (float64, string) {
		m := mustNew(t, cfg)
		m.EnableTraining()
		loss := m.NewTape(batch, cfg.Context).Backward(tokens, 1)
		var all string
		for _, p := range m.Params() {
			all += fmt.Sprint(p.Grad)
		}
		return loss, all
	}
	loss, want := gradients(1, tokens)
	paddedLoss, got := gradients(2, padded)
	if loss != paddedLoss || got != want {
		t.Errorf("loss %v with padding, %v without; gradients equal: %v", paddedLoss, loss, got == want)
	}
}

// Layers that are computed again give the gradients of layers that are kept.
func TestLeanTapeChangesNothing(t *testing.T) {
	for name, cfg := range variants() {
		t.Run(name, func(t *testing.T) {
			m := mustNew(t, cfg)
			shake(m)
			const batch = 2
			tokens := tokensFor(cfg, batch, cfg.Context)
			gradients := func(tape func(batch, length int) *Tape) (float64, string) {
				m.EnableTraining()
				loss := tape(batch, cfg.Context).Backward(tokens, 1)
				var all string
				for _, p := range m.Params() {
					all += fmt.Sprint(p.Grad)
				}
				return loss, all
			}
			loss, want := gradients(m.NewTape)
			leanLoss, got := gradients(m.NewLeanTape)
			if loss != leanLoss || got != want {
				t.Errorf("loss %v lean, %v else; gradients equal: %v", leanLoss, loss, got == want)
			}
		})
	}
}

// Passes between Hold and Release give the gradients of others, and those after
// a change of weights do not remember what was held before.
func TestHoldChangesNothing(t *testing.T) {
	for name, cfg := range variants() {
		t.Run(name, func(t *testing.T) {
			const batch = 2
			tokens := tokensFor(cfg, batch, cfg.Context)
			gradients := func(hold, release func(*Tape)) string {
				m := mustNew(t, cfg)
				shake(m)
				m.EnableTraining()
				tape := m.NewTape(batch, cfg.Context)
				for range 2 {
					hold(tape)
					for range 2 {
						tape.Backward(tokens, 1)
					}
					release(tape)
					for _, p := range m.Params() {
						kernels.Scale(p.Data, 1.25)
					}
				}
				tape.Backward(tokens, 1)
				var all string
				for _, p := range m.Params() {
					all += fmt.Sprint(p.Grad)
				}
				return all
			}
			nothing := func(*Tape) {}
			if gradients((*Tape).Hold, (*Tape).Release) != gradients(nothing, nothing) {
				t.Error("other gradients")
			}
		})
	}
}
