package bench

import (
	"fmt"

	"plumb/arch"
	"plumb/internal/registry"
)

// A Shape is a model to be timed, and how many sequences of its context one
// training step takes.
type Shape struct {
	arch.Config
	Batch int
}

// tokens is how many tokens a training step learns from.
func (s Shape) tokens() int { return s.Batch * s.Context }

// Shapes holds what is timed by name.
var Shapes = registry.New[Shape]("shape to time")

// Those that train are shapes on which other programs have been timed too:
// vocabulary, context, width, layers, heads, key-value heads, hidden width,
// sequences a step.
func init() {
	trains := []struct {
		name                                                             string
		vocab, context, width, layers, heads, kvHeads, hidden, sequences int
	}{
		{"1m", 4096, 256, 96, 6, 4, 2, 256, 16},
		{"10m", 4096, 256, 320, 7, 5, 5, 864, 16},
		{"mobilellm-125m", 32000, 256, 576, 30, 9, 3, 1536, 4},
		{"124m", 50257, 256, 768, 12, 12, 12, 2048, 4},
	}
	for _, s := range trains {
		c := llama(s.vocab, s.context, s.width, s.layers, s.heads, s.kvHeads, s.hidden)
		c.Name = s.name
		Shapes.Add(s.name, Shape{c, s.sequences})
	}
	stories := llama(512, 512, 64, 5, 8, 4, 172)
	stories.Name = "stories260k"
	Shapes.Add(stories.Name, Shape{stories, 8})
	gpt2, err := arch.Presets.Get("gpt2")
	if err != nil {
		panic("bench: " + err.Error())
	}
	Shapes.Add("gpt2", Shape{gpt2, 1})
}

// llama is a shape with RMSNorm, rotary positions, SwiGLU and a tied head.
func llama(vocab, context, width, layers, heads, kvHeads, hidden int) arch.Config {
	return arch.Config{
		Vocab: vocab, Context: context,
		Layers: layers, Sharing: arch.NoSharing, Repeat: 1,
		Width: width, Heads: heads, KVHeads: kvHeads, HeadDim: width / heads, Hidden: hidden,
		Activation: "swiglu", Norm: "rmsnorm", NormEps: 1e-5,
		Position: "rotary", RotaryTheta: 1e4, RotaryShare: 1, TiedHead: true,
	}
}

// mustShape returns the shape that this package itself calls name.
func mustShape(name string) Shape {
	s, err := Shapes.Get(name)
	if err != nil {
		panic(fmt.Sprintf("bench: %v", err))
	}
	return s
}

// spanFLOPs returns the operations that tokens from..to-1 of one sequence need
// when scored of them are predicted: arch's count, with the output matrix only
// where a prediction is asked for. c sees all that comes before a token.
func spanFLOPs(c arch.Config, from, to, scored int) float64 {
	head := c.Vocab * c.Width
	body := c.ForwardMACs(0) - head
	attention := c.Layers * c.Heads * c.HeadDim * (to*to - from*from)
	return 2 * (float64(body)*float64(to-from) + float64(attention) + float64(head)*float64(scored))
}
