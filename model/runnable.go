package model

import (
	"errors"
	"fmt"

	"plumb/arch"
)

// maxRotary is how many pairs of position and channel a table of rotations may
// have: eight times those of 128,000 tokens with heads of 128 channels.
const maxRotary = 1 << 27

// Runnable reports what in c this package can describe and count, but not run.
func Runnable(c arch.Config) error {
	var problems []error
	refuse := func(present bool, key, what string) {
		if present {
			problems = append(problems, fmt.Errorf("%s: no model can run %s yet; plumb show counts it", key, what))
		}
	}
	_, err := activations.Get(c.Activation)
	if err != nil {
		problems = append(problems, err)
	}
	refuse(c.PostNorm && !c.NoOuterNorm, "post_norm", "a norm behind the embedding")
	refuse(c.Projected() && !c.NoOuterNorm, "embedding_width", "a norm before a projected head")
	refuse(c.Context*c.RotaryChannels() > maxRotary, "context", "rotations for so many positions")
	refuse(c.Bidirectional, "bidirectional", "attention in both directions")
	refuse(c.TokenTypes != 0, "token_types", "the table of token types of an encoder")
	refuse(c.Pooler, "pooler", "the pooler of an encoder")
	return errors.Join(problems...)
}
