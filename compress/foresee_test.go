package compress

import (
	"context"
	"encoding/json"
	"strings"
	"testing"

	"plumb/model"
)

// sameOutline checks that what was foreseen is what became of a model.
func sameOutline(t *testing.T, f Foresight, err error, m *model.Model) {
	t.Helper()
	if err != nil {
		t.Errorf("foreseen as impossible: %v", err)
		return
	}
	want, got := f.After.Config, m.Config()
	if want.Name, got.Name = "", ""; want != got {
		t.Errorf("foreseen is the shape %+v, became %+v", want, got)
		return
	}
	became := m.Outline().Slots()
	open := false
	for i, p := range f.After.Slots() {
		open = open || p.Open
		a, _ := json.Marshal(p.Form)
		b, _ := json.Marshal(became[i].Form)
		if !p.Open && (p.Kind() != became[i].Kind() || string(a) != string(b)) {
			t.Errorf("%s: foreseen is %s %s, became %s %s", p.Name, p.Kind(), a, became[i].Kind(), b)
		}
	}
	size, exact, err := f.After.Size()
	if err != nil || exact == open || exact && size != m.Size() {
		t.Errorf("foreseen is %+v (exact: %v, %v), became %+v", size, exact, err, m.Size())
	}
}

// What a recipe makes of a model is foreseen stage by stage, each on what those
// before it leave.
func TestRecipesAreForeseen(t *testing.T) {
	for _, recipe := range []string{
		"svd keep=0.5 | rtn bits=4",
		"svd keep=0.8 | svd keep=0.5 on=ffn.up | q8_0 on=ffn.*",
		"svd rank=energy keep=0.9 on=ffn.* | rtn bits=4",
		"kronecker shape=2x4 | rtn bits=8 group=8",
		"kronecker shape=tq permute=swaps steps=50 | w8a8",
		"svd keep=0.75 on=ffn.up | kronecker shape=1x2 on=ffn.up,attention.q",
		"heads keep=0.5 | hidden keep=0.5 | w8a8",
		"magnitude keep=0.5 | heads keep=0.5 | rtn bits=4 symmetric=false",
		"wanda keep=0.3 form=csr",
		"llmint8 threshold=0.5",
		"magnitude | smoothquant",
		"svd keep=0.5 | layers keep=0.5",
		"rtn bits=4 | share",
		"svd | share by=first",
		"skip-layers keep=0.5 | svd keep=0.5 on=embedding,ffn.*",
		"svd keep=0.5 | awq scale=false clip=none group=8",
	} {
		t.Run(recipe, func(t *testing.T) {
			stages, err := ParseRecipe(recipe)
			if err != nil {
				t.Fatal(err)
			}
			m := small(t)
			o := m.Outline()
			for _, s := range stages {
				w, err := s.Worker()
				if err != nil {
					t.Fatal(err)
				}
				f, wrong := w.Foresee(o)
				if m, _, err = w.Apply(context.Background(), m, someText(), Options{}); err != nil {
					t.Fatal(err)
				}
				sameOutline(t, f, wrong, m)
				o = f.After
			}
		})
	}
}

// What cannot work is said before anything is done, of the model that a stage
// will be given, and by the stage itself.
func TestImpossibleRecipesAreForeseen(t *testing.T) {
	tests := []struct{ recipe, want string }{
		{"svd keep=0.01", "blocks.0.attention.q: keep=0.01 of a matrix [32, 32] leaves rank 0 (and 13 more matrices)"},
		{"svd keep=0.1 | svd keep=0.05", "blocks.0.attention.q.right: keep=0.05 of a matrix [1, 32] leaves rank 0"},
		{"svd on=fnn.*", "no matrix has a name that matches on=fnn.*; those of this model are embedding, attention.q"},
		{"kronecker shape=3x4", "is no matrix [32, 32]"},
		{"kronecker shape=16x8 permute=swaps", "too many for a search"},
		{"hidden keep=0.5 | wanda pattern=8:64", "rows of 32 inputs cannot have the pattern 8:64"},
		{"w8a8 | w8a8", "blocks.0.attention.q: it is rounded already, into form w8a8"},
		{"svd | rtn bits=4 | q8_0", "it is rounded already, into form int"},
		{"rtn bits=8 on=ffn.* | gptq", "blocks.0.ffn.gate: it is rounded already"},
		{"heads keep=0.5 | heads keep=0.9", "keep=0.9 of 1 key-value heads removes none: unit=query"},
		{"svd | heads", "blocks.0.attention.q is in form lowrank, which cannot be cut"},
		{"svd on=ffn.down | hidden", "blocks.0.ffn.down is in form lowrank, which cannot be cut"},
		{"layers keep=0.5 protect=2", "leaves 1, but protect=2 of them stay"},
		{"share | share", "share blocks already"},
		{"svd | skip-layers", "take layers out before matrices are changed"},
		{"skip-layers layers=0,4", "the model has 2 layers"},
		{"svd | awq", "is in form lowrank, through which no scales can be moved"},
		{"kronecker shape=tq on=ffn.* | skip-layers", "take layers out before"},
	}
	for _, test := range tests {
		t.Run(test.recipe, func(t *testing.T) {
			stages, err := ParseRecipe(test.recipe)
			if err != nil {
				t.Fatal(err)
			}
			m := small(t)
			for _, s := range stages {
				w, wrong := s.Worker()
				if wrong != nil {
					t.Fatal(wrong)
				}
				_, err = w.Foresee(m.Outline())
				after, _, refused := w.Apply(context.Background(), m, someText(), Options{})
				if err != nil && (refused == nil || refused.Error() != err.Error()) {
					t.Errorf("applied it says %v", refused)
				}
				if err != nil || refused != nil {
					break
				}
				m = after
			}
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want something about %q", err, test.want)
			}
		})
	}
}
