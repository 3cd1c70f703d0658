package model

import (
	"context"
	"fmt"

	"plumb/kernels"
)

// Computed is how many tokens have gone through the model in scoring and
// generating so far. Texts that share a beginning share its tokens.
func (m *Model) Computed() int64 { return m.scorer().computed }

// Greedy continues each prompt by its most likely next token, the first of
// equal ones, again and again: until stop says so of the tokens generated for
// it so far, limit tokens are there, or the context is full. A prompt has 1 to
// Context() tokens.
//
// What a prompt has in common with the one before it is not computed again.
// The order and the grouping of prompts change no token. Logits that are not finite
// are an error.
func (m *Model) Greedy(ctx context.Context, prompts [][]int32, limit int, stop func(prompt int, generated []int32) bool) ([][]int32, error) {
	if err := m.checkPrompts(prompts); err != nil {
		return nil, err
	}
	answers := make([][]int32, len(prompts))
	d := m.newDecoder(m.cfg.Context)
	var before []int32 // the prompt whose keys and values d holds
	for i, prompt := range prompts {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		d.cache.past = commonPrefix(before, prompt, len(prompt)-1)
		answer, err := d.greedy(prompt, limit, func(generated []int32) bool { return stop(i, generated) })
		if err != nil {
			return nil, fmt.Errorf("prompt %d: %w", i, err)
		}
		answers[i] = answer
		before = prompt
	}
	return answers, nil
}

// greedy continues prompt, of which the cache holds the beginning.
func (d *decoder) greedy(prompt []int32, limit int, stop func(generated []int32) bool) ([]int32, error) {
	var generated []int32
	rest := prompt[d.cache.past:]
	for len(generated) < limit {
		logits, err := d.finite(rest)
		if err != nil {
			return nil, err
		}
		token := int32(kernels.ArgMax(logits))
		generated = append(generated, token)
		if stop(generated) || d.cache.past == d.s.m.cfg.Context {
			break
		}
		d.next[0] = token
		rest = d.next[:]
	}
	return generated, nil
}

func (m *Model) checkPrompts(prompts [][]int32) error {
	ends := make([]int, len(prompts))
	for i, prompt := range prompts {
		if len(prompt) == 0 || len(prompt) > m.cfg.Context {
			return fmt.Errorf("prompt %d has %d tokens: a prompt has from 1 to the context of %d", i, len(prompt), m.cfg.Context)
		}
		ends[i] = len(prompt)
	}
	return m.checkRows(prompts, ends)
}
