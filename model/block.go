package model

// A block is the weights that one layer, or several, run with, as steps over
// the residual stream. Families of models differ in the order of these steps
// and in where norms stand, and in nothing else.
type block struct {
	attention   *attention
	feedForward *feedForward
	steps       []step
}

// A step is one act of a layer. It finds what the step before it left in the
// buffers of the pass, and what the backward pass needs is left in s.
type step interface {
	forward(p *pass, s *saved, layer int)
	// backward finds the gradients of what forward gave in p.grads, and leaves
	// there those of what forward was given.
	backward(p *pass, s *saved, layer int)
}

// forward runs the block as layer number layer over p.x [t, c], in place.
func (b *block) forward(p *pass, s *saved, layer int) {
	for _, step := range b.steps {
		step.forward(p, s, layer)
	}
}

// backward turns p.grads.dx [t, c], the gradient with respect to what the layer
// gave, into that with respect to what it was given. Norms and the activation
// are computed again rather than kept.
func (b *block) backward(p *pass, s *saved, layer int) {
	for i := len(b.steps) - 1; i >= 0; i-- {
		b.steps[i].backward(p, s, layer)
	}
}

// inSequence lets the feed-forward part read what attention has added.
func inSequence(n norms, a *attention, f *feedForward) *block {
	a.input, f.input = &read{n.attention, beforeAttention}, &read{n.feedForward, beforeFeedForward}
	return &block{a, f, []step{
		a.input, a, &join{part: a, read: a.input, added: n.afterAttention, sum: n.attentionSum},
		f.input, f, &join{part: f, read: f.input, added: n.afterFeedForward, sum: n.feedForwardSum},
	}}
}

// inParallel lets both parts read the stream before either has added to it,
// each through its own norm (GPT-NeoX).
func inParallel(n norms, a *attention, f *feedForward) *block {
	a.input, f.input = &read{n.attention, beforeAttention}, &read{n.feedForward, beforeFeedForward}
	return &block{a, f, []step{
		a.input, a, f.input, f,
		&join{part: a, read: a.input}, &join{part: f, read: f.input},
	}}
}

// inParallelOfOne lets both parts read the same norm of the stream (Phi, Falcon).
func inParallelOfOne(n norms, a *attention, f *feedForward) *block {
	a.input = &read{n.attention, beforeAttention}
	f.input, a.addsGradient = a.input, true
	return &block{a, f, []step{
		a.input, a, f,
		&join{part: a, read: a.input}, &join{part: f, read: f.input},
	}}
}

// back asks for the backward pass of a matrix whose form has one.
func back(l Linear) trainable {
	t, ok := l.(trainable)
	if !ok {
		panic("model: this form of matrix cannot be trained")
	}
	return t
}
