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
	refuse(c.ParallelResidual, "parallel_residual", "a parallel residual")
	refuse(c.NormsPerLayer != 0 && c.NormsPerLayer != 2, "norms_per_layer", fmt.Sprintf("%d norms in a layer", c.NormsPerLayer))
	refuse(c.NormOffset != 0, "norm_offset", "norm gains stored with an offset")
	refuse(c.PostNorm, "post_norm", "norms behind the sums")
	refuse(c.Window != 0, "window", "a sliding window")
	refuse(c.AttentionSoftCap != 0, "attention_soft_cap", "a cap on attention scores")
	refuse(c.FinalSoftCap != 0, "final_soft_cap", "a cap on logits")
	refuse(c.PositionOffset != 0, "position_offset", "a position table with an offset")
	refuse(c.RotaryScaling != arch.RotaryScaling{}, "rotary_scaling", "scaled rotary frequencies")
	refuse(c.Context*c.RotaryChannels() > maxRotary, "context", "rotations for so many positions")
	refuse(c.Bidirectional, "bidirectional", "attention in both directions")
	refuse(c.TokenTypes != 0, "token_types", "the table of token types of an encoder")
	refuse(c.Pooler, "pooler", "the pooler of an encoder")
	return errors.Join(problems...)
}
