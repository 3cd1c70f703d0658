package arch

import (
	"math"
	"testing"
)

// TestTrainFLOPs compares with 6·(body run + vocab·width) + 6·layers·h·d·context,
// the body counted by layer run.
func TestTrainFLOPs(t *testing.T) {
	for _, name := range []string{"mobilellm-125m", "mobilellm-125m-ls", "qwen2-7b", "pythia-160m", "smollm2-1.7b"} {
		t.Run(name, func(t *testing.T) {
			c, _ := Presets.Get(name)
			const context = 2048
			body := c.Layers*layerParams(c) + c.Width
			if c.Norm == "layernorm" {
				body += c.Width
			}
			want := 6*float64(body+c.Vocab*c.Width) + 6*float64(c.Layers*c.Heads*c.HeadDim*context)
			if got := c.TrainFLOPs(context); got != want {
				t.Errorf("%v FLOPs a token, want %v", got, want)
			}
		})
	}
}

// TestPublishedTrainFLOPs counts one exploration run of MobileLLM's smaller
// family: 0.25T tokens at 12 layers and at 30 take 1.9e20 and 2.4e20 operations.
func TestPublishedTrainFLOPs(t *testing.T) {
	tests := []struct {
		layers, width, heads, hidden int
		want                         float64
	}{{12, 768, 12, 2048, 1.9e20}, {30, 512, 8, 1536, 2.4e20}}
	for _, test := range tests {
		c := llama(test.layers, test.width, test.heads, test.heads, 64, test.hidden)
		c.Vocab, c.Context, c.RotaryTheta = 32000, 2048, 1e4
		if got := c.TrainFLOPs(2048) * 2.517e11; math.Abs(got/test.want-1) > 0.08 {
			t.Errorf("%d layers: %.3g FLOPs, published %.3g", test.layers, got, test.want)
		}
	}
}

func TestAttentionIsCountedByKeysSeen(t *testing.T) {
	tests := []struct {
		name                string
		window, every, want int // multiply-adds a token, over two layers of 4 heads of 16
		bidirectional       bool
	}{
		{"causal", 0, 0, 2 * 64 * 100, false},
		{"both ways", 0, 0, 2 * 64 * 200, true},
		{"window", 10, 0, 2 * 64 * (20 - 1), false},
		{"window on alternate layers", 10, 2, 64*(20-1) + 64*100, false},
		{"window beyond the context", 500, 0, 2 * 64 * 100, false},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			c := tinyLlama()
			c.Layers, c.Window, c.WindowEvery, c.Bidirectional = 2, test.window, test.every, test.bidirectional
			if got := c.attentionMACs(100); got != test.want {
				t.Errorf("%d multiply-adds, want %d", got, test.want)
			}
		})
	}
}

func TestSharingCostsByLayerAndStoresByBlock(t *testing.T) {
	plain := tinyLlama()
	shared := plain
	shared.Layers, shared.Sharing, shared.Repeat = 8, "cyclic", 2
	if plain.Params() != shared.Params() {
		t.Errorf("shared blocks change the count: %+v, %+v", plain.Params(), shared.Params())
	}
	f32 := dtype(t, "f32")
	if 2*plain.CacheBytes(f32) != shared.CacheBytes(f32) {
		t.Error("layers that share a block share a cache slot")
	}
	head := plain.Vocab*plain.Width + plain.Width
	if got, want := shared.ForwardMACs(64)-head, 2*(plain.ForwardMACs(64)-head); got != want {
		t.Errorf("%d multiply-adds in layers, want twice %d", got, want/2)
	}
}

func TestWeightBytes(t *testing.T) {
	c, _ := Presets.Get("gpt2")
	for name, want := range map[string]int{"f32": 4 * 124_439_808, "bf16": 2 * 124_439_808, "f16": 2 * 124_439_808, "int8": 124_439_808, "int4": 124_439_808 / 2} {
		if got := c.WeightBytes(dtype(t, name)); got != want {
			t.Errorf("%s: %d bytes, want %d", name, got, want)
		}
	}
}

func TestTrainMemoryAddsUp(t *testing.T) {
	c := tinyLlama()
	m := c.TrainMemory(2, 64)
	if sum := m.Weights + m.Gradients + m.Optimizer + m.Activations + m.Scratch + m.Logits; sum != m.Total {
		t.Errorf("parts sum to %d, total is %d", sum, m.Total)
	}
	if got := m.Weights + m.Gradients + m.Optimizer; got != 16*c.Params().Total {
		t.Errorf("%d bytes for %d weights, want 16 each", got, c.Params().Total)
	}
	if twice := c.TrainMemory(4, 64); twice.Activations != 2*m.Activations || twice.Weights != m.Weights {
		t.Error("twice the rows do not keep twice the activations, and the same weights")
	}
}
