package bench

import (
	"context"
	"fmt"

	"plumb/arch"
	"plumb/model"
)

var decodingSection = section{
	name:   "decoding",
	about:  "tokens one after the other from one sequence, by the bytes of weights that each of them reads, or by their operations where the weights fit a cache",
	shapes: []string{"gpt2", "stories260k"},
	groups: func(r *runner, s Shape) []group { return []group{r.decoding(s)} },
}

// decodedBytes is about how many bytes of weights one repetition reads, and
// decodedMost how many tokens it takes at most.
const (
	decodedBytes = 8 << 30
	decodedMost  = 256
)

func (r *runner) decoding(s Shape) group {
	bytes := decodingBytes(s.Config)
	tokens := int(max(1, min(decodedBytes/bytes, decodedMost, float64(s.Context-1))))
	g := group{section: "decoding", shape: s.Name, model: true}
	for range r.counts() {
		g.costs = append(g.costs, float64(tokens)*bytes)
	}
	limit, needs := decodingLimit(s.Config)
	g.open = func() (probes []probe, drop func(), err error) {
		m, err := model.New(s.Config, model.Init{}, 1)
		if err != nil {
			return nil, nil, err
		}
		m.Freeze()
		for _, workers := range r.counts() {
			probes = append(probes, probe{
				Line: Line{
					Section: "decoding", Shape: s.Name, Name: fmt.Sprintf("%d tokens", tokens), Workers: workers,
					Unit: "tokens", Work: float64(tokens), Limit: limit,
				},
				Task:  on(workers, func() error { return decode(m, tokens) }),
				needs: float64(tokens) * needs,
			})
		}
		return probes, func() {}, nil
	}
	return g
}

// decodingBytes is what one token reads of the weights in float32; the cache is
// left out.
func decodingBytes(c arch.Config) float64 { return 4 * float64(c.ForwardMACs(0)) }

// decodingLimit is what decoding is a share of, and what of it a token needs:
// memory, where the weights are larger than caches are, else operations.
func decodingLimit(c arch.Config) (limit string, needs float64) {
	if bytes := decodingBytes(c); bytes >= memoryBytes {
		return MemoryLimit, bytes
	}
	return PeakLimit, c.ForwardFLOPs(0)
}

// decode generates so many tokens after a prompt of one.
func decode(m *model.Model, tokens int) error {
	made := 0
	err := m.Generate(context.Background(), []int32{1}, tokens, model.Sampling{}, func(int32) bool {
		made++
		return made < tokens
	})
	if err == nil && made < tokens {
		err = fmt.Errorf("the model made %d tokens of %d", made, tokens)
	}
	return err
}
