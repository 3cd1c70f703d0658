package kernels

import (
	"math"
	"sync/atomic"
)

// readBlock is what len(x) of Read must be a multiple of.
const readBlock = 128

// readChunk is how many elements Read hands to one task, 1 MiB.
const readChunk = 1 << 18

// Read loads every element of x once and forgets it: what it takes is the time
// that memory, or the cache that x lies in, needs to deliver x. It panics if
// len(x) is no multiple of 128.
func Read(x []float32) {
	mustFit(len(x)%readBlock == 0, "Read")
	readPieces.run(len(x), readChunk, readCall{x})
}

type readCall struct{ x []float32 }

var readPieces = inPieces(func(a *readCall, from, to int) { readers.get()(a.x[from:to]) })

var readers = implement(readGeneric)

// readResult keeps the loop from being left out.
var readResult atomic.Uint32

func readGeneric(x []float32) {
	var joined [8]uint32
	for ; len(x) >= len(joined); x = x[len(joined):] {
		for i := range joined {
			joined[i] |= math.Float32bits(x[i])
		}
	}
	readResult.Store(joined[0] | joined[1] | joined[2] | joined[3] | joined[4] | joined[5] | joined[6] | joined[7])
}

// MultiplyAdds runs the loop of Peak for rounds on each worker and returns the
// number of operations that all of them did: a multiply-add counts two.
func MultiplyAdds(rounds int) (operations float64) {
	workers := Workers()
	done := make([]float64, workers)
	run := peakKernel.get()
	parallel(workers, func(task int) { done[task] = run(rounds) })
	for _, n := range done {
		operations += n
	}
	return operations
}
