package model

import (
	"context"
	"slices"
	"testing"
)

// A frozen model scores and generates as before, and refuses the rest.
func TestFrozenModelsGiveTheSame(t *testing.T) {
	for name, cfg := range variants() {
		t.Run(name, func(t *testing.T) {
			m, frozen := mustNew(t, cfg), mustNew(t, cfg)
			frozen.Freeze()
			frozen.Freeze() // changes nothing
			rows, from := texts(cfg.Vocab, cfg.Context)
			if got, want := scoreAll(t, frozen, rows, from, 5), scoreAll(t, m, rows, from, 5); got != want {
				t.Errorf("scores\n%swant\n%s", got, want)
			}
			if got, want := continued(t, frozen), continued(t, m); !slices.Equal(got, want) {
				t.Errorf("frozen %v, before %v", got, want)
			}
			if err := frozen.Save(t.TempDir()); err == nil {
				t.Error("a frozen model was saved")
			}
			if _, ok := frozen.AllFinite(); !ok {
				t.Error("weights are lost")
			}
		})
	}
}

func continued(t *testing.T, m *Model) (text []int32) {
	t.Helper()
	err := m.Generate(context.Background(), []int32{3, 1}, 100, Sampling{}, func(token int32) bool {
		text = append(text, token)
		return true
	})
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func TestFrozenModelsRefuseTraining(t *testing.T) {
	m := mustNew(t, tiny())
	m.Freeze()
	for name, call := range map[string]func(){
		"Params": func() { m.Params() }, "EnableTraining": m.EnableTraining, "NewTape": func() { m.NewTape(1, 1) },
	} {
		t.Run(name, func(t *testing.T) {
			defer func() {
				if recover() == nil {
					t.Error("no panic")
				}
			}()
			call()
		})
	}
}
