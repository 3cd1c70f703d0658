package gguf

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"plumb/internal/golden"
)

// samples returns n numbers in runs of 256: of one sign and both, sparse, of one
// magnitude, on a grid, and of sizes from 2^-24 to 2^8.
func samples(n int) []float32 {
	random := rand.New(rand.NewPCG(1, 2))
	uniform := func() float32 { return float32(random.IntN(1<<24)) / (1 << 24) }
	values := make([]float32, n)
	for i := range values {
		run := i / super
		size := float32(math.Ldexp(1, run/5%33-24))
		v := 2*uniform() - 1
		switch run % 5 {
		case 1:
			v = uniform() - 3
		case 2:
			if random.IntN(10) > 0 {
				v = 0
			}
		case 3:
			v = float32(math.Copysign(1, float64(v)))
		case 4:
			v = float32(random.IntN(15) - 7)
		}
		values[i] = v * size
	}
	return values
}

// The golden file holds the SHA-256 of what ggml's reference quantisers (those
// in whisper.cpp 36778bd8, compiled with -ffp-contract=off) make of the same
// numbers, and of what it expands that to, as little-endian float32.
func TestRoundsAsGGMLDoes(t *testing.T) {
	values := samples(super * 330)
	var got bytes.Buffer
	for _, typ := range types {
		encoded := make([]byte, typ.Bytes(len(values)))
		typ.Encode(encoded, values)
		decoded := make([]float32, len(values))
		typ.Decode(decoded, encoded)
		fmt.Fprintf(&got, "%-5s %x %x\n", typ.Name, sha256.Sum256(encoded), sha256.Sum256(float32Bytes(decoded)))
	}
	golden.Check(t, "testdata/rounded.golden", got.Bytes())
}

func float32Bytes(values []float32) []byte {
	data := make([]byte, 4*len(values))
	types[0].Encode(data, values)
	return data
}

// Every type comes back within about half a step of its numbers.
func TestRoundTripError(t *testing.T) {
	worst := map[string]float32{ // share of the largest magnitude in a block
		"F32": 0, "F16": 1.0 / 2048, "BF16": 1.0 / 256, "Q8_0": 1.0 / 230, "Q4_0": 1.0 / 7.9, "Q4_1": 2.0 / 29,
		"Q5_0": 1.0 / 15.9, "Q5_1": 2.0 / 61, "Q4_K": 1.0 / 7, "Q5_K": 1.0 / 14, "Q6_K": 1.0 / 24,
	}
	random := rand.New(rand.NewPCG(3, 4))
	values := make([]float32, super*40)
	for i := range values {
		values[i] = float32(random.Float64()*2 - 1)
	}
	for _, typ := range types {
		encoded, decoded := make([]byte, typ.Bytes(len(values))), make([]float32, len(values))
		typ.Encode(encoded, values)
		typ.Decode(decoded, encoded)
		for i, v := range decoded {
			if e := abs(v - values[i]); e > worst[typ.Name] {
				t.Errorf("%s: number %d: %v became %v", typ.Name, i, values[i], v)
				break
			}
		}
	}
}

// Numbers at the edges of float32 and blocks of zeros are rounded without a
// panic and to finite numbers where float16 holds the scale.
func TestExtremeBlocks(t *testing.T) {
	tiny := math.Float32frombits(1)
	for _, v := range []float32{0, float32(math.Copysign(0, -1)), tiny, -tiny, 1e-30, 65000, math.MaxFloat32, -math.MaxFloat32} {
		block := make([]float32, super)
		for i := range block {
			block[i] = v
		}
		block[7] = -v
		for _, typ := range types {
			encoded, decoded := make([]byte, typ.Bytes(super)), make([]float32, super)
			typ.Encode(encoded, block)
			typ.Decode(decoded, encoded)
			if abs(v) <= 65000 && !finite(decoded) {
				t.Errorf("%s of %v is not finite", typ.Name, v)
			}
		}
	}
}

// Every float16 becomes a float32 and itself again.
func TestHalfRoundTrip(t *testing.T) {
	for h := range 1 << 16 {
		src, dst := []byte{byte(h), byte(h >> 8)}, make([]byte, 2)
		v := half(src)
		putHalf(dst, v)
		if v == v && !bytes.Equal(src, dst) {
			t.Fatalf("%04x became %v and then %02x%02x", h, v, dst[1], dst[0])
		}
		if v != v && half(dst) == half(dst) {
			t.Fatalf("%04x is no longer NaN", h)
		}
	}
}

func TestFallbackTypes(t *testing.T) {
	tests := []struct {
		wanted string
		row    int
		want   string
	}{
		{"Q4_K", 512, "Q4_K"}, {"Q4_K", 576, "Q5_0"}, {"Q5_K", 576, "Q5_1"}, {"Q6_K", 576, "Q8_0"},
		{"Q4_K", 172, "F16"}, {"Q8_0", 172, "F16"}, {"Q4_1", 64, "Q4_1"}, {"F32", 3, "F32"}, {"BF16", 3, "BF16"},
	}
	for _, test := range tests {
		typ, err := TypeNamed(strings.ToLower(test.wanted))
		if err != nil {
			t.Fatal(err)
		}
		if got := typ.For(test.row); got.Name != test.want {
			t.Errorf("%s for rows of %d is %s, want %s", test.wanted, test.row, got.Name, test.want)
		}
	}
	if _, err := TypeNamed("q3_k"); err == nil || !strings.Contains(err.Error(), "Q4_K") {
		t.Errorf("an unknown type: %v", err)
	}
}
