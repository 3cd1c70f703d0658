package model

import (
	"encoding/binary"
	"math"
	"slices"
	"strings"
	"testing"

	"plumb/internal/golden"
	"plumb/internal/mapped"
)

// llama2CExample is a small file, legacy or of version 1, and the numbers in it.
func llama2CExample(t testing.TB, version int, tied bool) []byte {
	t.Helper()
	cfg := llama2CConfig(header(12, 20, 2, 3, 1, 23, 9))
	cfg.TiedHead = tied
	f := llama2CFile{config: cfg, version: version}
	var data []byte
	switch vocab := 23; {
	case version == 1:
		data = binary.LittleEndian.AppendUint32(nil, llama2CMagic)
		data = append(binary.LittleEndian.AppendUint32(data, 1), header(12, 20, 2, 3, 1, vocab, 9)...)
		if tied {
			data = append(data, 1)
		}
		data = append(data, make([]byte, llama2CVersion-len(data))...)
	case tied:
		data = header(12, 20, 2, 3, 1, vocab, 9)
	default:
		data = header(12, 20, 2, 3, 1, -vocab, 9)
	}
	for i := range f.numbers() {
		data = binary.LittleEndian.AppendUint32(data, math.Float32bits(float32(i)))
	}
	return data
}

func header(numbers ...int) []byte {
	var data []byte
	for _, n := range numbers {
		data = binary.LittleEndian.AppendUint32(data, uint32(int32(n)))
	}
	return data
}

func TestLlama2CVersions(t *testing.T) {
	for _, version := range []int{0, 1} {
		for _, tied := range []bool{true, false} {
			m, err := parseLlama2C(llama2CExample(t, version, tied))
			if err != nil {
				t.Fatal(err)
			}
			if m.cfg.TiedHead != tied || m.cfg.Vocab != 23 || m.cfg.HeadDim != 4 {
				t.Errorf("version %d: %+v", version, m.cfg)
			}
			first := map[int]string{0: "embedding.weight", 1: "blocks.0.attention.norm.gain"}[version]
			if values := m.stored(first); values[0] != 0 || values[1] != 1 {
				t.Errorf("version %d: %s begins %v", version, first, values[:2])
			}
			if queries := m.stored("blocks.0.attention.q.weight"); queries[12]-queries[0] != 24 {
				t.Errorf("version %d: rows of queries are not put in order: %v, %v", version, queries[0], queries[12])
			}
		}
	}
}

func TestLlama2CTruncations(t *testing.T) {
	for _, version := range []int{0, 1} {
		data := llama2CExample(t, version, true)
		for n := range data {
			if _, err := parseLlama2C(data[:n]); err == nil || strings.Contains(err.Error(), "\n\n") {
				t.Fatalf("cut to %d of %d bytes: %v", n, len(data), err)
			}
		}
		if _, err := parseLlama2C(append(slices.Clone(data), 0, 0, 0, 0)); err == nil {
			t.Error("a number too many, and nobody noticed")
		}
	}
}

// Whatever the bytes are, they are refused or make a model.
func FuzzLlama2C(f *testing.F) {
	f.Add(llama2CExample(f, 0, true))
	f.Add(llama2CExample(f, 0, false))
	f.Add(llama2CExample(f, 1, true))
	f.Add(header(1<<20, 1<<22, 1<<14, 1, 1, 1<<26, 1<<24))
	f.Add(header(-1, -1, -1, -1, -1, math.MinInt32, -1))
	f.Fuzz(func(t *testing.T, data []byte) {
		if m, err := parseLlama2C(data); err == nil && m.Config().Validate() != nil {
			t.Error("a model of no valid shape")
		}
	})
}

// The checkpoint of the shelf is refused at every length that is short of a part.
func TestLlama2CGolden(t *testing.T) {
	file, err := mapped.Open(golden.Shared(t, "models", "stories260K", "stories260K.bin"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	whole := file.Bytes()
	for n := 0; n < len(whole); n += 1 + len(whole)/50 {
		if _, err := parseLlama2C(whole[:n]); err == nil {
			t.Errorf("cut to %d of %d bytes, and nobody noticed", n, len(whole))
		}
	}
	if _, err := parseLlama2C(whole); err != nil {
		t.Error(err)
	}
}
