package kernels

import "slices"

// Add adds x to dst, element by element. It panics if lengths differ.
func Add(dst, x []float32) {
	mustFit(len(dst) == len(x), "Add")
	add := adders.get()
	inChunks(len(x), grain, func(from, to int) { add(dst[from:to], x[from:to]) })
}

var adders = implement(addGeneric)

func addGeneric(dst, x []float32) {
	for i, v := range x {
		dst[i] += v
	}
}

// Scale multiplies every element of x by s.
func Scale(x []float32, s float32) {
	inChunks(len(x), grain, func(from, to int) { scaleRow(x[from:to], s) })
}

// scaleRow multiplies x by s on this goroutine.
func scaleRow(x []float32, s float32) { scalers.get()(x, s) }

var scalers = implement(scaleGeneric)

func scaleGeneric(x []float32, s float32) {
	for i := range x {
		x[i] *= s
	}
}

// AddBias adds bias [c] to every row of dst [t, c]; t is len(dst)/len(bias). It
// panics if lengths do not fit.
func AddBias(dst, bias []float32) {
	c := len(bias)
	add := adders.get()
	inChunks(rowsOf(len(dst), c, "AddBias"), rowsPerTask(c), func(from, to int) {
		for r := from; r < to; r++ {
			add(dst[r*c:(r+1)*c], bias)
		}
	})
}

// BiasBack adds the sum of each column of dy [t, c] to dbias [c], row after row
// for any number of workers: tasks divide the columns. It panics if lengths do
// not fit.
func BiasBack(dbias, dy []float32) {
	c := len(dbias)
	rows := rowsOf(len(dy), c, "BiasBack")
	add := adders.get()
	inChunks(c, columnsPerTask(rows, c), func(from, to int) {
		for r := range rows {
			add(dbias[from:to], dy[r*c+from:r*c+to])
		}
	})
}

// sumChunk is how many elements SumSquares hands to one task.
const sumChunk = 1 << 15

// SumSquares returns the sum of the squares of x. Each piece of 32768 elements
// is summed in float64 over 16 lanes, and the pieces are added in order.
func SumSquares(x []float32) float64 {
	s := scratches.Get().(*scratch)
	defer scratches.Put(s)
	partial := s.doubles((len(x) + sumChunk - 1) / sumChunk)
	inChunks(len(x), sumChunk, func(from, to int) {
		partial[from/sumChunk] = squareSums.get()(x[from:to])
	})
	sum := 0.0
	for _, part := range partial {
		sum += part
	}
	return sum
}

var squareSums = implement(sumSquaresGeneric)

func sumSquaresGeneric(x []float32) float64 {
	var sum [lanes]float64
	for i, v := range x {
		sum[i%lanes] += float64(v) * float64(v) // the product is exact, so fusing it changes nothing
	}
	return foldSum64(&sum)
}

// AllFinite says that x has neither a NaN nor an infinity.
func AllFinite(x []float32) bool {
	s := scratches.Get().(*scratch)
	defer scratches.Put(s)
	partial := s.floats((len(x) + sumChunk - 1) / sumChunk)
	inChunks(len(x), sumChunk, func(from, to int) {
		partial[from/sumChunk] = zeroSums.get()(x[from:to])
	})
	return !slices.ContainsFunc(partial, func(zero float32) bool { return zero != 0 })
}

var zeroSums = implement(sumZeroGeneric)

// sumZeroGeneric returns the sum of x[i]·0, which is 0 if all of x is finite and
// NaN if not.
func sumZeroGeneric(x []float32) float32 {
	var sum float32
	for _, v := range x {
		sum += float32(v * 0)
	}
	return sum
}
