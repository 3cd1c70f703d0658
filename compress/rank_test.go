package compress

import (
	"testing"

	"plumb/model"
)

// The rule "energy" keeps the share that is asked for, and not without its last term.
func TestEnergyRule(t *testing.T) {
	_, changes, err := reduced(t, "svd rank=energy keep=0.6")
	if err != nil {
		t.Fatal(err)
	}
	slots := map[string]model.Linear{}
	for _, s := range small(t).Slots() {
		slots[s.Name] = s.Matrix
	}
	for _, c := range changes {
		if c.Form == "dense" {
			continue
		}
		terms, err := (&svd{}).split(model.Expand(slots[c.Slot]), nil)
		if err != nil {
			t.Fatal(err)
		}
		rank, all := int(c.Notes["rank"]), terms.energy(terms.values)
		if with, without := terms.energy(terms.values[:rank])/all, terms.energy(terms.values[:rank-1])/all; with < 0.6 || without >= 0.6 {
			t.Errorf("%s: %d terms keep %v of the energy, one fewer %v", c.Slot, rank, with, without)
		}
	}
}

// Ranks chosen together keep more of the energy, as a mean of shares, than the same
// weights given to every matrix alike.
func TestGlobalRanksKeepMore(t *testing.T) {
	m := small(t)
	loud(t, m)
	for i, p := range m.Params() { // some matrices are nearly of rank 1
		if i%3 == 0 && len(p.Data) > 200 {
			for j := range p.Data {
				p.Data[j] += float32(j%32) / 8
			}
		}
	}
	kept := func(stage string) (energy float64, weights int) {
		smaller, changes, err := applyTo(t, stage, m, someText())
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range changes {
			energy += c.Notes["kept energy"] / float64(len(changes))
		}
		return energy, smaller.Size().Params.Body
	}
	alike, most := kept("svd keep=0.5")
	together, weights := kept("svd keep=0.5 rank=global")
	if slack := 64 + 32; !(together > alike) || weights > most+14*slack { // a term of each matrix, which rounding down leaves out
		t.Errorf("together %v of the energy in %d weights, alike %v in %d", together, weights, alike, most)
	}
}
