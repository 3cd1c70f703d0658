package train

import (
	"fmt"
	"testing"

	"plumb/kernels"
	"plumb/model"
)

// A training step, rows, forward, backward and AdamW, leaves no garbage once
// its memory is warm, whoever does the work.
func TestStepAllocatesNothing(t *testing.T) {
	before := kernels.Workers()
	defer kernels.SetWorkers(before)
	for _, test := range []struct {
		workers   int
		recompute bool
		taught    bool
	}{{1, false, false}, {2, false, false}, {1, true, false}, {2, true, false}, {2, false, true}, {2, true, true}} {
		t.Run(fmt.Sprintf("workers=%d recompute=%v taught=%v", test.workers, test.recompute, test.taught), func(t *testing.T) {
			kernels.SetWorkers(test.workers)
			cfg := tiny()
			cfg.Vocab, cfg.Width, cfg.Context = 300, 64, 64 // large enough to be shared out
			m, err := model.New(cfg, model.Init{}, 7)
			if err != nil {
				t.Fatal(err)
			}
			o := options("")
			o.BatchTokens, o.MicroTokens, o.Tokens = 16*cfg.Context, 8*cfg.Context, 1<<30
			o.Recompute = test.recompute
			how := manner{label: 1}
			if test.taught {
				how.keepZeros = true
				how.guide, err = filled(teaching{Logits: 1, Hidden: 1, Attention: 1, Layers: "uniform"}).distiller(m, m.Clone())
				if err != nil {
					t.Fatal(err)
				}
			}
			r := newRun(m, o, how)
			step := func() {
				if _, err := r.step(); err != nil {
					t.Fatal(err)
				}
			}
			for range 10 {
				step()
			}
			if n := testing.AllocsPerRun(20, step); n != 0 {
				t.Errorf("%v allocations in a step", n)
			}
		})
	}
}
