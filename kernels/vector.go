package kernels

import "slices"

// Add adds x to dst, element by element. It panics if lengths differ.
func Add(dst, x []float32) {
	mustFit(len(dst) == len(x), "Add")
	addPieces.run(len(x), grain, addCall{dst, x})
}

type addCall struct{ dst, x []float32 }

var addPieces = inPieces(func(a *addCall, from, to int) {
	adders.get()(a.dst[from:to], a.x[from:to])
})

var adders = implement(addGeneric)

func addGeneric(dst, x []float32) {
	for i, v := range x {
		dst[i] += v
	}
}

// Scale multiplies every element of x by s.
func Scale(x []float32, s float32) {
	scalePieces.run(len(x), grain, scaleCall{x, s})
}

type scaleCall struct {
	x []float32
	s float32
}

var scalePieces = inPieces(func(a *scaleCall, from, to int) { scaleRow(a.x[from:to], a.s) })

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
	biasPieces.run(rowsOf(len(dst), c, "AddBias"), rowsPerTask(c), addCall{dst, bias})
}

// biasPieces adds x to every row of dst.
var biasPieces = inPieces(func(a *addCall, from, to int) {
	add, c := adders.get(), len(a.x)
	for r := from; r < to; r++ {
		add(a.dst[r*c:(r+1)*c], a.x)
	}
})

// BiasBack adds the sum of each column of dy [t, c] to dbias [c], row after row
// for any number of workers: tasks divide the columns. It panics if lengths do
// not fit.
func BiasBack(dbias, dy []float32) {
	c := len(dbias)
	rows := rowsOf(len(dy), c, "BiasBack")
	biasBackPieces.run(c, columnsPerTask(rows, c), addCall{dbias, dy})
}

// biasBackPieces adds columns of every row of x to dst.
var biasBackPieces = inPieces(func(a *addCall, from, to int) {
	add, c := adders.get(), len(a.dst)
	for at := 0; at < len(a.x); at += c {
		add(a.dst[from:to], a.x[at+from:at+to])
	}
})

// sumChunk is how many elements SumSquares hands to one task.
const sumChunk = 1 << 15

// SumSquares returns the sum of the squares of x. Each piece of 32768 elements
// is summed in float64 over 16 lanes, and the pieces are added in order.
func SumSquares(x []float32) float64 {
	s := scratches.get()
	defer scratches.put(s)
	partial := s.doubles((len(x) + sumChunk - 1) / sumChunk)
	squarePieces.run(len(x), sumChunk, squareCall{partial, x})
	sum := 0.0
	for _, part := range partial {
		sum += part
	}
	return sum
}

type squareCall struct {
	partial []float64 // of each piece
	x       []float32
}

var squarePieces = inPieces(func(a *squareCall, from, to int) {
	a.partial[from/sumChunk] = squareSums.get()(a.x[from:to])
})

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
	s := scratches.get()
	defer scratches.put(s)
	partial := s.floats((len(x) + sumChunk - 1) / sumChunk)
	zeroPieces.run(len(x), sumChunk, zeroCall{partial, x})
	return !slices.ContainsFunc(partial, func(zero float32) bool { return zero != 0 })
}

type zeroCall struct{ partial, x []float32 }

var zeroPieces = inPieces(func(a *zeroCall, from, to int) {
	a.partial[from/sumChunk] = zeroSums.get()(a.x[from:to])
})

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
