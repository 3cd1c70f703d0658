package kernels

// Constants of the activations.
const (
	geluTwice = 0x1.988454p+0 // 2·sqrt(2/pi)
	geluCubic = 0x1.6e4e26p-5 // 0.044715 (Hendrycks and Gimpel 2016)
	geluSlope = 0x1.12ba9cp-3 // 3·0.044715
	normPeak  = 0x1.988454p-2 // 1/sqrt(2·pi)
	tailStep  = 0x1.666666p-2 // 0.35, see normalCDF
)

// tailPoly are the coefficients, highest power first, of normalCDF's
// polynomial: a Chebyshev fit, rounded to float32, relative error 4.4e-8.
var tailPoly = [9]float32{
	-0.02955867163836956, 0.14598526060581207, -0.2598673701286316,
	0.1638842076063156, -0.02630685083568096, 0.10683098435401917,
	0.11950867623090744, 0.1399046629667282, 0.13961908221244812,
}

// sigmoid returns 1/(1+exp(-x)).
func sigmoid(x float32) float32 { return 1 / (1 + exp32(-x)) }

// geluShare returns the share of x that GELU's tanh form lets through,
// (1+tanh(u))/2 with u = sqrt(2/pi)·(x + 0.044715·x³). It is sigmoid(2u), which
// loses no digits where tanh(u) nears -1.
func geluShare(x float32) float32 {
	inner := fma32(float32(geluCubic*float32(x*x)), x, x)
	return sigmoid(geluTwice * inner)
}

// geluShareSlope returns d(2u)/dx for geluShare's u.
func geluShareSlope(x float32) float32 {
	return geluTwice * fma32(geluSlope, float32(x*x), 1)
}

// normalCDF returns the share of a standard normal distribution below x, which
// is (1+erf(x/√2))/2, and exp(-x²/2). The tail below -|x| is exp(-x²/2)·t·P(t)
// with t = 1/(1+0.35|x|), a polynomial P of degree 8.
func normalCDF(x float32) (share, bell float32) {
	size := x
	if size < 0 {
		size = -size
	}
	t := 1 / fma32(tailStep, size, 1)
	bell = exp32(float32(-0.5*x) * x)
	p := tailPoly[0]
	for _, coefficient := range tailPoly[1:] {
		p = fma32(p, t, coefficient)
	}
	tail := float32(float32(bell*t) * p)
	if x > 0 {
		return 1 - tail, bell
	}
	return tail, bell
}

// SwiGLU gates up with the SiLU of gate, element by element (Shazeer 2020):
//
//	dst = gate·sigmoid(gate)·up
//
// dst may be gate or up. SwiGLU panics if lengths differ.
func SwiGLU(dst, gate, up []float32) { gated(swiGLUs, dst, gate, up, "SwiGLU") }

var swiGLUs = implement(swiGLUGeneric)

func swiGLUGeneric(dst, gate, up []float32) {
	for i, g := range gate {
		dst[i] = float32(g*sigmoid(g)) * up[i]
	}
}

// SwiGLUBack stores what SwiGLU gives, which nobody has to keep for the backward pass
// then, and the gradients of its inputs: with s = sigmoid(gate),
//
//	dst = gate·s·up;  dup = dy·gate·s;  dgate = dy·up·s·(1 + gate·(1-s))
//
// Outputs may be inputs of the same call. It panics if lengths differ.
func SwiGLUBack(dst, dgate, dup, dy, gate, up []float32) {
	gatedBack(swiGLUBacks, dst, dgate, dup, dy, gate, up, "SwiGLUBack")
}

var swiGLUBacks = implement(swiGLUBackGeneric)

func swiGLUBackGeneric(dst, dgate, dup, dy, gate, up []float32) {
	for i, g := range gate {
		s, d, u := sigmoid(g), dy[i], up[i]
		slope := s * fma32(g, float32(1-s), 1)
		dst[i], dgate[i], dup[i] = float32(g*s)*u, float32(d*u)*slope, d*float32(g*s)
	}
}

// GeGLU gates up with the GELU (tanh form) of gate, element by element:
//
//	dst = gelu(gate)·up
//
// dst may be gate or up. GeGLU panics if lengths differ.
func GeGLU(dst, gate, up []float32) { gated(geGLUs, dst, gate, up, "GeGLU") }

var geGLUs = implement(geGLUGeneric)

func geGLUGeneric(dst, gate, up []float32) {
	for i, g := range gate {
		dst[i] = float32(g*geluShare(g)) * up[i]
	}
}

// GeGLUBack stores what GeGLU gives and the gradients of its inputs. Outputs may be
// inputs of the same call. It panics if lengths differ.
func GeGLUBack(dst, dgate, dup, dy, gate, up []float32) {
	gatedBack(geGLUBacks, dst, dgate, dup, dy, gate, up, "GeGLUBack")
}

var geGLUBacks = implement(geGLUBackGeneric)

func geGLUBackGeneric(dst, dgate, dup, dy, gate, up []float32) {
	for i, g := range gate {
		s, d, u := geluShare(g), dy[i], up[i]
		dst[i], dgate[i], dup[i] = float32(g*s)*u, float32(d*u)*geluSlopeAt(g, s), d*float32(g*s)
	}
}

// geluSlopeAt is the derivative of x·s where s = geluShare(x):
// s + x·(s-s²)·d(2u)/dx.
func geluSlopeAt(x, s float32) float32 {
	return fma32(float32(x*fma32(-s, s, s)), geluShareSlope(x), s)
}

// GELUTanh is the tanh form of GELU, element by element:
//
//	dst = x·(1 + tanh(sqrt(2/pi)·(x + 0.044715·x³))) / 2
//
// dst may be x. It panics if lengths differ.
func GELUTanh(dst, x []float32) { plain(geluTanhs, dst, x, "GELUTanh") }

var geluTanhs = implement(geluTanhGeneric)

func geluTanhGeneric(dst, x []float32) {
	for i, v := range x {
		dst[i] = v * geluShare(v)
	}
}

// GELUTanhBack stores dy times the derivative of GELUTanh at x. dx may be dy or
// x. It panics if lengths differ.
func GELUTanhBack(dx, dy, x []float32) { plainBack(geluTanhBacks, dx, dy, x, "GELUTanhBack") }

var geluTanhBacks = implement(geluTanhBackGeneric)

func geluTanhBackGeneric(dx, dy, x []float32) {
	for i, v := range x {
		dx[i] = dy[i] * geluSlopeAt(v, geluShare(v))
	}
}

// GELUErf is GELU itself, element by element: dst = x·(1 + erf(x/√2)) / 2. Its
// error is below 2.5e-7 of |x|. dst may be x. It panics if lengths differ.
func GELUErf(dst, x []float32) { plain(geluErfs, dst, x, "GELUErf") }

var geluErfs = implement(geluErfGeneric)

func geluErfGeneric(dst, x []float32) {
	for i, v := range x {
		share, _ := normalCDF(v)
		dst[i] = v * share
	}
}

// GELUErfBack stores dy times the derivative of GELUErf at x. dx may be dy or x.
// It panics if lengths differ.
func GELUErfBack(dx, dy, x []float32) { plainBack(geluErfBacks, dx, dy, x, "GELUErfBack") }

var geluErfBacks = implement(geluErfBackGeneric)

func geluErfBackGeneric(dx, dy, x []float32) {
	for i, v := range x {
		share, bell := normalCDF(v)
		dx[i] = dy[i] * fma32(float32(normPeak*v), bell, share)
	}
}

// ReLU is dst = max(x, 0), element by element; NaN stays NaN. dst may be x. It
// panics if lengths differ.
func ReLU(dst, x []float32) { plain(relus, dst, x, "ReLU") }

var relus = implement(reluGeneric)

func reluGeneric(dst, x []float32) {
	for i, v := range x {
		if v <= 0 {
			v = 0
		}
		dst[i] = v
	}
}

// ReLUBack stores dy where x > 0 and 0 elsewhere. dx may be dy or x. It panics
// if lengths differ.
func ReLUBack(dx, dy, x []float32) { plainBack(reluBacks, dx, dy, x, "ReLUBack") }

var reluBacks = implement(reluBackGeneric)

func reluBackGeneric(dx, dy, x []float32) {
	for i, v := range x {
		if d := dy[i]; v > 0 {
			dx[i] = d
		} else {
			dx[i] = 0
		}
	}
}

type (
	gatedFunc     = func(dst, gate, up []float32)
	gatedBackFunc = func(dst, dgate, dup, dy, gate, up []float32)
	plainFunc     = func(dst, x []float32)
	plainBackFunc = func(dx, dy, x []float32)
)

// activationChunk is how many elements one task of an activation handles.
const activationChunk = grain

func gated(versions *perISA[gatedFunc], dst, gate, up []float32, kernel string) {
	mustFit(len(gate) == len(dst) && len(up) == len(dst), kernel)
	gatedPieces.run(len(dst), activationChunk, gatedCall{versions.get(), dst, gate, up})
}

type gatedCall struct {
	f             gatedFunc
	dst, gate, up []float32
}

var gatedPieces = inPieces(func(a *gatedCall, i, j int) { a.f(a.dst[i:j], a.gate[i:j], a.up[i:j]) })

func gatedBack(versions *perISA[gatedBackFunc], dst, dgate, dup, dy, gate, up []float32, kernel string) {
	n := len(dy)
	mustFit(len(dst) == n && len(dgate) == n && len(dup) == n && len(gate) == n && len(up) == n, kernel)
	gatedBackPieces.run(n, activationChunk, gatedBackCall{versions.get(), dst, dgate, dup, dy, gate, up})
}

type gatedBackCall struct {
	f                             gatedBackFunc
	dst, dgate, dup, dy, gate, up []float32
}

var gatedBackPieces = inPieces(func(a *gatedBackCall, i, j int) {
	a.f(a.dst[i:j], a.dgate[i:j], a.dup[i:j], a.dy[i:j], a.gate[i:j], a.up[i:j])
})

func plain(versions *perISA[plainFunc], dst, x []float32, kernel string) {
	mustFit(len(dst) == len(x), kernel)
	plainPieces.run(len(x), activationChunk, plainCall{versions.get(), dst, x})
}

type plainCall struct {
	f      plainFunc
	dst, x []float32
}

var plainPieces = inPieces(func(a *plainCall, i, j int) { a.f(a.dst[i:j], a.x[i:j]) })

func plainBack(versions *perISA[plainBackFunc], dx, dy, x []float32, kernel string) {
	mustFit(len(dx) == len(x) && len(dy) == len(x), kernel)
	plainBackPieces.run(len(x), activationChunk, plainBackCall{versions.get(), dx, dy, x})
}

type plainBackCall struct {
	f         plainBackFunc
	dx, dy, x []float32
}

var plainBackPieces = inPieces(func(a *plainBackCall, i, j int) { a.f(a.dx[i:j], a.dy[i:j], a.x[i:j]) })
