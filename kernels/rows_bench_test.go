package kernels

import (
	"fmt"
	"runtime"
	"testing"
	"time"
)

// rowBenchmarks have their cost per element reported for each implementation
// on one goroutine: the least CPU time of many runs.
var rowBenchmarks = []struct{ name, shape string }{
	{"exp row", "512x512"},
	{"dot", "1x192"},
	{"Add", "512x192"},
	{"BiasBack", "512x192"},
	{"SumSquares", "512x512"},
	{"Softmax", "512x64"},
	{"CrossEntropy", "64x4096"},
	{"LogProbs", "64x4096"},
	{"RMSNorm", "512x96"},
	{"RMSNorm", "512x768"},
	{"RMSNormBack", "512x96"},
	{"LayerNorm", "512x96"},
	{"LayerNormBack", "512x96"},
	{"SwiGLU", "512x256"},
	{"SwiGLUBack", "512x256"},
	{"GeGLU", "512x256"},
	{"GeGLUBack", "512x256"},
	{"GELUTanh", "512x256"},
	{"GELUErf", "512x256"},
	{"GELUErfBack", "512x256"},
	{"ReLU", "512x256"},
	{"Rotary of all channels", "512x8"},
	{"Rotary of all channels", "512x16"},
	{"Rotary of all channels", "512x32"},
	{"Embedding", "512x96"},
	{"EmbeddingBack", "512x96"},
	{"AdamW", "1024x1024"},
}

func BenchmarkRowKernels(b *testing.B) {
	defer SetWorkers(Workers())
	defer Use(Chosen())
	SetWorkers(1)
	for _, bench := range rowBenchmarks {
		for _, implementation := range Names() {
			if implementation == "generic" && testing.Short() {
				continue
			}
			b.Run(fmt.Sprintf("%s/%s/%s", bench.name, bench.shape, implementation), func(b *testing.B) {
				if err := Use(implementation); err != nil {
					b.Fatal(err)
				}
				benchmarkRow(b, bench.name, bench.shape)
			})
		}
	}
}

func benchmarkRow(b *testing.B, name, shape string) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var rows, c int
	if _, err := fmt.Sscanf(shape, "%dx%d", &rows, &c); err != nil {
		b.Fatal(err)
	}
	for _, rc := range rowCases {
		if rc.name != name {
			continue
		}
		in := rc.inputs(rows, c)
		elements := max(len(in[0]), len(in[len(in)-1]))
		calls := 1 + (1<<19)/max(1, elements) // enough for the clock of CPU time
		best := time.Hour
		for b.Loop() {
			start := cpuTime()
			for range calls {
				rc.run(in, rows, c)
			}
			best = min(best, cpuTime()-start)
		}
		b.ReportMetric(float64(best.Nanoseconds())/float64(calls*elements), "ns/element")
		b.ReportMetric(0, "ns/op")
		return
	}
	b.Fatalf("no case named %q", name)
}
