package arch

import "plumb/internal/registry"

// Presets holds published shapes under short lower-case names. Fields are those
// of the models' own configuration files; vocabularies include their padding. A
// test counts each to its published total.
var Presets = registry.New[Config]("preset")

// MobileLLM, arXiv 2402.14905v2, table 9, with the context and constants of the
// authors' configuration files. The head is tied: the flag that says so there is
// share_embedding. The -ls forms store the same weights and run each block twice
// in a row.
func init() {
	sizes := []struct {
		name                                  string
		layers, heads, kvHeads, width, hidden int
	}{
		{"mobilellm-125m", 30, 9, 3, 576, 1536},
		{"mobilellm-350m", 32, 15, 5, 960, 2560},
		{"mobilellm-600m", 40, 18, 6, 1152, 3072},
		{"mobilellm-1b", 54, 20, 5, 1280, 3584},
		{"mobilellm-1.5b", 54, 25, 5, 1600, 4352},
	}
	for _, s := range sizes {
		c := llama(s.layers, s.width, s.heads, s.kvHeads, 64, s.hidden)
		c.Vocab, c.Context, c.RotaryTheta, c.TiedHead = 32000, 2048, 1e4, true
		preset(s.name, c)
		c.Layers, c.Sharing, c.Repeat = 2*s.layers, "immediate", 2
		preset(s.name+"-ls", c)
	}
}

// SmolLM2, the configuration files of HuggingFaceTB/SmolLM2-*. Of the 1.7B
// model the rotary base is from memory. The bodies of the two small ones are
// those of MobileLLM-125M and -350M.
func init() {
	small := llama(30, 576, 9, 3, 64, 1536)
	small.Vocab, small.Context, small.RotaryTheta, small.TiedHead = 49152, 8192, 1e5, true
	preset("smollm2-135m", small)

	medium := llama(32, 960, 15, 5, 64, 2560)
	medium.Vocab, medium.Context, medium.RotaryTheta, medium.TiedHead = 49152, 8192, 1e5, true
	preset("smollm2-360m", medium)

	large := llama(24, 2048, 32, 32, 64, 8192)
	large.Vocab, large.Context, large.RotaryTheta, large.TiedHead = 49152, 8192, 1.3e5, true
	preset("smollm2-1.7b", large)
}

// Qwen2, the configuration files of Qwen/Qwen2-*. Only queries, keys and values
// have biases.
func init() {
	small := llama(24, 896, 14, 2, 64, 4864)
	small.Vocab, small.TiedHead = 151936, true
	preset("qwen2-0.5b", qwen2(small))

	medium := llama(28, 1536, 12, 2, 128, 8960)
	medium.Vocab, medium.TiedHead = 151936, true
	preset("qwen2-1.5b", qwen2(medium))

	large := llama(28, 3584, 28, 4, 128, 18944)
	large.Vocab = 152064
	preset("qwen2-7b", qwen2(large))
}

func qwen2(c Config) Config {
	c.Context, c.NormEps, c.RotaryTheta, c.QKVBias = 131072, 1e-6, 1e6, true
	return c
}

// Llama and its kin: TinyLlama, Llama 3.1 and 3.2, Mistral, from their
// configuration files.
func init() {
	tiny := llama(22, 2048, 32, 4, 64, 5632)
	tiny.Vocab, tiny.Context, tiny.RotaryTheta = 32000, 2048, 1e4
	preset("tinyllama-1.1b", tiny)

	small := llama(16, 2048, 32, 8, 64, 8192)
	small.Vocab, small.Context, small.RotaryTheta, small.TiedHead = 128256, 131072, 5e5, true
	small.RotaryScaling = RotaryScaling{Factor: 32, LowFrequency: 1, HighFrequency: 4, Context: 8192}
	preset("llama-3.2-1b", small)

	eight := llama(32, 4096, 32, 8, 128, 14336)
	eight.Vocab, eight.Context, eight.RotaryTheta = 128256, 131072, 5e5
	eight.RotaryScaling = RotaryScaling{Factor: 8, LowFrequency: 1, HighFrequency: 4, Context: 8192}
	preset("llama-3.1-8b", eight)

	mistral := llama(32, 4096, 32, 8, 128, 14336)
	mistral.Vocab, mistral.Context, mistral.RotaryTheta, mistral.Window = 32000, 32768, 1e4, 4096
	preset("mistral-7b-v0.1", mistral)
	mistral.Vocab, mistral.RotaryTheta, mistral.Window = 32768, 1e6, 0
	preset("mistral-7b-v0.3", mistral)
}

// Gemma 2, the configuration files of google/gemma-2-*: heads × head_dim is not
// the width, norms stand on both sides of each half of a layer, and every second
// layer sees a window.
func init() {
	two := llama(26, 2304, 8, 4, 256, 9216)
	two.EmbeddingScale = 48 // sqrt(2304)
	preset("gemma-2-2b", gemma2(two))

	nine := llama(42, 3584, 16, 8, 256, 14336)
	nine.EmbeddingScale = 59.86652 // sqrt(3584)
	preset("gemma-2-9b", gemma2(nine))
}

func gemma2(c Config) Config {
	c.Vocab, c.Context, c.RotaryTheta, c.TiedHead = 256000, 8192, 1e4, true
	c.Activation, c.NormEps, c.NormOffset, c.NormsPerLayer = "geglu", 1e-6, 1, 4
	c.Window, c.WindowEvery, c.AttentionSoftCap, c.FinalSoftCap = 4096, 2, 50, 30
	return c
}

// GPT-2 and those built like it, from the configuration files of gpt2,
// distilgpt2, facebook/opt-125m and EleutherAI/pythia-160m.
func init() {
	c := gpt2(12, 768, 12)
	preset("gpt2", c)
	preset("distilgpt2", gpt2(6, 768, 12))

	opt := c
	opt.Vocab, opt.Context, opt.PositionOffset, opt.Activation = 50272, 2048, 2, "relu"
	preset("opt-125m", opt)

	pythia := c
	pythia.Vocab, pythia.Context, pythia.TiedHead, pythia.Activation = 50304, 2048, false, "gelu_erf"
	pythia.Position, pythia.RotaryTheta, pythia.RotaryShare, pythia.ParallelResidual = "rotary", 1e4, 0.25, true
	preset("pythia-160m", pythia)
}

// OPT 350M, GPT-Neo, Phi and Falcon, from the configuration files of
// facebook/opt-350m, EleutherAI/gpt-neo-125m, microsoft/phi-2 and
// tiiuae/falcon-7b.
func init() {
	opt := gpt2(24, 1024, 16)
	opt.Vocab, opt.Context, opt.PositionOffset, opt.Activation = 50272, 2048, 2, "relu"
	opt.EmbeddingWidth, opt.PostNorm, opt.NoOuterNorm = 512, true, true
	preset("opt-350m", opt)

	neo := gpt2(12, 768, 12)
	neo.Context, neo.QKVBias, neo.AttentionScale = 2048, false, 1
	neo.Window, neo.WindowFirst, neo.WindowEvery = 256, 1, 2
	preset("gpt-neo-125m", neo)

	phi := gpt2(32, 2560, 32)
	phi.Vocab, phi.Context, phi.TiedHead, phi.HeadBias = 51200, 2048, false, true
	phi.Position, phi.RotaryTheta, phi.RotaryShare = "rotary", 1e4, 0.4
	phi.ParallelResidual, phi.NormsPerLayer = true, 1
	preset("phi-2", phi)

	falcon := gpt2(32, 4544, 71)
	falcon.Vocab, falcon.Context, falcon.KVHeads, falcon.Activation = 65024, 2048, 1, "gelu_erf"
	falcon.Position, falcon.RotaryTheta, falcon.RotaryShare = "rotary", 1e4, 1
	falcon.QKVBias, falcon.OutBias, falcon.FFNBias = false, false, false
	falcon.ParallelResidual, falcon.NormsPerLayer = true, 1
	preset("falcon-7b", falcon)
}

// BERT and DistilBERT, as counts: the configuration files of bert-base-uncased
// and distilbert-base-uncased, without the head that guesses masked words.
func init() {
	bert := gpt2(12, 768, 12)
	bert.Vocab, bert.Context, bert.Activation, bert.NormEps = 30522, 512, "gelu_erf", 1e-12
	bert.PostNorm, bert.Bidirectional = true, true
	distil := bert
	bert.TokenTypes, bert.Pooler = 2, true
	preset("bert-base", bert)
	distil.Layers = 6
	preset("distilbert", distil)
}

// preset adds c under name, which it also carries.
func preset(name string, c Config) {
	c.Name = name
	Presets.Add(name, c)
}

// llama is the form that most models since 2023 have: RMSNorm, rotary
// positions, SwiGLU, grouped heads and no biases.
func llama(layers, width, heads, kvHeads, headDim, hidden int) Config {
	return Config{
		Layers: layers, Sharing: NoSharing, Repeat: 1,
		Width: width, Heads: heads, KVHeads: kvHeads, HeadDim: headDim, Hidden: hidden,
		Activation: "swiglu", Norm: "rmsnorm", NormEps: 1e-5,
		Position: "rotary", RotaryShare: 1,
	}
}

// gpt2 is the form of GPT-2: LayerNorm, learned positions, a tanh-GELU of four
// times the width, biases everywhere and a tied head.
func gpt2(layers, width, heads int) Config {
	return Config{
		Vocab: 50257, Context: 1024,
		Layers: layers, Sharing: NoSharing, Repeat: 1,
		Width: width, Heads: heads, KVHeads: heads, HeadDim: width / heads, Hidden: 4 * width,
		Activation: "gelu", Norm: "layernorm", NormEps: 1e-5, Position: "learned",
		QKVBias: true, OutBias: true, FFNBias: true, TiedHead: true,
	}
}
