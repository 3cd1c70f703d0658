package model

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"
	"strings"

	"plumb/kernels"
)

// Init says how wide the first weights are spread. Gains start at one and
// biases at zero.
type Init struct {
	Embedding       float64 `toml:"embedding" json:"embedding"`                 // standard deviation of the token tables; 0 means 1/sqrt(width)
	Body            float64 `toml:"body" json:"body"`                           // standard deviation of the other matrices; 0 means 1/sqrt(inputs)
	ResidualByDepth bool    `toml:"residual_by_depth" json:"residual_by_depth"` // matrices that write into the residual stream are divided by sqrt(2 × layers), as GPT-2 does
}

// fill gives every weight of m its first value. Each array has its own random
// stream, named by seed and the array's name, so that shapes which have an
// array in common start it alike.
func (init Init) fill(m *Model, seed uint64) {
	for _, p := range m.arrays {
		switch {
		case p.Matrix():
			normal(p.Data, init.spread(p, m.cfg.Layers), stream(seed, p.Name))
		case isGain(p.Name):
			for i := range p.Data {
				p.Data[i] = 1
			}
		}
	}
}

// spread is the standard deviation for p, a matrix [out, in].
func (init Init) spread(p Param, layers int) float64 {
	spread := init.Body
	if p.Group == Embedding {
		spread = init.Embedding
	}
	if spread == 0 {
		spread = 1 / math.Sqrt(float64(p.Shape[1]))
	}
	if p.Into && init.ResidualByDepth {
		spread /= math.Sqrt(float64(2 * layers))
	}
	return spread
}

func isGain(name string) bool { return strings.HasSuffix(name, "gain") }

// stream returns the random numbers that belong to a seed and a name.
func stream(seed uint64, name string) *rand.Rand {
	sum := sha256.Sum256(fmt.Appendf(nil, "%d/%s", seed, name))
	return rand.New(rand.NewPCG(binary.LittleEndian.Uint64(sum[:8]), binary.LittleEndian.Uint64(sum[8:16])))
}

// normal fills dst with normally distributed numbers of mean zero by the
// method of Box and Muller, in functions whose bits are the same everywhere.
func normal(dst []float32, spread float64, random *rand.Rand) {
	for i := 0; i < len(dst); i += 2 {
		radius := math.Sqrt(-2 * kernels.Log64(1-random.Float64()))
		angle := 2 * math.Pi * random.Float64()
		dst[i] = float32(float64(spread*radius) * kernels.Cos(angle))
		if i+1 < len(dst) {
			dst[i+1] = float32(float64(spread*radius) * kernels.Sin(angle))
		}
	}
}
