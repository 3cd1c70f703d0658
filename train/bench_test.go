package train

import (
	"context"
	"fmt"
	"testing"

	"plumb/arch"
	"plumb/kernels"
	"plumb/model"
)

// BenchmarkStep times whole training steps on one worker: forward, backward
// and AdamW. It reports tokens a second and the model's operations a second.
func BenchmarkStep(b *testing.B) {
	shapes := []struct{ layers, width, hidden, vocab, context, tokens int }{
		{2, 96, 256, 512, 128, 512},
		{8, 48, 128, 512, 128, 512},
		{6, 96, 256, 4096, 256, 4096},
		{4, 144, 384, 2048, 256, 4096},
		{16, 80, 208, 2048, 256, 4096},
	}
	workers := kernels.Workers()
	defer kernels.SetWorkers(workers)
	kernels.SetWorkers(1)
	for _, s := range shapes {
		cfg := arch.Config{
			Vocab: s.vocab, Context: s.context, Layers: s.layers, Sharing: "none", Repeat: 1,
			Width: s.width, Heads: s.width / 16, KVHeads: 1, HeadDim: 16, Hidden: s.hidden,
			Activation: "swiglu", Norm: "rmsnorm", NormEps: 1e-5,
			Position: "rotary", RotaryTheta: 10000, RotaryShare: 1, TiedHead: true,
		}
		b.Run(fmt.Sprintf("%dx%d/vocab=%d/batch=%d", s.layers, s.width, s.vocab, s.tokens), func(b *testing.B) {
			m, err := model.New(cfg, model.Init{}, 1)
			if err != nil {
				b.Fatal(err)
			}
			o := Options{Config: Defaults(), Rows: counting{int32(s.vocab)}}
			o.BatchTokens, o.Tokens = s.tokens, b.N*s.tokens
			b.ResetTimer()
			if _, err := Run(context.Background(), m, o); err != nil {
				b.Fatal(err)
			}
			seconds := b.Elapsed().Seconds()
			b.ReportMetric(float64(b.N*s.tokens)/seconds, "tokens/s")
			b.ReportMetric(float64(b.N*s.tokens)*cfg.TrainFLOPs(s.context)/seconds/1e9, "Gflop/s")
		})
	}
}
