package model

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"plumb/kernels"
)

// texts are rows as an evaluation makes them: items of several endings that
// share a context, of all lengths, and rows that share nothing.
func texts(vocab, context int) (rows [][]int32, from []int) {
	random := rand.New(rand.NewPCG(1, 2))
	token := func() int32 { return int32(random.IntN(vocab)) }
	for range 9 {
		shared := make([]int32, 1+random.IntN(context/2))
		for i := range shared {
			shared[i] = token()
		}
		for range 1 + random.IntN(4) {
			row := slices.Clone(shared)
			for range 1 + random.IntN(context/2) {
				row = append(row, token())
			}
			rows, from = append(rows, row), append(from, len(shared))
		}
	}
	return rows, from
}

// scoreAll scores rows in calls of batch rows each.
func scoreAll(t *testing.T, m *Model, rows [][]int32, from []int, batch int) string {
	t.Helper()
	all := ""
	for i := 0; i < len(rows); i += batch {
		end := min(i+batch, len(rows))
		sums, greedy, err := m.LogProbs(rows[i:end], from[i:end])
		if err != nil {
			t.Fatal(err)
		}
		for j := range sums {
			all += fmt.Sprintf("%x %v\n", math.Float64bits(sums[j]), greedy[j])
		}
	}
	return all
}

// Scores must have the same bits for any batch, number of workers and set of
// kernels, frozen or not.
func TestScoresAreBitwiseEqual(t *testing.T) {
	chosen, workers := kernels.Chosen(), kernels.Workers()
	defer func() { kernels.Use(chosen); kernels.SetWorkers(workers) }()
	cfg := tiny()
	cfg.Context, cfg.Width, cfg.Hidden, cfg.Heads, cfg.KVHeads, cfg.HeadDim, cfg.Vocab = 90, 48, 72, 6, 2, 8, 131
	m, frozen := mustNew(t, cfg), mustNew(t, cfg)
	frozen.Freeze()
	rows, from := texts(cfg.Vocab, cfg.Context)
	want := ""
	for _, name := range kernels.Names() {
		if err := kernels.Use(name); err != nil {
			t.Fatal(err)
		}
		for _, workers := range []int{1, 2, 4} {
			kernels.SetWorkers(workers)
			for _, batch := range []int{1, 3, 16, len(rows)} {
				for _, model := range []*Model{m, frozen} {
					got := scoreAll(t, model, rows, from, batch)
					if want == "" {
						want = got
					}
					if got != want {
						t.Errorf("kernels %s, workers %d, batch %d, frozen %v: other bits", name, workers, batch, model.frozen)
					}
				}
			}
		}
	}
}

// Training logits and scores come from one forward pass: they agree to the bit.
func TestScoresAreThoseOfTraining(t *testing.T) {
	for name, cfg := range variants() {
		t.Run(name, func(t *testing.T) {
			m := mustNew(t, cfg)
			tokens := tokensFor(cfg, 1, cfg.Context)
			logits := m.NewTape(1, cfg.Context).Logits(tokens)
			for from := 1; from <= cfg.Context; from++ {
				logs, greedy := make([]float64, cfg.Context+1-from), make([]bool, cfg.Context+1-from)
				kernels.LogProbs(logs, greedy, slices.Clone(logits[(from-1)*cfg.Vocab:]), tokens[from:])
				want := 0.0
				for _, l := range logs {
					want += l
				}
				got, _, err := m.LogProbs([][]int32{tokens}, []int{from})
				if err != nil || got[0] != want {
					t.Errorf("from %d: %v (%v), want %v", from, got, err, want)
				}
			}
		})
	}
}

func TestLogProbsRefusesBadRows(t *testing.T) {
	m := mustNew(t, tiny())
	tests := []struct {
		name string
		row  []int32
		from int
	}{
		{"longer than the context", make([]int32, 11), 1},
		{"nothing before the first token", []int32{1, 2}, 0},
		{"start behind the end", []int32{1, 2}, 3},
		{"token outside the vocabulary", []int32{1, 23}, 1},
		{"negative token", []int32{-1, 2}, 1},
		{"empty", nil, 1},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if _, _, err := m.LogProbs([][]int32{test.row}, []int{test.from}); err == nil {
				t.Error("no error")
			}
		})
	}
}

// Generating greedily token by token must follow the most likely token of the
// whole text so far.
func TestGenerateFollowsTheScores(t *testing.T) {
	for name, cfg := range variants() {
		t.Run(name, func(t *testing.T) {
			m := mustNew(t, cfg)
			text := []int32{3, 1, 4}
			err := m.Generate(context.Background(), text, 100, Sampling{}, func(token int32) bool {
				text = append(text, token)
				return true
			})
			if err != nil || len(text) != cfg.Context+1 {
				t.Fatalf("%d tokens, %v", len(text), err)
			}
			if _, greedy, err := m.LogProbs([][]int32{text}, []int{3}); err != nil || !greedy[0] {
				t.Errorf("not the most likely tokens (%v)", err)
			}
		})
	}
}

func TestSamplingIsRepeatable(t *testing.T) {
	m := mustNew(t, tiny())
	sample := func(seed uint64) (text []int32) {
		s := Sampling{Temperature: 0.8, TopK: 12, TopP: 0.95, Seed: seed}
		if err := m.Generate(context.Background(), []int32{1}, 8, s, func(token int32) bool {
			text = append(text, token)
			return true
		}); err != nil {
			t.Fatal(err)
		}
		return text
	}
	if a, b := sample(1), sample(1); !slices.Equal(a, b) {
		t.Errorf("seed 1 gave %v and %v", a, b)
	}
	if a, b := sample(1), sample(2); slices.Equal(a, b) {
		t.Errorf("seeds 1 and 2 both gave %v", a)
	}
}

func TestGenerateRefusesWhatDoesNotFit(t *testing.T) {
	m := mustNew(t, tiny())
	never := func(int32) bool { t.Error("a token came"); return false }
	for _, prompt := range [][]int32{nil, make([]int32, m.Context()+1), {99}, {-1}} {
		if err := m.Generate(context.Background(), prompt, 1, Sampling{}, never); err == nil {
			t.Errorf("no error for a prompt of %d tokens", len(prompt))
		}
	}
	full := make([]int32, m.Context())
	tokens := 0
	err := m.Generate(context.Background(), full, 5, Sampling{}, func(int32) bool { tokens++; return true })
	if err != nil || tokens != 1 {
		t.Errorf("a full context gave %d tokens, %v", tokens, err)
	}
}

// Decoding piece by piece gives the logits of one pass over the whole text, to
// the bit, on every set of kernels.
func TestDecodingIsTheFullPass(t *testing.T) {
	chosen := kernels.Chosen()
	defer func() { kernels.Use(chosen) }()
	for name, cfg := range variants() {
		t.Run(name, func(t *testing.T) {
			cfg.Context = 40
			m, frozen := mustNew(t, cfg), mustNew(t, cfg)
			frozen.Freeze()
			tokens := tokensFor(cfg, 1, cfg.Context)
			want := m.NewTape(1, cfg.Context).Logits(tokens)
			for _, name := range kernels.Names() {
				if err := kernels.Use(name); err != nil {
					t.Fatal(err)
				}
				for _, step := range []int{1, 7} {
					d := frozen.newDecoder(cfg.Context)
					for from := 0; from < cfg.Context; from += step {
						to := min(from+step, cfg.Context)
						got := d.feed(tokens[from:to])
						if !slices.Equal(got, want[(to-1)*cfg.Vocab:to*cfg.Vocab]) {
							t.Fatalf("kernels %s: other logits after %d tokens, %d at a time", name, to, step)
						}
					}
				}
			}
		})
	}
}

// Scoring and decoding leave nothing for the garbage collector once warm.
func TestScoringAllocatesNothing(t *testing.T) {
	workers := kernels.Workers()
	defer kernels.SetWorkers(workers)
	cfg := variants()["gpt2"]
	cfg.Context = 64
	m := mustNew(t, cfg)
	m.Freeze()
	rows, from := texts(cfg.Vocab, cfg.Context)
	sums, greedy := make([]float64, len(rows)), make([]bool, len(rows))
	for _, workers := range []int{1, 2} {
		kernels.SetWorkers(workers)
		if n := testing.AllocsPerRun(10, func() {
			if err := m.LogProbsInto(sums, greedy, rows, from); err != nil {
				t.Fatal(err)
			}
		}); n != 0 {
			t.Errorf("%v allocations to score with %d workers", n, workers)
		}
		d := m.newDecoder(cfg.Context)
		d.feed([]int32{1, 2, 3})
		if n := testing.AllocsPerRun(10, func() { d.feed(d.next[:]) }); n != 0 {
			t.Errorf("%v allocations to decode with %d workers", n, workers)
		}
	}
}
