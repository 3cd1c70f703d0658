package kernels

import (
	"math"
	"runtime"
	"sync/atomic"
)

// Peak measures how many float32 operations per second one core can do with
// the implementation in use: a fused multiply-add counts two. It is the best
// of several runs of a loop of nothing else, in CPU time of the thread where
// the system tells it, and takes about 10 ms.
func Peak() float64 {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	const rounds = 20_000
	best := 0.0
	for range 50 {
		start := cpuTime()
		operations := peakKernel.get()(rounds)
		if took := cpuTime() - start; took > 0 {
			best = max(best, operations/took.Seconds())
		}
	}
	return best
}

// A peakLoop runs rounds of 4 times peakChains multiply-adds of a vector.
type peakLoop func(rounds int)

const peakChains = 12

// peakKernel returns the number of operations done.
var peakKernel = &peakTable{implement[peakLoop](nil)}

type peakTable struct{ loops *perISA[peakLoop] }

func (p *peakTable) add(i isa, f peakLoop) { p.loops.add(i, f) }

func (p *peakTable) get() func(rounds int) float64 {
	loop, lanes := p.loops.get(), shapes[current()].lanes
	if loop == nil {
		return peakGeneric
	}
	return func(rounds int) float64 {
		loop(rounds)
		return float64(rounds * 4 * peakChains * lanes * 2)
	}
}

// peakGeneric times the emulated multiply-add of plain Go.
func peakGeneric(rounds int) float64 {
	var sums [peakChains]float32
	for i := range rounds {
		sums[i%peakChains] = fma32(float32(i), 1.25, sums[i%peakChains])
	}
	peakResult.Store(math.Float32bits(sums[rounds%peakChains]))
	return float64(2 * rounds)
}

// peakResult keeps the loop from being left out.
var peakResult atomic.Uint32
