package kernels

// Below capSeries, the square of u, tanh(u)/u is its Taylor series up to u¹⁰,
// whose relative error there is below 1e-8; above it no digits cancel.
const capSeries = 0.125

// capPoly are the coefficients of tanh(u)/u in u², highest power first.
var capPoly = [6]float32{-0.008863235529902197, 0.021869488536155203, -0.05396825396825397,
	0.13333333333333333, -0.3333333333333333, 1}

// SoftCap bends x, element by element and in place, so that it stays within
// ±limit (Gemma 2, arXiv 2408.00118, section 2):
//
//	x = limit·tanh(x/limit)
//
// It panics unless limit is above 0.
func SoftCap(x []float32, limit float32) {
	mustFit(limit > 0, "SoftCap")
	softCapPieces.run(len(x), activationChunk, softCapCall{x, limit})
}

type softCapCall struct {
	x     []float32
	limit float32
}

var softCapPieces = inPieces(func(a *softCapCall, from, to int) {
	softCaps.get()(a.x[from:to], a.limit, 1/a.limit)
})

var softCaps = implement(softCapGeneric)

func softCapGeneric(x []float32, limit, inverse float32) {
	for i, v := range x {
		u := float32(v * inverse)
		square := float32(u * u)
		if square < capSeries {
			p := capPoly[0]
			for _, c := range capPoly[1:] {
				p = fma32(p, square, c)
			}
			x[i] = v * p
			continue
		}
		s := 1 / (1 + exp32(float32(-2*u)))
		x[i] = fma32(s, 2, -1) * limit
	}
}

// SoftCapBack multiplies dy by the slope of SoftCap where it gave y:
// 1 - (y/limit)². It panics if lengths differ or limit is not above 0.
func SoftCapBack(dy, y []float32, limit float32) {
	mustFit(len(dy) == len(y) && limit > 0, "SoftCapBack")
	softCapBackPieces.run(len(y), activationChunk, softCapBackCall{dy, y, limit})
}

type softCapBackCall struct {
	dy, y []float32
	limit float32
}

var softCapBackPieces = inPieces(func(a *softCapBackCall, from, to int) {
	softCapBacks.get()(a.dy[from:to], a.y[from:to], 1/a.limit)
})

var softCapBacks = implement(softCapBackGeneric)

func softCapBackGeneric(dy, y []float32, inverse float32) {
	for i, v := range y {
		u := float32(v * inverse)
		dy[i] *= fma32(-u, u, 1)
	}
}
