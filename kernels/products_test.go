package kernels

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"plumb/internal/golden"
)

// TestProductsGolden compares a hash of every product and of attention with
// the one in a file, which is the same on all kinds of processors.
func TestProductsGolden(t *testing.T) {
	onEach(t, func(t *testing.T) {
		var lines strings.Builder
		for _, f := range forms {
			r := rand.New(rand.NewPCG(21, 22))
			m, k, n := 37, 45, 51
			dst, a, b := make([]float32, f.dst(m, k, n)), make([]float32, f.a(m, k, n)), make([]float32, f.b(m, k, n))
			for _, x := range [][]float32{dst, a, b} {
				fillUniform(r, x)
			}
			f.run(dst, a, b, m, k, n)
			fmt.Fprintf(&lines, "%s %s\n", hashOf(dst), f.name)
		}
		c := newAttentionCase(Heads{Query: 6, KV: 2, Dim: 24, Scale: 0.2}, 2, 65, 23)
		r := rand.New(rand.NewPCG(24, 25))
		for _, x := range [][]float32{c.q, c.k, c.v, c.dout} {
			fillUniform(r, x)
		}
		c.run()
		fmt.Fprintf(&lines, "%s AttentionBatch and AttentionBackBatch\n", hashOf(c.results()))
		golden.Check(t, "testdata/products.golden", []byte(lines.String()))
	})
}

// fillUniform fills x with numbers that are exact in float32 everywhere.
func fillUniform(r *rand.Rand, x []float32) {
	for i := range x {
		x[i] = float32(int32(r.Uint32())) * 0x1p-31
	}
}

func hashOf(x []float32) string {
	h := sha256.New()
	for _, v := range x {
		h.Write(binary.LittleEndian.AppendUint32(nil, math.Float32bits(v)))
	}
	return fmt.Sprintf("%x", h.Sum(nil)[:8])
}
