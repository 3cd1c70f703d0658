package main

import "math"

// This file extends the back end by what the row kernels share: loads with a
// filling, constants as operands, folds of 16 lanes into one number, and
// arithmetic on such single numbers, which live in lane 0 of a wide vector.

// floats is a parameter that is a slice of float32.
func floats(name string) Param { return Param{name, "[]float32"} }

// first is the first native vector of w, whose lane 0 is a single number.
func (a *Asm) first(w W) int { return w.natives(a.T.Parts())[0] }

// Slices loads the addresses of slice parameters into R(0), R(1), ...
func (a *Asm) Slices(names ...string) []Reg {
	var pointers []Reg
	for i, name := range names {
		a.Arg(R(i), name+"_base")
		pointers = append(pointers, R(i))
	}
	return pointers
}

// LoadOr is LoadPart with the lanes beyond a tail taken from fill.
func (a *Asm) LoadOr(dst W, m Mem, fill W, tail bool) {
	if !tail {
		a.Load(dst, m)
		return
	}
	switch a.T.Name {
	case "avx512":
		a.Copy(dst, fill)
		a.Ins("VMOVUPS %s, K1, Z%d", a.address(m), a.first(dst))
	case "avx2":
		a.each(func(part int, r []int) {
			a.Ins("VMOVUPS %d(R13)(R12*4), Y15", 64+32*part)
			a.Ins("VMASKMOVPS %s, Y15, Y%d", a.address(m.plus(32*part)), r[0])
			a.Ins("VBLENDVPS Y15, Y%d, Y%d, Y%d", r[0], r[1], r[0])
		}, dst, fill)
	default:
		a.Copy(dst, fill)
		a.lanes(dst, func(element, r, lane int) {
			a.Ins("MOVWU %s, R17", a.resolve(m, 4*element))
			a.Ins("VMOV R17, V%d.S[%d]", r, lane)
		})
	}
}

// RowLoop runs body for every 16 of the n elements of a row and for what is
// left, with index counting elements from 0. n keeps its value, left is used up.
func (a *Asm) RowLoop(n, left, index Reg, body func(tail bool)) {
	a.Move(left, n)
	a.SetImm(index, 0)
	a.Loop16(left, nil, func(tail bool) {
		body(tail)
		if !tail {
			a.AddImm(index, 16)
		}
	})
}

// Elem is the address of the float32 that index counts from base.
func Elem(base, index Reg) Mem { return Mem{Base: base, Index: index, Scale: 4} }

// withConst sets dst = x op c, or c op x where constFirst is set.
func (a *Asm) withConst(amd64 string, arm64 uint32, dst, x Vec, c float32, constFirst bool) {
	s := a.operand(c)
	a.each(func(_ int, r []int) {
		lhs, rhs := r[1], s
		if constFirst {
			lhs, rhs = s, r[1]
		}
		a.three(amd64, arm64, N(r[0]), N(lhs), N(rhs))
	}, dst, x)
}

// AddConst sets dst = x + c.
func (a *Asm) AddConst(dst, x Vec, c float32) { a.withConst("VADDPS", 0x4E20D400, dst, x, c, false) }

// MulConst sets dst = x·c.
func (a *Asm) MulConst(dst, x Vec, c float32) { a.withConst("VMULPS", 0x6E20DC00, dst, x, c, false) }

// SubConst sets dst = x - c.
func (a *Asm) SubConst(dst, x Vec, c float32) { a.withConst("VSUBPS", 0x4EA0D400, dst, x, c, false) }

// ConstSub sets dst = c - x.
func (a *Asm) ConstSub(dst, x Vec, c float32) { a.withConst("VSUBPS", 0x4EA0D400, dst, x, c, true) }

// ConstDiv sets dst = c / x.
func (a *Asm) ConstDiv(dst, x Vec, c float32) { a.withConst("VDIVPS", 0x6E20FC00, dst, x, c, true) }

// Clamp limits x to low and high; NaN stays. FMAX and FMIN of NEON keep NaN by
// themselves, those of amd64 return their second operand.
func (a *Asm) Clamp(x Vec, low, high float32) {
	a.withConst("VMAXPS", 0x4E20F400, x, x, low, true)
	a.withConst("VMINPS", 0x4EA0F400, x, x, high, true)
}

// FnmaConst sets acc = acc - x·c, rounded once.
func (a *Asm) FnmaConst(acc, x Vec, c float32) {
	s := a.operand(c)
	a.each(func(_ int, r []int) { a.Fnma(N(r[0]), N(r[1]), N(s)) }, acc, x)
}

// MulConstAddConst sets x = x·factor + addend, rounded once.
func (a *Asm) MulConstAddConst(x Vec, factor, addend float32) {
	s, ok := a.pinned[math.Float32bits(factor)]
	if !ok {
		s = map[string]int{"avx512": 16, "avx2": 14, "neon": 29}[a.T.Name] // not the scratch of MulAddConst
		a.Const(N(s), factor)
	}
	a.each(func(_ int, r []int) { a.MulAddConst(N(r[0]), N(s), addend) }, x)
}

// Fold adds the 16 lanes of w pairwise, 8, 4, 2 and 1 apart, into lane 0.
func (a *Asm) Fold(w W) {
	a.fold(w, func(dst, x, y int) { a.Add(N(dst), N(x), N(y)) }, "VADDPS")
	a.scalarConst("ADD", w, w, 0) // a sum of zeros is +0 whatever their signs
}

// FoldMax leaves the largest lane in lane 0. No lane may be NaN.
func (a *Asm) FoldMax(w W) {
	a.fold(w, func(dst, x, y int) { a.Max(N(dst), N(x), N(y)) }, "VMAXPS")
	a.scalarConst("ADD", w, w, 0)
}

func (a *Asm) fold(w W, op func(dst, x, y int), amd64 string) {
	r := w.natives(a.T.Parts())
	for half := len(r) / 2; half > 0; half /= 2 {
		for i := range half {
			op(r[i], r[i], r[i+half])
		}
	}
	v, s := r[0], a.scratch()
	switch a.T.Name {
	case "avx512":
		a.Ins("VEXTRACTF64X4 $1, Z%d, Y%d", v, s)
		a.Ins("%s Y%d, Y%d, Y%d", amd64, s, v, v)
		a.Ins("VEXTRACTF32X4 $1, Y%d, X%d", v, s)
		a.Ins("%s X%d, X%d, X%d", amd64, s, v, v)
	case "avx2":
		a.Ins("VEXTRACTF128 $1, Y%d, X%d", v, s)
		a.Ins("%s X%d, X%d, X%d", amd64, s, v, v)
	}
	for _, step := range []struct{ shuffle, bytes int }{{0x0E, 8}, {0x01, 4}} { // lanes 2 apart, then 1
		if a.amd64() {
			a.Ins("VPSHUFD $%d, X%d, X%d", step.shuffle, v, s)
			a.Ins("%s X%d, X%d, X%d", amd64, s, v, v)
			continue
		}
		a.Ins("VEXT $%d, V%d.B16, V%d.B16, V30.B16", step.bytes, v, v)
		op(v, v, 30)
	}
}

// Fold64 adds the 16 float64 lanes that lo and hi hold, as Widen places them,
// into lane 0 of lo.
func (a *Asm) Fold64(lo, hi W) {
	a.Add64(lo, lo, hi)
	r := lo.natives(a.T.Parts())
	for half := len(r) / 2; half > 0; half /= 2 {
		for i := range half {
			a.Add64(N(r[i]), N(r[i]), N(r[i+half]))
		}
	}
	v, s := r[0], a.scratch()
	switch a.T.Name {
	case "avx512":
		a.Ins("VEXTRACTF64X4 $1, Z%d, Y%d", v, s)
		a.Ins("VADDPD Y%d, Y%d, Y%d", s, v, v)
		a.Ins("VEXTRACTF32X4 $1, Y%d, X%d", v, s)
		a.Ins("VADDPD X%d, X%d, X%d", s, v, v)
	case "avx2":
		a.Ins("VEXTRACTF128 $1, Y%d, X%d", v, s)
		a.Ins("VADDPD X%d, X%d, X%d", s, v, v)
	}
	if a.amd64() {
		a.Ins("VPSHUFD $%d, X%d, X%d", 0x0E, v, s)
		a.Ins("VADDSD X%d, X%d, X%d", s, v, v)
		return
	}
	a.Ins("VEXT $8, V%d.B16, V%d.B16, V30.B16", v, v)
	a.Add64(N(v), N(v), N(30))
}

// Scalar sets lane 0: dst = x op y, where op is ADD, SUB, MUL or DIV.
func (a *Asm) Scalar(op string, dst, x, y W) { a.scalar(op, a.first(dst), a.first(x), a.first(y)) }

func (a *Asm) scalar(op string, dst, x, y int) {
	if a.amd64() {
		a.Ins("V%sSS X%d, X%d, X%d", op, y, x, dst)
	} else {
		a.Ins("F%sS F%d, F%d, F%d", op, y, x, dst)
	}
}

// scalarConst sets lane 0: dst = x op c.
func (a *Asm) scalarConst(op string, dst, x W, c float32) {
	s := a.scratch()
	a.ConstBits(N(s), math.Float32bits(c))
	a.scalar(op, a.first(dst), a.first(x), s)
}

// ScalarInverseRoot sets lane 0 of w to 1/√w.
func (a *Asm) ScalarInverseRoot(w W) {
	v, s := a.first(w), a.scratch()
	if a.amd64() {
		a.Ins("VSQRTSS X%d, X%d, X%d", v, v, v)
	} else {
		a.Ins("FSQRTS F%d, F%d", v, v)
	}
	a.Const(N(s), 1)
	a.scalar("DIV", v, s, v)
}

// ScalarFromInt sets lane 0 of dst to n as float32.
func (a *Asm) ScalarFromInt(dst W, n Reg) {
	v := a.first(dst)
	if a.amd64() {
		a.Ins("VCVTSI2SSQ %s, X%d, X%d", a.Reg(n), v, v)
	} else {
		a.Ins("SCVTFS %s, F%d", a.Reg(n), v)
	}
}

// ScalarArg sets lane 0 of dst to a float32 parameter.
func (a *Asm) ScalarArg(dst W, name string) {
	if a.amd64() {
		a.Ins("VMOVSS %s, X%d", a.arg(name), a.first(dst))
	} else {
		a.Ins("FMOVS %s, F%d", a.arg(name), a.first(dst))
	}
}

// Spread copies lane 0 of src to all lanes of dst.
func (a *Asm) Spread(dst, src W) {
	v := a.first(src)
	if !a.amd64() { // the first part of dst may be v, so keep lane 0
		a.Ins("VMOV V%d.S[0], R17", v)
		a.duplicate(dst)
		return
	}
	for _, r := range dst.natives(a.T.Parts()) {
		if r != v {
			a.Ins("VBROADCASTSS X%d, %s", v, a.reg(r))
		}
	}
	if a.first(dst) == v {
		a.Ins("VBROADCASTSS X%d, %s", v, a.reg(v))
	}
}

// Result stores lane 0 of w as the float32 result.
func (a *Asm) Result(w W) {
	if a.amd64() {
		a.Ins("VMOVSS X%d, %s", a.first(w), a.arg("ret"))
	} else {
		a.Ins("FMOVS F%d, %s", a.first(w), a.arg("ret"))
	}
}

// Result64 stores lane 0 of w as the float64 result.
func (a *Asm) Result64(w W) {
	if a.amd64() {
		a.Ins("VMOVSD X%d, %s", a.first(w), a.arg("ret"))
	} else {
		a.Ins("FMOVD F%d, %s", a.first(w), a.arg("ret"))
	}
}
