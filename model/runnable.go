package model

import (
	"errors"
	"fmt"

	"plumb/arch"
)

// Runnable reports what in c this package can describe and count, but not run.
func Runnable(c arch.Config) error {
	var problems []error
	refuse := func(present bool, what string) {
		if present {
			problems = append(problems, fmt.Errorf("%s: the model cannot run %s yet; plumb show counts it", c.Name, what))
		}
	}
	_, err := activations.Get(c.Activation)
	if err != nil {
		problems = append(problems, err)
	}
	refuse(c.ParallelResidual, "a parallel residual")
	refuse(c.NormsPerLayer != 0 && c.NormsPerLayer != 2, fmt.Sprintf("%d norms in a layer", c.NormsPerLayer))
	refuse(c.NormOffset != 0, "norm gains stored with an offset")
	refuse(c.PostNorm, "norms behind the sums")
	refuse(c.Window != 0, "a sliding window")
	refuse(c.AttentionSoftCap != 0 || c.FinalSoftCap != 0, "soft caps")
	refuse(c.PositionOffset != 0, "a position table with an offset")
	refuse(c.RotaryScaling != arch.RotaryScaling{}, "scaled rotary frequencies")
	refuse(c.Bidirectional, "attention in both directions")
	refuse(c.TokenTypes != 0 || c.Pooler, "the extra tables of an encoder")
	return errors.Join(problems...)
}
