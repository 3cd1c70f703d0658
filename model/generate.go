package model

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"

	"plumb/kernels"
)

// Sampling says how the next token is chosen.
type Sampling struct {
	Temperature float64 // 0 takes the most likely token
	TopK        int     // only the k most likely; 0 means all
	TopP        float64 // only the most likely that together reach this share; 0 or 1 means all
	Seed        uint64
}

// Check reports settings that make no sense.
func (s Sampling) Check() error {
	switch {
	case !(s.Temperature >= 0 && s.Temperature < 1e6):
		return fmt.Errorf("temperature %v is not a number from 0 up", s.Temperature)
	case s.TopK < 0:
		return fmt.Errorf("top-k %d is negative", s.TopK)
	case !(s.TopP >= 0 && s.TopP <= 1):
		return fmt.Errorf("top-p %v is no share between 0 and 1", s.TopP)
	}
	return nil
}

// Generate continues prompt by up to limit tokens and hands each to emit,
// until emit returns false or ctx ends. The prompt must hold a token and fit
// the context; generation ends where the context is full. Logits that are not
// finite are an error.
func (m *Model) Generate(ctx context.Context, prompt []int32, limit int, s Sampling, emit func(token int32) bool) error {
	if err := s.Check(); err != nil {
		return err
	}
	if len(prompt) == 0 {
		return fmt.Errorf("the prompt holds no token")
	}
	if len(prompt) > m.cfg.Context {
		return fmt.Errorf("the prompt has %d tokens, more than the context of %d", len(prompt), m.cfg.Context)
	}
	if err := m.checkRows([][]int32{prompt}, []int{len(prompt)}); err != nil {
		return err
	}
	random := rand.New(rand.NewPCG(s.Seed, 0))
	d := m.newDecoder(min(m.cfg.Context, len(prompt)+max(limit, 0)))
	rest := prompt
	for range limit {
		if err := ctx.Err(); err != nil {
			return err
		}
		logits, err := d.finite(rest)
		if err != nil {
			return err
		}
		token := d.pick(s, logits, random)
		if !emit(token) || d.cache.past == m.cfg.Context {
			return nil
		}
		d.next[0] = token
		rest = d.next[:]
	}
	return nil
}

// A decoder feeds one sequence to the model piece by piece.
type decoder struct {
	s      *scorer
	cache  *cache
	next   [1]int32
	logits []float32 // [v]
	order  []int     // of tokens by likelihood
}

// newDecoder returns a decoder for up to tokens tokens.
func (m *Model) newDecoder(tokens int) *decoder {
	return &decoder{s: m.scorer(), cache: m.newCache(tokens), logits: make([]float32, m.cfg.Vocab)}
}

// feed runs tokens behind what was fed before and returns the logits [v] of
// what comes next, which stay valid until the next call.
func (d *decoder) feed(tokens []int32) []float32 {
	m, p := d.s.m, d.s.passFor(len(tokens))
	p.tokens, p.positions, p.cache = p.tokens[:0], p.positions[:0], d.cache
	p.add(tokens, d.cache.past)
	p.resize(m, len(tokens))
	m.forward(p)
	d.s.computed += int64(len(tokens))
	d.cache.past += len(tokens)
	m.logits(d.logits, p.normed[(len(tokens)-1)*m.cfg.TokenWidth():], 1)
	return d.logits
}

// finite is feed, which refuses to go on from a NaN or an infinity.
func (d *decoder) finite(tokens []int32) ([]float32, error) {
	logits := d.feed(tokens)
	if !kernels.AllFinite(logits) {
		return nil, fmt.Errorf("the logits behind %d tokens hold a NaN or Inf, and so may the weights", d.cache.past)
	}
	return logits, nil
}

// pick chooses a token. Logits are changed.
func (d *decoder) pick(s Sampling, logits []float32, random *rand.Rand) int32 {
	if s.Temperature == 0 {
		return int32(kernels.ArgMax(logits))
	}
	kernels.Scale(logits, float32(1/s.Temperature))
	kernels.Softmax(logits, logits, 1)
	d.order = ranked(d.order[:0], logits)
	order := d.order
	if s.TopK > 0 {
		order = order[:min(s.TopK, len(order))]
	}
	order = nucleus(order, logits, s.TopP)
	total := 0.0
	for _, i := range order {
		total += float64(logits[i])
	}
	target := random.Float64() * total
	for _, i := range order {
		target -= float64(logits[i])
		if target < 0 {
			return int32(i)
		}
	}
	return int32(order[len(order)-1])
}

// ranked appends the tokens to order from the most likely down, equal ones by
// number.
func ranked(order []int, shares []float32) []int {
	for i := range shares {
		order = append(order, i)
	}
	slices.SortFunc(order, func(a, b int) int {
		switch {
		case shares[a] > shares[b]:
			return -1
		case shares[a] < shares[b]:
			return 1
		}
		return a - b
	})
	return order
}

// nucleus keeps the head of order that reaches share p together.
func nucleus(order []int, shares []float32, p float64) []int {
	if p == 0 || p == 1 {
		return order
	}
	sum := 0.0
	for i, token := range order {
		sum += float64(shares[token])
		if sum >= p {
			return order[:i+1]
		}
	}
	return order
}
