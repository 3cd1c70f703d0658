package arch

// Memory says where the bytes go while a model trains, at the peak.
type Memory struct {
	Weights     int `json:"weights"`
	Gradients   int `json:"gradients"`
	Optimizer   int `json:"optimizer"`   // AdamW's two moments
	Activations int `json:"activations"` // of the layers, kept from forward to backward
	Scratch     int `json:"scratch"`     // one layer's gradients on their way back
	Logits      int `json:"logits"`      // which become their own gradients
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
		Logits:      tokens * c.Vocab * f32Bytes,
	}
	m.Total = m.Weights + m.Gradients + m.Optimizer + m.Activations + m.Scratch + m.Logits
	return m
}

// keptPerLayer returns the floats that a layer keeps of a token until its
// backward pass.
func (c Config) keptPerLayer() int {
	streams := 4 * c.Width                             // layer input, its norm, the sum after attention, its norm
	attention := (2*c.Heads + 2*c.KVHeads) * c.HeadDim // q, output; k, v
	logSums := c.Heads
	feedForward := 2 * c.Hidden // up and activation
	if c.Gated() {
		feedForward += c.Hidden // gate
	}
	return streams + attention + logSums + feedForward
}

// keptOnce returns the floats kept of a token outside the layers: the output
// of the last one and its norm.
func (c Config) keptOnce() int { return 2 * c.Width }

// scratchPerToken returns the floats that the backward pass of one layer needs
// for a token, shared by all layers: gradients of the stream and of a branch,
// and those of the larger of attention and feed-forward part.
func (c Config) scratchPerToken() int {
	attention := (2*c.Heads + 2*c.KVHeads) * c.HeadDim
	feedForward := 2 * c.Hidden
	if c.Gated() {
		feedForward += c.Hidden
	}
	return 2*c.Width + max(attention, feedForward)
}
