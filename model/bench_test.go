package model

import (
	"runtime"
	"sync"
	"testing"
	"time"

	"plumb/arch"
	"plumb/internal/machine"
	"plumb/kernels"
)

// gpt2 is the shape of GPT-2 of 124 million weights.
func gpt2() arch.Config {
	return arch.Config{
		Name: "gpt2-124m", Vocab: 50257, Context: 1024, Layers: 12, Sharing: "none", Repeat: 1,
		Width: 768, Heads: 12, KVHeads: 12, HeadDim: 64, Hidden: 3072,
		Activation: "gelu", Norm: "layernorm", NormEps: 1e-5, Position: "learned", TiedHead: true,
		QKVBias: true, OutBias: true, FFNBias: true,
	}
}

// stories is the shape of llama2.c's stories260K.
func stories() arch.Config {
	return arch.Config{
		Name: "stories260K", Vocab: 512, Context: 512, Layers: 5, Sharing: "none", Repeat: 1,
		Width: 64, Heads: 8, KVHeads: 4, HeadDim: 8, Hidden: 172,
		Activation: "swiglu", Norm: "rmsnorm", NormEps: 1e-5,
		Position: "rotary", RotaryTheta: 10000, RotaryShare: 1, TiedHead: true,
	}
}

var peak = sync.OnceValue(kernels.Peak)

// frozenModel has weights of no meaning, which take as long.
func frozenModel(b *testing.B, cfg arch.Config) *Model {
	m, err := empty(cfg)
	if err != nil {
		b.Fatal(err)
	}
	for _, p := range m.arrays {
		for i := range p.Data {
			p.Data[i] = float32(i%113-56) * 1e-3
		}
	}
	m.Freeze()
	return m
}

// fastest is the least processor time of b.N runs of f with one worker, the
// first left out. Between runs it calls others, which it does not time.
func fastest(b *testing.B, f func(), others ...func()) time.Duration {
	workers := kernels.Workers()
	kernels.SetWorkers(1)
	defer kernels.SetWorkers(workers)
	f()
	runtime.GC()
	best := time.Hour
	for b.Loop() {
		start := machine.CPUTime()
		f()
		best = min(best, machine.CPUTime()-start)
		for _, other := range others {
			other()
		}
	}
	b.ReportMetric(0, "ns/op")
	return best
}

func tokensOf(n, seed int) []int32 {
	tokens := make([]int32, n)
	for i := range tokens {
		tokens[i] = int32((i*7919 + seed*104729 + 1) % 512)
	}
	return tokens
}

// bodyOperations counts what a token costs before the head, behind past others.
func bodyOperations(c arch.Config, past int) float64 {
	heads := c.Width * c.HeadDim * 2 * (c.Heads + c.KVHeads)
	ffn := 2 * c.Width * c.Hidden
	if c.Gated() {
		ffn = 3 * c.Width * c.Hidden
	}
	return 2 * float64(c.Layers*(heads+ffn+2*c.Heads*c.HeadDim*(past+1)))
}

func headOperations(c arch.Config) float64 { return 2 * float64(c.Width*c.Vocab) }

func bothShapes(b *testing.B, f func(b *testing.B, cfg arch.Config, m *Model)) {
	for _, cfg := range []arch.Config{stories(), gpt2()} {
		m := frozenModel(b, cfg)
		b.Run(cfg.Name, func(b *testing.B) { f(b, cfg, m) })
	}
}

// BenchmarkScoring scores the last token of prompts of 512.
func BenchmarkScoring(b *testing.B) {
	bothShapes(b, func(b *testing.B, cfg arch.Config, m *Model) {
		const rows, length = 2, 512
		texts, from, operations := [][]int32{}, []int{}, 0.0
		for r := range rows {
			texts, from = append(texts, tokensOf(length, r)), append(from, length-1)
			for past := range length - 1 {
				operations += bodyOperations(cfg, past)
			}
			operations += headOperations(cfg)
		}
		sums, greedy := make([]float64, rows), make([]bool, rows)
		best := fastest(b, func() { _ = m.LogProbsInto(sums, greedy, texts, from) }).Seconds()
		b.ReportMetric(100*operations/best/peak(), "%peak")
		b.ReportMetric(rows*length/best, "tokens/s")
	})
}

// BenchmarkChoices scores items as HellaSwag has them: a context of 86 tokens
// at the larger vocabulary and 225 at the smaller, and four endings.
func BenchmarkChoices(b *testing.B) {
	bothShapes(b, func(b *testing.B, cfg arch.Config, m *Model) {
		context, ending := 86, 20
		if cfg.Vocab < 1000 {
			context, ending = 225, 52
		}
		const items = 16
		var texts [][]int32
		var from []int
		for i := range items {
			for e := range 4 {
				text := append(tokensOf(context, i), tokensOf(ending, 100*i+e)...)
				texts, from = append(texts, text), append(from, context)
			}
		}
		operations := 0.0
		for past := range context {
			operations += bodyOperations(cfg, past)
		}
		for i := range ending - 1 {
			operations += 4 * bodyOperations(cfg, context+i)
		}
		operations += float64(4*ending) * headOperations(cfg)
		sums, greedy := make([]float64, len(texts)), make([]bool, len(texts))
		best := fastest(b, func() { _ = m.LogProbsInto(sums, greedy, texts, from) }).Seconds()
		b.ReportMetric(100*items*operations/best/peak(), "%peak")
		b.ReportMetric(items/best, "items/s")
	})
}

// BenchmarkDecoding generates 24 tokens behind 100, greedily. The share is that
// of the time in which the weights can be read, which bounds a model that is
// larger than the caches.
func BenchmarkDecoding(b *testing.B) {
	bothShapes(b, func(b *testing.B, cfg arch.Config, m *Model) {
		const prompt, tokens = 100, 24
		d := m.newDecoder(prompt + tokens)
		d.feed(tokensOf(prompt, 1))
		reading := time.Hour
		best := fastest(b, func() {
			d.cache.past = prompt
			for range tokens {
				d.next[0] = int32(kernels.ArgMax(d.feed(d.next[:])))
			}
		}, func() {
			start := machine.CPUTime()
			for range tokens { // as long as a run, so that both meet the same disturbances
				m.AllFinite()
			}
			reading = min(reading, machine.CPUTime()-start)
		}).Seconds()
		weights, read := 0, 0
		for _, p := range m.arrays {
			weights += len(p.Data)
			if p.Name != "position.weight" {
				read += len(p.Data)
			}
		}
		b.ReportMetric(tokens/best, "tokens/s")
		b.ReportMetric(100*reading.Seconds()/best*float64(read)/float64(weights), "%bandwidth")
	})
}
