package arch

import (
	"math"
	"testing"

	"pgregory.net/rapid"
)

// TestAnyConfigIsRefusedOrCounted draws configs with small, huge and impossible
// sizes: Validate never panics, and what it lets pass has counts that are
// positive, add up and do not overflow.
func TestAnyConfigIsRefusedOrCounted(t *testing.T) {
	size := rapid.OneOf(rapid.IntRange(-2, 40), rapid.SampledFrom([]int{1 << 10, 1 << 14, 1 << 20, 1 << 22, 1 << 26, math.MaxInt, math.MinInt}))
	number := rapid.OneOf(rapid.Float64Range(0, 2), rapid.SampledFrom([]float64{1e-5, 1, 1e4, -1, math.NaN(), math.Inf(1)}))
	rapid.Check(t, func(t *rapid.T) {
		c := Config{
			Vocab: size.Draw(t, "vocab"), Context: size.Draw(t, "context"), Layers: size.Draw(t, "layers"),
			Sharing: rapid.SampledFrom(append(Sharings.Names(), "", "x")).Draw(t, "sharing"), Repeat: rapid.IntRange(-1, 4).Draw(t, "repeat"),
			Width: size.Draw(t, "width"), Heads: size.Draw(t, "heads"), KVHeads: size.Draw(t, "kv_heads"), HeadDim: size.Draw(t, "head_dim"), Hidden: size.Draw(t, "hidden"),
			Activation: rapid.SampledFrom(Activations).Draw(t, "activation"), Norm: rapid.SampledFrom(Norms).Draw(t, "norm"), NormEps: number.Draw(t, "norm_eps"),
			Position: rapid.SampledFrom(Positions).Draw(t, "position"), RotaryTheta: number.Draw(t, "theta"), RotaryShare: number.Draw(t, "share"),
			QKVBias: rapid.Bool().Draw(t, "qkv_bias"), TiedHead: rapid.Bool().Draw(t, "tied"), EmbeddingScale: number.Draw(t, "scale"),
			Window: size.Draw(t, "window"), WindowEvery: rapid.IntRange(-1, 3).Draw(t, "every"),
		}
		checkCounts(t, c)
	})
}

// TestLargestConfigDoesNotOverflow counts the largest shape that is valid.
func TestLargestConfigDoesNotOverflow(t *testing.T) {
	c := llama(maxLayers, maxWidth, maxWidth/64, maxWidth/64, 64, maxHidden)
	c.Vocab, c.Context, c.RotaryTheta = maxVocab, maxContext, 1e4
	if err := c.Validate(); err != nil {
		t.Fatal(err)
	}
	checkCounts(t, c)
}

func checkCounts(t failer, c Config) {
	if c.Validate() != nil {
		return
	}
	p, f32 := c.Params(), DTypes[0]
	for name, n := range map[string]int{
		"total": p.Total, "embedding": p.Embedding, "body": p.Body,
		"multiply-adds": c.ForwardMACs(c.Context), "weight bytes": c.WeightBytes(f32), "cache bytes": c.CacheBytes(f32),
		"training bytes": c.TrainMemory(1, 1).Total,
	} {
		if n <= 0 {
			t.Errorf("%s = %d of %+v", name, n, c)
		}
	}
	if p.Total != p.Embedding+p.Body {
		t.Errorf("%+v does not add up", p)
	}
	if len(c.Blocks()) != c.Layers {
		t.Errorf("%d layers run %d blocks", c.Layers, len(c.Blocks()))
	}
}
