package kernels

import (
	"fmt"
	"runtime"
	"sync"
	"testing"
	"time"
)

var peakOnce = sync.OnceValue(Peak)

// reportShare runs f with one worker and reports its speed in CPU time: the
// best of b.N runs, in operations per second and as a share of the peak.
func reportShare(b *testing.B, operations int, f func()) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	withWorkers(1, func() {
		f()
		best := time.Hour
		for b.Loop() {
			start := cpuTime()
			f()
			best = min(best, cpuTime()-start)
		}
		speed := float64(operations) / best.Seconds()
		b.ReportMetric(speed/1e9, "GF/s")
		b.ReportMetric(100*speed/peakOnce(), "%peak")
		b.ReportMetric(0, "ns/op")
	})
}

// attentionOperations counts the products of one causal pass forward, without
// what a block computes beyond the diagonal.
func attentionOperations(h Heads, batch, t int) int {
	return batch * h.Query * t * (t + 1) / 2 * 4 * h.Dim
}

func BenchmarkAttention(b *testing.B) {
	for _, s := range []struct {
		h        Heads
		batch, t int
	}{
		{Heads{Query: 6, KV: 2, Dim: 16, Scale: 0.25}, 8, 256}, {Heads{Query: 4, KV: 2, Dim: 32, Scale: 0.17}, 8, 256}, {Heads{Query: 3, KV: 3, Dim: 32, Scale: 0.17}, 8, 128}, {Heads{Query: 4, KV: 4, Dim: 64, Scale: 0.125}, 1, 1024},
	} {
		c := newAttentionCase(s.h, s.batch, s.t, 1)
		c.run()
		operations := attentionOperations(s.h, s.batch, s.t)
		name := fmt.Sprintf("h%dg%dd%d/%dx%d", s.h.Query, s.h.KV, s.h.Dim, s.batch, s.t)
		b.Run("Forward/"+name, func(b *testing.B) {
			reportShare(b, operations, func() { AttentionBatch(c.out, c.lse, c.q, c.k, c.v, c.h, c.batch, c.t) })
		})
		b.Run("Backward/"+name, func(b *testing.B) {
			reportShare(b, operations*5/2, func() {
				AttentionBackBatch(c.dq, c.dk, c.dv, c.dout, c.q, c.k, c.v, c.out, c.lse, c.h, c.batch, c.t)
			})
		})
	}
}

// reportBandwidth runs f with one worker and reports, in CPU time and the best of
// b.N runs, how fast it goes through bytes of weights, and as a share of how fast
// as many bytes are merely read in between.
func reportBandwidth(b *testing.B, bytes int, f func()) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	memory := make([]float32, bytes/4/readBlock*readBlock)
	withWorkers(1, func() {
		f()
		best, reading := time.Hour, time.Hour
		for b.Loop() {
			start := cpuTime()
			f()
			middle := cpuTime()
			Read(memory)
			best, reading = min(best, middle-start), min(reading, cpuTime()-middle)
		}
		b.ReportMetric(float64(bytes)/best.Seconds()/1e9, "GB/s")
		b.ReportMetric(100*reading.Seconds()/best.Seconds(), "%bandwidth")
		b.ReportMetric(0, "ns/op")
	})
}

func BenchmarkDivergence(b *testing.B) {
	const rows, v = 64, 50257
	student, teacher, dlogits := random(1, rows*v, 1), random(2, rows*v, 1), make([]float32, rows*v)
	targets, losses := make([]int32, rows), make([]float64, rows)
	for b.Loop() {
		Divergence(dlogits, losses, student, teacher, targets, 2, 1)
	}
	b.ReportMetric(float64(b.N)*rows*v/b.Elapsed().Seconds()/1e6, "Mlogits/s")
}
