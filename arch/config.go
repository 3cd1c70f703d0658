// Package arch describes language models as numbers: their shapes, how layers
// share blocks, and from these the counts of weights, operations and bytes. It
// holds no weights, so that counting a thousand shapes is free.
//
// A layer is a step of the forward pass; a block is the weights it runs with.
// Weights are counted by block, caches and operations by layer.
package arch

import "cmp"

// A Config is the shape of one model. The names in its tags are those of specs
// and of config.json. Fields below "rarer" are zero for most models: they let
// published models be described and counted, also where package model does not
// run them.
type Config struct {
	Name    string `toml:"name" json:"name,omitempty"`
	Vocab   int    `toml:"vocab" json:"vocab"`     // rows of the token table, padding included
	Context int    `toml:"context" json:"context"` // longest sequence, in tokens

	Layers  int    `toml:"layers" json:"layers"`   // steps of the forward pass
	Sharing string `toml:"sharing" json:"sharing"` // a name in Sharings; "" means "none"
	Repeat  int    `toml:"repeat" json:"repeat"`   // times each block is run; 1 for "none"

	Width   int `toml:"width" json:"width"`       // c: of the residual stream
	Heads   int `toml:"heads" json:"heads"`       // h: query heads
	KVHeads int `toml:"kv_heads" json:"kv_heads"` // g: key-value heads; query head i reads i/(h/g)
	HeadDim int `toml:"head_dim" json:"head_dim"` // d: of queries, keys and values alike
	Hidden  int `toml:"hidden" json:"hidden"`     // f: of the feed-forward part

	Activation string  `toml:"activation" json:"activation"` // a name in Activations
	Norm       string  `toml:"norm" json:"norm"`             // a name in Norms
	NormEps    float64 `toml:"norm_eps" json:"norm_eps"`

	Position    string  `toml:"position" json:"position"`                   // a name in Positions
	RotaryTheta float64 `toml:"rotary_theta" json:"rotary_theta,omitempty"` // base of the rotary frequencies
	RotaryShare float64 `toml:"rotary_share" json:"rotary_share,omitempty"` // of each head's channels, share that rotates

	QKVBias  bool `toml:"qkv_bias" json:"qkv_bias"`   // biases of the query, key and value projections
	OutBias  bool `toml:"out_bias" json:"out_bias"`   // bias of the attention output projection
	FFNBias  bool `toml:"ffn_bias" json:"ffn_bias"`   // biases of all feed-forward matrices
	TiedHead bool `toml:"tied_head" json:"tied_head"` // the token table is the output matrix too

	EmbeddingScale float64 `toml:"embedding_scale" json:"embedding_scale,omitempty"` // embeddings are multiplied by it; 0 means 1

	// Rarer.

	ParallelResidual bool          `toml:"parallel_residual" json:"parallel_residual,omitempty"`   // attention and feed-forward read the same input (Pythia)
	NormsPerLayer    int           `toml:"norms_per_layer" json:"norms_per_layer,omitempty"`       // 0 means 2; 4: norms both sides of each half (Gemma 2); 1: of a parallel residual (Phi)
	NormOffset       float64       `toml:"norm_offset" json:"norm_offset,omitempty"`               // added to norm gains as published files store them: 1 in Gemma; what runs holds the sum
	PostNorm         bool          `toml:"post_norm" json:"post_norm,omitempty"`                   // norms follow the sums, one more follows the embedding and none ends the model (BERT)
	NoOuterNorm      bool          `toml:"no_outer_norm" json:"no_outer_norm,omitempty"`           // there is no norm outside the blocks (OPT 350M)
	EmbeddingWidth   int           `toml:"embedding_width" json:"embedding_width,omitempty"`       // e: of the token table, with a matrix to the stream and one back (OPT 350M); 0 means width
	HeadBias         bool          `toml:"head_bias" json:"head_bias,omitempty"`                   // bias of the output matrix (Phi)
	Window           int           `toml:"window" json:"window,omitempty"`                         // keys a windowed layer sees; 0: all
	WindowFirst      int           `toml:"window_first" json:"window_first,omitempty"`             // first layer that is windowed
	WindowEvery      int           `toml:"window_every" json:"window_every,omitempty"`             // every n-th layer from there on is; 0 means 1
	AttentionScale   float64       `toml:"attention_scale" json:"attention_scale,omitempty"`       // scores are multiplied by it; 0 means 1/sqrt(head_dim)
	ScaleByLayer     bool          `toml:"scale_by_layer" json:"scale_by_layer,omitempty"`         // scores of layer i, counted from 0, are divided by i+1 too
	AttentionSoftCap float64       `toml:"attention_soft_cap" json:"attention_soft_cap,omitempty"` // scores s become cap·tanh(s/cap); 0: none
	FinalSoftCap     float64       `toml:"final_soft_cap" json:"final_soft_cap,omitempty"`         // the same for logits
	PositionOffset   int           `toml:"position_offset" json:"position_offset,omitempty"`       // unused first rows of the position table: 2 in OPT
	RotaryScaling    RotaryScaling `toml:"rotary_scaling" json:"rotary_scaling,omitzero"`
	Bidirectional    bool          `toml:"bidirectional" json:"bidirectional,omitempty"` // tokens see what follows them (encoders)
	TokenTypes       int           `toml:"token_types" json:"token_types,omitempty"`     // rows of the segment table (BERT: 2)
	Pooler           bool          `toml:"pooler" json:"pooler,omitempty"`               // one more width × width matrix with bias (BERT)
}

// RotaryScaling stretches rotary frequencies to a longer context: in the manner
// of Llama 3 or, where only Factor is set, linearly, all of them by 1/Factor.
// Its zero value scales nothing.
type RotaryScaling struct {
	Factor        float64 `toml:"factor" json:"factor"`
	LowFrequency  float64 `toml:"low_frequency" json:"low_frequency"`
	HighFrequency float64 `toml:"high_frequency" json:"high_frequency"`
	Context       int     `toml:"context" json:"context"` // that the frequencies were made for
}

// Activations are the feed-forward kinds. The gated ones (SwiGLU: SiLU gate,
// GeGLU: tanh-GELU gate) have three matrices, the others two. "gelu" is the
// tanh form of GPT-2, "gelu_erf" the exact one.
var Activations = []string{"swiglu", "geglu", "gelu", "gelu_erf", "relu"}

// Norms are the kinds of normalisation. LayerNorm always has its bias.
var Norms = []string{"rmsnorm", "layernorm"}

// Positions are the ways in which a model knows where a token stands.
var Positions = []string{"rotary", "learned"}

// Gated reports whether the feed-forward part has a gate matrix beside up and down.
func (c Config) Gated() bool { return c.Activation == "swiglu" || c.Activation == "geglu" }

// BlockCount returns how many distinct blocks the layers run. c must be valid.
func (c Config) BlockCount() int { return c.Layers / max(1, c.Repeat) }

// Blocks returns the block that each layer runs, [layers]. c must be valid.
func (c Config) Blocks() []int {
	share, err := Sharings.Get(cmp.Or(c.Sharing, NoSharing))
	if err != nil {
		panic("arch: Config.Blocks: " + err.Error())
	}
	return share(c.BlockCount(), max(1, c.Repeat))
}

// RotaryChannels returns how many channels of each head rotate: an even number,
// 0 where positions are not rotary.
func (c Config) RotaryChannels() int {
	if c.Position != "rotary" {
		return 0
	}
	return int(c.RotaryShare*float64(c.HeadDim)+1e-9) / 2 * 2
}

// LayerWindow returns how many keys a token sees at most in layer, itself
// included, and 0 where there is no limit.
func (c Config) LayerWindow(layer int) int {
	if layer < c.WindowFirst || (layer-c.WindowFirst)%max(1, c.WindowEvery) != 0 {
		return 0
	}
	return c.Window
}

// TokenWidth returns the width of the token table and of what the head reads.
func (c Config) TokenWidth() int { return cmp.Or(c.EmbeddingWidth, c.Width) }

// BlockNorms returns how many norms a block has.
func (c Config) BlockNorms() int { return cmp.Or(c.NormsPerLayer, 2) }

// Projected reports whether matrices stand between the token table and the
// residual stream.
func (c Config) Projected() bool { return c.TokenWidth() != c.Width }
