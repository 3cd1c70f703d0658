package bench

import (
	"context"
	"fmt"

	"plumb/arch"
	"plumb/model"
)

var decodingSection = section{
	name:   "decoding",
	about:  "tokens one after the other from one sequence, by the bytes of weights that each of them reads",
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
	g.open = func() (probes []probe, drop func(), err error) {
		m, err := model.New(s.Config, model.Init{}, 1)
		if err != nil {
			return nil, nil, err
		}
		for _, workers := range r.counts() {
			probes = append(probes, probe{
				Line: Line{
					Section: "decoding", Shape: s.Name, Name: fmt.Sprintf("%d tokens", tokens), Workers: workers,
					Unit: "tokens", Work: float64(tokens), Limit: decodingLimit(bytes),
				},
				Task:  on(workers, func() error { return decode(m, tokens) }),
				needs: float64(tokens) * bytes,
			})
		}
		return probes, func() {}, nil
	}
	return g
}

// decodingBytes is what one token reads of the weights in float32; the cache is
// left out.
func decodingBytes(c arch.Config) float64 { return 4 * float64(c.ForwardMACs(0)) }

// decodingLimit is what the weights are read from: memory, where they are larger
// than caches are. Smaller models are not bound by any limit measured here.
func decodingLimit(bytes float64) string {
	if bytes < memoryBytes {
		return ""
	}
	return MemoryLimit
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
