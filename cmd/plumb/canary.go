package main

import (
	"fmt"

	"github.com/spf13/cobra"
)

// addForce adds the flag that lets a model pass which the canary refuses.
func addForce(c *cobra.Command, force *bool) {
	c.Flags().BoolVar(force, "force", false, "use a model from elsewhere even if it predicts plain English worse than a guess")
}

// checkCanary lets a model from elsewhere predict a short text and says how well it
// does. One that is clearly worse than a guess is refused unless forced.
func (t *trained) checkCanary(a *app, force bool) error {
	if t.ours {
		return nil
	}
	var before []int32
	if id, _, ok := t.tokenizer.BOS(); ok {
		before = append(before, id)
	}
	c, err := t.model.Canary(t.tokenizer.Encode, before)
	if err != nil && !force {
		return fmt.Errorf("%s: %w (--force goes on without)", t.name, err)
	}
	if err != nil {
		a.notef("plumb: %s: %v", t.name, err)
		return nil
	}
	verdict := fmt.Sprintf("%.2f bits per byte of plain English, a guess among its %d tokens needs %.2f", c.BitsPerByte(), c.Vocab, c.GuessBitsPerByte())
	if c.Broken() && !force {
		return fmt.Errorf("%s: %s: its weights or its tokenizer were converted wrongly, or it knows no English (--force goes on)", t.name, verdict)
	}
	a.notef("plumb: %s: %s", t.name, verdict)
	return nil
}
