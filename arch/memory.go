package arch

// Memory says where the bytes go while a model trains, at the peak.
type Memory struct {
	Weights     int `json:"weights"`
	Gradients   int `json:"gradients"`
	Optimizer   int `json:"optimizer"`   // AdamW's two moments
	Activations int `json:"activations"` // of the layers, kept from forward to backward
	Scratch     int `json:"scratch"`     // one layer's gradients on their way back
	Logits      int `json:"logits"`      // of some tokens at a time, which become their own gradients
	Panels      int `json:"panels"`      // matrices in the order of their products, where a step takes several passes
	Total       int `json:"total"`
}

// Bytes of one float32, the only type that trains.
const f32Bytes = 4

// Bytes of AdamW's two moments of one weight.
const momentBytes = 2 * f32Bytes

// TrainMemory returns the peak memory of training with micro-batches of rows
// sequences of context tokens: 16 bytes a weight (itself, its gradient, two
// moments), and what package model keeps of each token. The floats counted in
// keptPerLayer, keptOnce and scratchPerToken are those of model's buffers; they
// change with it, and a test there compares the sums.
func (c Config) TrainMemory(rows, context int) Memory {
	return c.trainMemory(rows, context, c.Layers*(c.keptAlways()+c.keptPerLayer()))
}

// LeanTrainMemory is TrainMemory where every layer keeps only what it was given
// of a token, and the rest is computed again in the memory of one layer
// (Chen et al. 2016, "Training deep nets with sublinear memory cost").
// RecomputeFLOPs is the price.
func (c Config) LeanTrainMemory(rows, context int) Memory {
	return c.trainMemory(rows, context, c.Layers*c.keptAlways()+c.keptPerLayer())
}

// trainMemory adds up where the layers keep so many floats of a token.
func (c Config) trainMemory(rows, context, kept int) Memory {
	params, tokens := c.Params().Total, rows*context
	m := Memory{
		Weights:     params * f32Bytes,
		Gradients:   params * f32Bytes,
		Optimizer:   params * momentBytes,
		Activations: tokens * (kept + c.keptOnce()) * f32Bytes,
		Scratch:     tokens * c.scratchPerToken() * f32Bytes,
		Logits:      min(tokens, c.LogitRows()) * c.Vocab * f32Bytes,
	}
	if c.FinalSoftCap > 0 {
		m.Logits *= 2 // they are kept beside their gradient
	}
	m.Total = m.Weights + m.Gradients + m.Optimizer + m.Activations + m.Scratch + m.Logits
	return m
}

// PanelMemory returns the bytes of all matrices that tokens are multiplied with,
// once in the order of the product and once in that of its gradient, filled up to
// panels of panelColumns.
func (c Config) PanelMemory() int {
	floats := 0
	add := func(out, in int) { floats += filledUp(out)*in + out*filledUp(in) }
	for _, m := range c.Matrices()[1:] {
		add(m.Out, m.In)
	}
	if c.TiedHead {
		add(c.Vocab, c.TokenWidth())
	}
	if c.Projected() {
		add(c.Width, c.TokenWidth())
		add(c.TokenWidth(), c.Width)
	}
	return floats * f32Bytes
}

// panelColumns is what kernels fill columns up to a multiple of.
const panelColumns = 16

func filledUp(cols int) int { return (cols + panelColumns - 1) / panelColumns * panelColumns }

// keptAlways returns the floats of a token that no layer can do without: the
// residual stream that it is given.
func (c Config) keptAlways() int { return c.Width }

// keptPerLayer returns the other floats that a layer keeps of a token until its
// backward pass: the stream before the feed-forward part, and what attention and
// the activation read. Norms and the activation are computed again, not kept.
func (c Config) keptPerLayer() int {
	return c.Width + c.attentionPerToken() + c.Heads + c.hiddenPerToken()
}

// keptOnce returns the floats of a token that all layers share: the stream,
// its norm and the activation; and the words of its id, position, target and loss.
func (c Config) keptOnce() int { return 2*c.Width + c.Hidden + 5 }

// scratchPerToken returns the floats that gradients on their way back need for
// a token, shared by all layers.
func (c Config) scratchPerToken() int {
	return 2*c.Width + c.attentionPerToken() + c.Hidden
}

// attentionPerToken counts queries, keys, values and what attention gives.
func (c Config) attentionPerToken() int { return (2*c.Heads + 2*c.KVHeads) * c.HeadDim }

// hiddenPerToken counts what enters the activation.
func (c Config) hiddenPerToken() int {
	if c.Gated() {
		return 2 * c.Hidden
	}
	return c.Hidden
}

// Bounds of LogitRows.
const (
	fewestLogitRows = 256
	mostLogitRows   = 1024
)

// LogitRows returns how many tokens go through the output matrix at a time when
// training. Each time its gradient, vocab × width, is read and written whole,
// which many rows make up for; where the matrix is small, few rows that stay in
// a cache are better. No bit of a result depends on it.
func (c Config) LogitRows() int {
	rows := fewestLogitRows
	for rows < min(c.Width, mostLogitRows) {
		rows *= 2
	}
	return rows
}
