package model

import (
	"context"
	"math"
	"slices"
	"strings"
	"testing"
)

// TestGreedyIsGenerate: prompts that share beginnings, in any order, continue
// as each does alone.
func TestGreedyIsGenerate(t *testing.T) {
	m := mustNew(t, tiny())
	prompts := [][]int32{{1, 2, 3, 4, 5}, {1, 2, 3}, {1, 2, 3}, {1, 2, 3, 4, 6, 7, 8}, {9}, {1, 2, 3, 4, 5}}
	never := func(int, []int32) bool { return false }
	const limit = 6
	together, err := m.Greedy(context.Background(), prompts, limit, never)
	if err != nil {
		t.Fatal(err)
	}
	for i, prompt := range prompts {
		var alone []int32
		err := m.Generate(context.Background(), prompt, limit, Sampling{}, func(token int32) bool {
			alone = append(alone, token)
			return true
		})
		if err != nil || !slices.Equal(alone, together[i]) {
			t.Errorf("prompt %v continues as %v alone and as %v with others, %v", prompt, alone, together[i], err)
		}
	}
}

func TestGreedyStops(t *testing.T) {
	m := mustNew(t, tiny())
	got, err := m.Greedy(context.Background(), [][]int32{{1}, {2}}, 9, func(prompt int, generated []int32) bool {
		return len(generated) == prompt+2
	})
	if err != nil || len(got[0]) != 2 || len(got[1]) != 3 {
		t.Errorf("%v, %v", got, err)
	}
	full := make([]int32, m.Context()-1)
	got, err = m.Greedy(context.Background(), [][]int32{full}, 9, func(int, []int32) bool { return false })
	if err != nil || len(got[0]) != 2 {
		t.Errorf("a context with one place left holds %v, %v", got, err)
	}
	for _, prompt := range [][]int32{{}, make([]int32, m.Context()+1), {-1}} {
		if _, err := m.Greedy(context.Background(), [][]int32{prompt}, 1, nil); err == nil {
			t.Errorf("a prompt of %d tokens is accepted", len(prompt))
		}
	}
}

// TestComputed: rows that begin alike share tokens.
func TestComputed(t *testing.T) {
	cfg := tiny()
	cfg.Context = 64
	m := mustNew(t, cfg)
	long := make([]int32, 20)
	rows := [][]int32{append(slices.Clone(long), 1, 2), append(slices.Clone(long), 3, 4)}
	if _, _, err := m.LogProbs(rows[:1], []int{20}); err != nil {
		t.Fatal(err)
	}
	alone := m.Computed()
	if alone != 21 {
		t.Errorf("%d tokens for a row of 22, the last of which is only predicted", alone)
	}
	if _, _, err := m.LogProbs(rows, []int{20, 20}); err != nil {
		t.Fatal(err)
	}
	if both := m.Computed() - alone; both >= 2*alone {
		t.Errorf("%d tokens for two rows with a common beginning, %d for one", both, alone)
	}
}

// A model with a NaN says so instead of making something up.
func TestNoTokenFromNaN(t *testing.T) {
	m := mustNew(t, tiny())
	m.Params()[0].Data[3] = float32(math.NaN()) // of token 0, which the tied head reads
	want := "the logits behind 2 tokens hold a NaN or Inf"
	_, err := m.Greedy(context.Background(), [][]int32{{1, 2}}, 3, func(int, []int32) bool { return false })
	if err == nil || !strings.Contains(err.Error(), "prompt 0: "+want) {
		t.Errorf("greedy: %v", err)
	}
	for _, temperature := range []float64{0, 1} {
		err := m.Generate(context.Background(), []int32{1, 2}, 3, Sampling{Temperature: temperature}, func(int32) bool { return true })
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("temperature %v: %v", temperature, err)
		}
	}
}
