package arch

// Memory says where the bytes go while a model trains, at the peak.
type Memory struct {
	Weights     int `json:"weights"`
	Gradients   int `json:"gradients"`
	Optimizer   int `json:"optimizer"`   // AdamW's two moments
	Activations int `json:"activations"` // of the layers, kept from forward to backward
	Scratch     int `json:"scratch"`     // one layer's gradients on their way back
	Logits      int `json:"logits"`      // of some tokens at a time, which become their own gradients
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
	params, tokens := c.Params().Total, rows*context
	m := Memory{
		Weights:     params * f32Bytes,
		Gradients:   params * f32Bytes,
		Optimizer:   params * momentBytes,
		Activations: tokens * (c.Layers*c.keptPerLayer() + c.keptOnce()) * f32Bytes,
		Scratch:     tokens * c.scratchPerToken() * f32Bytes,
		Logits:      min(tokens, logitRows) * c.Vocab * f32Bytes,
	}
	if c.FinalSoftCap > 0 {
		m.Logits *= 2 // they are kept beside their gradient
	}
	m.Total = m.Weights + m.Gradients + m.Optimizer + m.Activations + m.Scratch + m.Logits
	return m
}

// keptPerLayer returns the floats that a layer keeps of a token until its
// backward pass. Norms and the activation are computed again, not kept.
func (c Config) keptPerLayer() int {
	streams := 2 * c.Width // before attention, before the feed-forward part
	return streams + c.attentionPerToken() + c.Heads + c.hiddenPerToken()
}

// keptOnce returns the floats of a token that all layers share: the stream,
// its norm and the activation; and the words of its id, position, target and loss.
func (c Config) keptOnce() int { return 2*c.Width + c.Hidden + 5 }

// scratchPerToken returns the floats that gradients on their way back need for
// a token, shared by all layers.
func (c Config) scratchPerToken() int {
	return 2*c.Width + c.attentionPerToken() + c.Hidden + c.hiddenPerToken()
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

// logitRows is how many tokens go through the output matrix at a time.
const logitRows = 256
