package experiments

import (
	"context"
	"fmt"

	"plumb/arch"
	"plumb/compress"
	"plumb/model"
)

// Try reports an order of steps that cannot work, such as training behind a form
// that passes no gradients back. It runs the recipe on a small model of the same
// kind as shape; what fails there for want of size is not held against it.
func (r Recipe) Try(shape arch.Config) error {
	small := miniature(shape)
	m, err := model.New(small, model.Init{}, 1)
	if err != nil {
		return nil
	}
	cal := miniatureText(small)
	for i, s := range r.Steps {
		if s.Trains() {
			if err := s.takes(m); err != nil {
				return fmt.Errorf("stage %q cannot follow %q: %w", s.Stage, Recipe{Steps: r.Steps[:i]}, err)
			}
			continue
		}
		smaller, _, err := s.Compress(context.Background(), m, cal, nil)
		if err != nil {
			return nil
		}
		m = smaller
	}
	return nil
}

// takes reports why a step that trains cannot train m.
func (s Step) takes(m *model.Model) error {
	if l, ok := s.learner.(interface{ Takes(*model.Model) error }); ok {
		return l.Takes(m)
	}
	return m.Trainable()
}

// miniature is a small shape of the same kind.
func miniature(shape arch.Config) arch.Config {
	shape.Layers, shape.Sharing, shape.Repeat = 4, arch.NoSharing, 1
	shape.Vocab, shape.Context = 64, 16
	shape.KVHeads = max(1, 4*shape.KVHeads/max(1, shape.Heads))
	shape.Width, shape.Heads, shape.HeadDim, shape.Hidden = 64, 4, 16, 128
	if shape.EmbeddingWidth > 0 {
		shape.EmbeddingWidth = 32
	}
	return shape
}

// miniatureText is calibration text for a miniature.
func miniatureText(shape arch.Config) *compress.Calibration {
	c := &compress.Calibration{Hash: "miniature"}
	state := uint32(1)
	for range 8 {
		text := make([]int32, shape.Context)
		for i := range text {
			state = state*1664525 + 1013904223
			text[i] = int32(state>>16) % int32(shape.Vocab)
		}
		c.Texts = append(c.Texts, text)
	}
	return c
}

// Impossible reports matrices of m that a step cannot take, where its method
// knows that before it starts: the first of them, and how many more there are.
func (s Step) Impossible(m *model.Model) error {
	if s.Trains() {
		return nil
	}
	all, _ := s.worker.Foresee(m)
	var first *compress.Prospect
	more := 0
	for i, p := range all {
		switch {
		case p.Problem == nil:
		case first == nil:
			first = &all[i]
		default:
			more++
		}
	}
	if first == nil {
		return nil
	}
	others := ""
	if more > 0 {
		others = fmt.Sprintf(" (and %d more matrices)", more)
	}
	return fmt.Errorf("stage %q: %s: %w%s", s.Stage, first.Slot, first.Problem, others)
}
