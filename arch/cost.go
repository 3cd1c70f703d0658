package arch

// ForwardMACs returns the multiply-adds that one token costs on its way
// through c, averaged over a sequence of context tokens.
//
// Every weight of the body counts one multiply-add for each layer that runs it,
// norms and biases too, and the output matrix counts one a weight; tables that
// are looked up cost nothing. Attention adds, in each layer, the products with
// keys and with values: heads × head_dim × 2 for each key that is seen, and a
// token of a causal model sees context/2 of them on average. Three times this
// in FLOPs is the 6·(body + vocab·width) + 6·layers·heads·head_dim·context per
// token that scaling studies use for training.
//
// What an implementation computes beyond the mask is not counted, and neither
// are softmax, activations and the additions of the residual stream.
func (c Config) ForwardMACs(context int) int {
	macs := 0
	for _, t := range c.Tensors() {
		macs += t.Rows * t.Cols * t.Runs
	}
	if c.TiedHead && !c.Bidirectional {
		macs += c.Vocab * c.TokenWidth()
	}
	return macs + c.attentionMACs(context)
}

// attentionMACs returns the multiply-adds of scores and of their weighted sums,
// for one token in all layers.
func (c Config) attentionMACs(context int) int {
	macs := 0
	for layer := range c.Layers {
		macs += c.Heads * c.HeadDim * c.twiceKeysSeen(layer, context)
	}
	return macs
}

// twiceKeysSeen returns 2 × the mean number of keys that a token of a sequence
// sees in layer. With a window of w the first w tokens of a causal model see
// w/2 on average and the others w.
func (c Config) twiceKeysSeen(layer, context int) int {
	window := c.LayerWindow(layer)
	switch {
	case c.Bidirectional:
		return 2 * context
	case window == 0 || window >= context:
		return context
	default:
		return 2*window - window*window/context
	}
}

// ForwardFLOPs returns 2 × ForwardMACs: a multiply-add is two operations.
func (c Config) ForwardFLOPs(context int) float64 { return 2 * float64(c.ForwardMACs(context)) }

// TrainFLOPs returns the operations that training costs for one token of a
// sequence of context tokens: one forward pass, and a backward pass of twice
// its cost. Nothing is counted as computed again.
func (c Config) TrainFLOPs(context int) float64 { return 3 * c.ForwardFLOPs(context) }

// RecomputeFLOPs returns the operations that a token of a sequence of context
// tokens costs besides, where layers keep only what they were given: their
// forward pass once more, but for the last, whose values are still at hand when
// the way back begins.
func (c Config) RecomputeFLOPs(context int) float64 {
	layers := c.ForwardFLOPs(context) - 2*float64(c.Vocab*c.TokenWidth())
	return layers * float64(c.Layers-1) / float64(c.Layers)
}

// A DType is a data type that weights or caches are stored in.
type DType struct {
	Name string
	Bits int // of one number
}

// DTypes lists the data types from wide to narrow. The narrow integer types
// also need scales, which are a matter of the method and are not counted here.
var DTypes = []DType{{"f32", 32}, {"bf16", 16}, {"f16", 16}, {"int8", 8}, {"int4", 4}, {"int3", 3}, {"int2", 2}}

// bytes returns how many bytes n numbers take, rounded up.
func (d DType) bytes(n int) int { return n/8*d.Bits + (n%8*d.Bits+7)/8 }

// WeightBytes returns the bytes of all weights stored as d.
func (c Config) WeightBytes(d DType) int { return d.bytes(c.Params().Total) }

// CacheBytes returns the bytes of keys and values that one token leaves in the
// cache: one slot for each layer, since layers that share a block share weights
// and nothing else.
func (c Config) CacheBytes(d DType) int {
	return d.bytes(2 * c.Layers * c.KVHeads * c.HeadDim)
}
