package bench

import (
	"time"

	"plumb/kernels"
)

// Names of the limits.
const (
	PeakLimit   = "multiply-adds" // operations a second of float32
	MemoryLimit = "read memory"   // bytes a second
	CacheLimit  = "read cache"
)

// Sizes of what is read: several times the largest cache of most processors, and
// a part of the second-level cache of a core.
const (
	memoryBytes = 256 << 20
	cacheBytes  = 256 << 10
)

var limitsSection = section{
	name:   "limits",
	about:  "what a core can do: multiply-adds of the instruction set in use, bytes read from memory and from its cache",
	groups: func(r *runner, _ Shape) []group { return []group{r.limits()} },
}

func (r *runner) limits() group {
	g := group{section: "limits"}
	for _, workers := range r.counts() {
		g.limits = append(g.limits, limitKey{PeakLimit, workers}, limitKey{MemoryLimit, workers})
	}
	g.limits = append(g.limits, limitKey{CacheLimit, 1})
	g.costs = make([]float64, len(g.limits))
	g.open = func() ([]probe, func(), error) { return nil, func() {}, nil }
	return g
}

// A limitKey is a limit of so many cores together.
type limitKey struct {
	name    string
	workers int
}

// probe times the limit.
func (k limitKey) probe() probe {
	line := Line{Section: "limits", Name: k.name, Workers: k.workers, Unit: "B"}
	switch k.name {
	case PeakLimit:
		const rounds = 100_000
		kernels.SetWorkers(k.workers)
		line.Unit, line.Work = "FLOP", kernels.MultiplyAdds(1)*rounds
		return probe{Line: line, Task: task(k.workers, func() { kernels.MultiplyAdds(rounds) })}
	case MemoryLimit:
		line.Work = memoryBytes
	case CacheLimit:
		line.Work = cacheBytes
	}
	x := ones(int(line.Work) / 4)
	return probe{Line: line, Task: task(k.workers, func() { kernels.Read(x) })}
}

// Lengths of a repetition. The system brings the processor time of threads that
// run beside the one that asks up to date only every few milliseconds.
const (
	shortestAlone    = 10 * time.Millisecond
	shortestTogether = 60 * time.Millisecond
)

// on returns do as a task on so many workers.
func on(workers int, do func() error) Task {
	t := Task{Before: func() { kernels.SetWorkers(workers) }, Do: do, Shortest: shortestAlone}
	if workers > 1 {
		t.Shortest = shortestTogether
	}
	return t
}

// task is what never fails, on so many workers.
func task(workers int, do func()) Task {
	return on(workers, func() error { do(); return nil })
}

// ones returns n numbers whose memory is there.
func ones(n int) []float32 {
	x := make([]float32, n)
	for i := range x {
		x[i] = 1
	}
	return x
}
