package model

import "testing"

// A dense model takes the multiply-adds that its shape counts, and one with
// matrices in factors as many fewer as these save, in every layer that runs them.
func TestMACs(t *testing.T) {
	cfg := tiny()
	m, err := New(cfg, Init{}, 1)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := m.MACs(16), cfg.ForwardMACs(16); got != want {
		t.Fatalf("dense: %d, want %d", got, want)
	}
	slot := m.Slots()[1]
	out, in := slot.Matrix.Shape()
	thin, err := m.With(map[string]Linear{slot.Name: NewLowRank(numbers(out*2), numbers(2*in), biasOf(slot.Matrix), out, 2, in)})
	if err != nil {
		t.Fatal(err)
	}
	runs := 0
	for _, block := range cfg.Blocks() {
		if block == slot.Block {
			runs++
		}
	}
	if got, want := thin.MACs(16), cfg.ForwardMACs(16)-runs*(out*in-2*(out+in)); got != want {
		t.Errorf("%s of rank 2: %d, want %d", slot.Name, got, want)
	}
}
