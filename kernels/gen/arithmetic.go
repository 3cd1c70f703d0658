package main

// word writes a NEON instruction with registers m, n and d as the architecture names them.
func (a *Asm) word(op uint32, d, n, m int) {
	a.Ins("WORD $0x%08X", op|uint32(m)<<16|uint32(n)<<5|uint32(d))
}

// three writes dst = x op y.
func (a *Asm) three(amd64 string, arm64 uint32, dst, x, y Vec) {
	a.each(func(_ int, r []int) {
		if a.amd64() {
			a.Ins("%s %s, %s, %s", amd64, a.reg(r[2]), a.reg(r[1]), a.reg(r[0]))
		} else {
			a.word(arm64, r[0], r[1], r[2])
		}
	}, dst, x, y)
}

// two writes dst = op x.
func (a *Asm) two(amd64 string, arm64 uint32, dst, x Vec) {
	a.each(func(_ int, r []int) {
		if a.amd64() {
			a.Ins("%s %s, %s", amd64, a.reg(r[1]), a.reg(r[0]))
		} else {
			a.word(arm64, r[0], r[1], 0)
		}
	}, dst, x)
}

// Add sets dst = x + y in float32. Here and below dst may be an operand.
func (a *Asm) Add(dst, x, y Vec) { a.three("VADDPS", 0x4E20D400, dst, x, y) }

// Sub sets dst = x - y.
func (a *Asm) Sub(dst, x, y Vec) { a.three("VSUBPS", 0x4EA0D400, dst, x, y) }

// Mul sets dst = x·y.
func (a *Asm) Mul(dst, x, y Vec) { a.three("VMULPS", 0x6E20DC00, dst, x, y) }

// Div sets dst = x / y.
func (a *Asm) Div(dst, x, y Vec) { a.three("VDIVPS", 0x6E20FC00, dst, x, y) }

// Sqrt sets dst to the square root of x.
func (a *Asm) Sqrt(dst, x Vec) { a.two("VSQRTPS", 0x6EA1F800, dst, x) }

// Fma adds x·y to acc, rounded once.
func (a *Asm) Fma(acc, x, y Vec) { a.three("VFMADD231PS", 0x4E20CC00, acc, x, y) }

// Fnma subtracts x·y from acc, rounded once.
func (a *Asm) Fnma(acc, x, y Vec) { a.three("VFNMADD231PS", 0x4EA0CC00, acc, x, y) }

// MulAdd sets dst = dst*x + c, rounded once: a step of Horner's rule.
func (a *Asm) MulAdd(dst, x, c Vec) {
	a.each(func(_ int, r []int) { a.mulAdd(r[0], r[1], r[2]) }, dst, x, c)
}

// MulAddConst sets dst = dst*x + c, rounded once.
func (a *Asm) MulAddConst(dst, x Vec, c float32) {
	s := a.operand(c)
	a.each(func(_ int, r []int) { a.mulAdd(r[0], r[1], s) }, dst, x)
}

func (a *Asm) mulAdd(dst, x, c int) {
	if a.amd64() {
		a.Ins("VFMADD213PS %s, %s, %s", a.reg(c), a.reg(x), a.reg(dst))
		return
	}
	a.move(30, c)
	a.word(0x4E20CC00, 30, dst, x)
	a.move(dst, 30)
}

// Max is x > y ? x : y, and so y where either is not a number.
func (a *Asm) Max(dst, x, y Vec) {
	if a.amd64() {
		a.three("VMAXPS", 0, dst, x, y)
	} else {
		a.Select(dst, x, ">", y, x, y)
	}
}

// Min is x < y ? x : y, and so y where either is not a number.
func (a *Asm) Min(dst, x, y Vec) {
	if a.amd64() {
		a.three("VMINPS", 0, dst, x, y)
	} else {
		a.Select(dst, x, "<", y, x, y)
	}
}

// Select sets dst = x cond y ? yes : no in each lane; cond is one of < <= > >=
// and ==, all false where either is not a number.
func (a *Asm) Select(dst, x Vec, cond string, y, yes, no Vec) {
	predicate := map[string]int{"<": 0x11, "<=": 0x12, ">": 0x1E, ">=": 0x1D, "==": 0x00}[cond]
	a.each(func(_ int, r []int) {
		switch a.T.Name {
		case "avx512":
			a.Ins("VCMPPS $%d, Z%d, Z%d, K2", predicate, r[2], r[1])
			a.Ins("VBLENDMPS Z%d, Z%d, K2, Z%d", r[3], r[4], r[0])
		case "avx2":
			a.Ins("VCMPPS $%d, Y%d, Y%d, Y15", predicate, r[2], r[1])
			a.Ins("VBLENDVPS Y15, Y%d, Y%d, Y%d", r[3], r[4], r[0])
		default:
			a.compare(31, r[1], cond, r[2])
			a.word(0x6E601C00, 31, r[3], r[4])
			a.move(r[0], 31)
		}
	}, dst, x, y, yes, no)
}

// compare is FCMGT, FCMGE or FCMEQ.
func (a *Asm) compare(dst, x int, cond string, y int) {
	switch cond {
	case ">":
		a.word(0x6EA0E400, dst, x, y)
	case "<":
		a.word(0x6EA0E400, dst, y, x)
	case ">=":
		a.word(0x6E20E400, dst, x, y)
	case "<=":
		a.word(0x6E20E400, dst, y, x)
	default:
		a.word(0x4E20E400, dst, x, y)
	}
}

// And sets dst to the bits that x and y have in common.
func (a *Asm) And(dst, x, y Vec) { a.three("VANDPS", 0x4E201C00, dst, x, y) }

// Or sets dst to the bits of x and of y.
func (a *Asm) Or(dst, x, y Vec) { a.three("VORPS", 0x4EA01C00, dst, x, y) }

// Xor sets dst to the bits in which x and y differ.
func (a *Asm) Xor(dst, x, y Vec) { a.three("VXORPS", 0x6E201C00, dst, x, y) }

// IntAdd sets dst = x + y in int32.
func (a *Asm) IntAdd(dst, x, y Vec) { a.three("VPADDD", 0x4EA08400, dst, x, y) }

// IntSub sets dst = x - y in int32.
func (a *Asm) IntSub(dst, x, y Vec) { a.three("VPSUBD", 0x6EA08400, dst, x, y) }

// IntMul sets dst to the lower 32 bits of x·y.
func (a *Asm) IntMul(dst, x, y Vec) { a.three("VPMULLD", 0x4EA09C00, dst, x, y) }

// ShiftLeft shifts int32 lanes by 1 to 31 bits, as those below do.
func (a *Asm) ShiftLeft(dst, x Vec, by int) { a.shift("VPSLLD", 0x4F005400, 32+by, by, dst, x) }

// ShiftRight fills with zeros.
func (a *Asm) ShiftRight(dst, x Vec, by int) { a.shift("VPSRLD", 0x6F000400, 64-by, by, dst, x) }

// ShiftRightSigned fills with the sign.
func (a *Asm) ShiftRightSigned(dst, x Vec, by int) { a.shift("VPSRAD", 0x4F000400, 64-by, by, dst, x) }

func (a *Asm) shift(amd64 string, arm64 uint32, field, by int, dst, x Vec) {
	a.each(func(_ int, r []int) {
		if a.amd64() {
			a.Ins("%s $%d, %s, %s", amd64, by, a.reg(r[1]), a.reg(r[0]))
		} else {
			a.word(arm64, r[0], r[1], field)
		}
	}, dst, x)
}

// Round rounds to whole numbers, halves to even.
func (a *Asm) Round(dst, x Vec) {
	op := "VROUNDPS $8,"
	if a.T.Name == "avx512" {
		op = "VRNDSCALEPS $8,"
	}
	a.two(op, 0x4E218800, dst, x)
}

// ToInt converts to int32, halves to even. Values beyond int32 differ between
// processors: clamp before.
func (a *Asm) ToInt(dst, x Vec) { a.two("VCVTPS2DQ", 0x4E21A800, dst, x) }

// ToFloat converts int32 to float32.
func (a *Asm) ToFloat(dst, x Vec) { a.two("VCVTDQ2PS", 0x4E21D800, dst, x) }
