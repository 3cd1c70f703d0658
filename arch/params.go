package arch

// Params counts the weights that a model stores. Blocks that several layers
// share count once, and a tied head counts nothing. Total is Embedding + Body.
type Params struct {
	Total int `json:"total"`

	// Embedding counts what grows with the vocabulary: the token table, and the
	// output matrix unless it is tied.
	Embedding int `json:"embedding"`

	// Body is all the rest: the blocks, the norms outside them, and tables of
	// positions and segments where there are any.
	Body int `json:"body"`
}

// Groups of weights.
const (
	Embedding = "embedding" // counted by Params.Embedding
	Body      = "body"      // counted by Params.Body
)

// A Tensor is one array of weights of a Config, or one in each block.
type Tensor struct {
	Name       string // such as "tokens", "block.query"
	Group      string // Embedding or Body
	Rows, Cols int    // Rows outputs, Cols inputs; a vector has 1 row
	Copies     int    // how many of it are stored: the blocks, or 1
	Runs       int    // how many multiply a token on its way: the layers, 1, or 0 for a table that is looked up
}

// Count returns how many weights t stores in all its copies.
func (t Tensor) Count() int { return t.Rows * t.Cols * t.Copies }

// Params counts the weights of c, which must be valid.
func (c Config) Params() Params {
	var p Params
	for _, t := range c.Tensors() {
		if t.Group == Embedding {
			p.Embedding += t.Count()
		} else {
			p.Body += t.Count()
		}
	}
	p.Total = p.Embedding + p.Body
	return p
}

// Tensors lists all weights of c in the order of the forward pass. c must be
// valid.
func (c Config) Tensors() []Tensor {
	list := tensors{blocks: c.BlockCount(), layers: c.Layers}
	c.inputTensors(&list)
	c.attentionTensors(&list)
	c.feedForwardTensors(&list)
	c.normTensors(&list)
	c.outputTensors(&list)
	return list.all
}

// tensors collects the list that Tensors returns.
type tensors struct {
	all            []Tensor
	blocks, layers int
}

// table adds an array that is looked up.
func (l *tensors) table(name, group string, rows, cols int) {
	if rows > 0 {
		l.all = append(l.all, Tensor{name, group, rows, cols, 1, 0})
	}
}

// block adds an array that every block has.
func (l *tensors) block(name string, rows, cols int) {
	l.all = append(l.all, Tensor{"block." + name, Body, rows, cols, l.blocks, l.layers})
}

// linear adds a matrix of every block, and its bias if it has one.
func (l *tensors) linear(name string, out, in int, bias bool) {
	l.block(name, out, in)
	if bias {
		l.block(name+".bias", 1, out)
	}
}

// once adds an array of the body that stands outside the blocks.
func (l *tensors) once(name string, rows, cols int) {
	l.all = append(l.all, Tensor{name, Body, rows, cols, 1, 1})
}

func (c Config) inputTensors(l *tensors) {
	l.table("tokens", Embedding, c.Vocab, c.TokenWidth())
	if c.Projected() {
		l.once("project_in", c.Width, c.TokenWidth())
	}
	if c.Position == "learned" {
		l.table("positions", Body, c.Context+c.PositionOffset, c.Width)
	}
	l.table("segments", Body, c.TokenTypes, c.Width)
}

func (c Config) attentionTensors(l *tensors) {
	l.linear("query", c.Heads*c.HeadDim, c.Width, c.QKVBias)
	l.linear("key", c.KVHeads*c.HeadDim, c.Width, c.QKVBias)
	l.linear("value", c.KVHeads*c.HeadDim, c.Width, c.QKVBias)
	l.linear("out", c.Width, c.Heads*c.HeadDim, c.OutBias)
}

func (c Config) feedForwardTensors(l *tensors) {
	if c.Gated() {
		l.linear("gate", c.Hidden, c.Width, c.FFNBias)
	}
	l.linear("up", c.Hidden, c.Width, c.FFNBias)
	l.linear("down", c.Width, c.Hidden, c.FFNBias)
}

// normTensors adds the norms within blocks (one row each for gains and for
// biases) and the one outside, if there is one: after the embedding where norms
// follow the sums, else before the head.
func (c Config) normTensors(l *tensors) {
	l.block("norms", c.BlockNorms(), c.Width)
	if c.Norm == "layernorm" {
		l.block("norms.bias", c.BlockNorms(), c.Width)
	}
	if c.NoOuterNorm {
		return
	}
	name := "final_norm"
	if c.PostNorm {
		name = "embedding_norm"
	}
	l.once(name, 1, c.Width)
	if c.Norm == "layernorm" {
		l.once(name+".bias", 1, c.Width)
	}
}

func (c Config) outputTensors(l *tensors) {
	if c.Pooler {
		l.once("pooler", c.Width, c.Width)
		l.once("pooler.bias", 1, c.Width)
	}
	if c.Projected() {
		l.once("project_out", c.TokenWidth(), c.Width)
	}
	if !c.TiedHead {
		l.all = append(l.all, Tensor{"head", Embedding, c.Vocab, c.TokenWidth(), 1, 1})
	}
	if c.HeadBias {
		l.all = append(l.all, Tensor{"head.bias", Embedding, 1, c.Vocab, 1, 1})
	}
}
