package main

import "fmt"

func init() { Ops = append(Ops, Op{"grouped", emitGrouped}) }

// emitGrouped writes products of rows in fixed point with bytes and with numbers
// of 4 bits.
func emitGrouped(a *Asm) {
	emitFix(a)
	switch a.T.Name {
	case "avx512":
		for _, bits := range []int{4, 8} {
			groupedVector{a, bits}.emit()
		}
	case "avx2":
		emitDots(a, dotsAVX2)
	default:
		emitDots(a, dotsNEON)
	}
	emitUnpack(a)
	emitSum(a)
}

const (
	panelBytes = 4 * 32 // of a step of a panel

	// wordsAhead is how many bytes ahead words are fetched. A token of GPT-2's shape
	// in 4 bits took 2.1 ms with 1 KiB, 1.75 with 4, 1.53 with 8, 1.46 with 10 to 16 and
	// 1.55 with 24; in 8 bits 3.0 ms with 4, 2.84 with 10 and 3.0 with 16. Beside what
	// is unpacked, 10 KiB are too much for a first-level cache: 4 % slower on avx2.
	wordsAhead  = 10240
	unpackAhead = 4096

	factBytes = 12 // of a fixedFact
)

// vectorsOf are the native vectors of a panel.
func (a *Asm) vectorsOf() int { return 32 / a.T.Lanes }

// fetch asks for the two lines so many bytes behind m.
func (a *Asm) fetch(m Mem) {
	if a.amd64() {
		a.Ins("PREFETCHT0 %s", a.address(m))
		a.Ins("PREFETCHT0 %s", a.address(m.plus(64)))
	}
}

// emitFix rounds to whole numbers and parts them: on avx512 into three bytes,
// else into two halves, of 16 bits in the order 0 2 1 3 of each four on avx2.
func emitFix(a *Asm) {
	a.FuncIn("fixKernel", "fix", Param{"dst", "*int8"}, Param{"x", "*float32"}, Param{"inverse", "float32"},
		Param{"plane", "int"}, Param{"segments", "int"}, Param{"inputs", "int"}, Param{"facts", "*fixedFact"})
	dst, x, plane, segments, inputs, facts, left, to, from := R(0), R(1), R(2), R(3), R(4), R(5), R(6), R(7), R(8)
	for i, name := range []string{"dst", "x", "plane", "segments", "inputs", "facts"} {
		a.Arg(R(i), name)
	}
	v, high, t, highs, lows, inverse, half := W(0), W(1), W(2), W(3), W(4), W(5), W(6)
	a.BroadcastArg(inverse, "inverse")
	bytes, byteOrder := map[string]int{"avx512": 1, "avx2": 2, "neon": 4}[a.T.Name], uint32(1<<15)
	if a.T.Name == "avx512" {
		byteOrder += 1 << 7
	}
	a.ConstBits(half, byteOrder)
	if a.T.Name == "avx512" {
		a.ConstBits(W(7), 1<<7)
	}
	next := a.NewLabel("segment")
	a.Label(next)
	a.Zero(highs)
	a.Zero(lows)
	a.Move(left, inputs)
	a.Move(to, dst)
	a.Move(from, x)
	a.Loop16(left, []Reg{from}, func(tail bool) {
		a.LoadPart(v, At(from, 0), tail)
		a.Mul(v, v, inverse)
		a.ToInt(v, v)
		a.IntAdd(high, v, half)
		a.ShiftRightSigned(high, high, 16)
		a.IntAdd(highs, highs, high)
		a.ShiftLeft(t, high, 16)
		a.IntSub(v, v, t)
		a.IntAdd(lows, lows, v)
		a.storeParts(to, plane, high, v)
		if !tail {
			a.AddImm(to, 16*bytes)
		}
	})
	for i, sum := range []W{highs, lows} {
		a.fold(sum, func(dst, x, y int) { a.IntAdd(N(dst), N(x), N(y)) }, "VPADDD")
		if a.amd64() {
			a.Ins("VMOVSS X%d, %d(%s)", a.first(sum), 4*i, a.Reg(facts))
		} else {
			a.Ins("FMOVS F%d, %d(%s)", a.first(sum), 4*i, a.Reg(facts))
		}
	}
	a.AddImm(facts, factBytes)
	a.AddReg(x, inputs, 2)
	a.AddReg(dst, inputs, map[int]int{1: 0, 2: 1, 4: 2}[bytes])
	a.AddImm(segments, -1)
	a.JumpIf(segments, "!=", 0, next)
	a.Return()
}

// storeParts stores the parts of 16 numbers; high and low are lost.
func (a *Asm) storeParts(to, plane Reg, high, low W) {
	second := Mem{Base: to, Index: plane, Scale: 1}
	h, l := high.natives(a.T.Parts()), low.natives(a.T.Parts())
	switch a.T.Name {
	case "avx512":
		middle := W(2)
		a.IntAdd(middle, low, W(7))
		a.ShiftRightSigned(middle, middle, 8)
		a.Ins("VPMOVDB Z%d, (%s)", h[0], a.Reg(to))
		a.Ins("VPMOVDB Z%d, %s", int(middle), a.address(second))
		second.Scale = 2
		a.Ins("VPMOVDB Z%d, %s", l[0], a.address(second)) // its lowest byte is low - middle·2^8
	case "avx2":
		for i, r := range [][]int{h, l} {
			a.Ins("VPACKSSDW Y%d, Y%d, Y%d", r[1], r[0], r[0])
			a.Ins("VPERMQ $0xD8, Y%d, Y%d", r[0], r[0])
			a.Ins("VPSHUFLW $0xD8, Y%d, Y%d", r[0], r[0])
			a.Ins("VPSHUFHW $0xD8, Y%d, Y%d", r[0], r[0])
			m := Mem{Base: to, Index: plane, Scale: i}
			a.Ins("VMOVDQU Y%d, %s", r[0], a.address(m))
		}
	default:
		a.Store(At(to, 0), high)
		a.Ins("ADD %s, %s, R15", a.Reg(plane), a.Reg(to))
		for part, r := range l {
			a.Ins("FMOVQ F%d, %d(R15)", r, 16*part)
		}
	}
}

// A groupedVector is the product of one row with neighbouring panels on avx512. y
// is Z25 and Z26. Sums of the parts are Z0 to Z5 and, of every other 4 inputs, Z6
// to Z11. The arguments words, scales and zeros move from panel to panel.
type groupedVector struct {
	*Asm
	bits int
}

func (g groupedVector) emit() {
	g.FuncIn(fmt.Sprintf("groupedKernels[%d]", g.bits/8), fmt.Sprintf("grouped%d", g.bits),
		Param{"y", "*float32"}, Param{"x", "*int8"}, Param{"words", "*uint32"}, Param{"scales", "*float32"}, Param{"zeros", "*int32"},
		Param{"facts", "*fixedFact"}, Param{"plane", "int"}, Param{"panels", "int"}, Param{"segments", "int"}, Param{"each", "int"},
		Param{"scaleStep", "int"}, Param{"zeroStep", "int"}, Param{"wordPanel", "int"}, Param{"scalePanel", "int"}, Param{"zeroPanel", "int"}, Param{"add", "int"})
	y, plane, add := R(0), R(6), R(9)
	for _, load := range []struct {
		to   Reg
		name string
	}{{y, "y"}, {plane, "plane"}, {add, "add"}} {
		g.Arg(load.to, load.name)
	}
	g.ConstBits(N(22), 0x0F0F0F0F)
	constants := sumConstants{N(23), N(24)}
	constants.set(g.Asm)
	panel, begin := g.NewLabel("panel"), g.NewLabel("begin")
	g.Label(panel)
	for v := range 2 {
		g.Zero(N(25 + v))
	}
	g.JumpIf(add, "==", 0, begin)
	for v := range 2 {
		g.Load(N(25+v), At(y, 64*v))
	}
	g.Label(begin)
	g.panel(constants)
	for v := range 2 {
		g.Store(At(y, 64*v), N(25+v))
	}
	g.AddImm(y, panelBytes)
	for _, name := range []string{"word", "scale", "zero"} {
		g.Arg(R(8), name+"Panel")
		g.Ins("ADDQ %s, %s", g.Reg(R(8)), g.arg(name+"s"))
	}
	g.Ins("DECQ %s", g.arg("panels"))
	g.Ins("JNE %s", panel)
	g.Return()
}

// panel adds the segments of one panel to y.
func (g groupedVector) panel(constants sumConstants) {
	scales, zeros, facts, segments, count := R(3), R(4), R(5), R(7), R(8)
	for i, name := range []string{"x", "words", "scales", "zeros", "facts"} {
		g.Arg(R(1+i), name)
	}
	g.Arg(segments, "segments")
	unroll := 4
	if g.bits == 4 {
		unroll = 2
	}
	segment, loop, rest, one, end := g.NewLabel("segment"), g.NewLabel("words"), g.NewLabel("rest"), g.NewLabel("one"), g.NewLabel("end")
	g.Label(segment)
	for i := range 12 {
		g.Zero(N(i))
	}
	g.Arg(count, "each")
	g.AddImm(count, -unroll)
	g.JumpIf(count, "<", 0, rest)
	g.Label(loop)
	g.step(unroll)
	g.AddImm(count, -unroll)
	g.JumpIf(count, ">=", 0, loop)
	g.Label(rest)
	g.AddImm(count, unroll)
	g.JumpIf(count, "==", 0, end)
	g.Label(one)
	g.step(1)
	g.AddImm(count, -1)
	g.JumpIf(count, "!=", 0, one)
	g.Label(end)
	for i := range 6 {
		g.IntAdd(N(i), N(i), N(6+i))
	}
	for v := range 2 {
		high, low := N(v), N(2+v)
		g.ShiftLeft(low, low, 8)
		g.IntAdd(low, low, N(4+v))
		g.Load(N(27), At(zeros, 64*v))
		g.Broadcast(N(28), At(facts, 0))
		g.Broadcast(N(29), At(facts, 4))
		g.Broadcast(N(30), At(facts, 8))
		g.Load(N(12), At(scales, 64*v))
		g.Mul(N(30), N(30), N(12))
		constants.sum(g.Asm, N(25+v), high, low, N(27), N(28), N(29), N(30))
	}
	g.AddImm(facts, factBytes)
	g.Ins("ADDQ %s, %s", g.arg("scaleStep"), g.Reg(scales))
	g.Ins("ADDQ %s, %s", g.arg("zeroStep"), g.Reg(zeros))
	g.AddImm(segments, -1)
	g.JumpIf(segments, "!=", 0, segment)
}

// step multiplies so many words of a row with those of the panel.
func (g groupedVector) step(words int) {
	x, from, plane := R(1), R(2), R(6)
	each := 32 / g.bits
	for word := range words {
		g.fetch(At(from, wordsAhead+panelBytes*word))
		for v := range 2 {
			g.Load(N(12+v), At(from, panelBytes*word+64*v))
		}
		for quad := range each / 4 {
			for part := range 3 {
				g.Broadcast(N(16+3*quad+part), Mem{Base: x, Index: plane, Scale: part, Disp: word*each + 4*quad})
			}
		}
		if g.bits == 8 {
			g.multiply(12, 16, word%2)
			continue
		}
		for v := range 2 {
			g.ShiftRight(N(14+v), N(12+v), 4)
			g.And(N(12+v), N(12+v), N(22))
			g.And(N(14+v), N(14+v), N(22))
		}
		g.multiply(12, 16, 0)
		g.multiply(14, 19, 1)
	}
	g.AddImm(from, panelBytes*words)
	g.AddImm(x, each*words)
}

// multiply adds products of bytes in two vectors from bytes on with three parts.
func (g groupedVector) multiply(bytes, parts, set int) {
	for part := range 3 {
		for v := range 2 {
			g.Ins("VPDPBUSD Z%d, Z%d, Z%d", parts+part, bytes+v, 6*set+2*part+v)
		}
	}
}

// sumConstants are the vectors that keep 65535 and 2^16.
type sumConstants struct{ mask, power N }

func (c sumConstants) set(a *Asm) {
	a.ConstBits(c.mask, 1<<16-1)
	a.Const(c.power, 1<<16)
}

// sum sets y = fma(float32(high·2^16 + low - zero·(sumHigh·2^16 + sumLow)), scale, y).
// What low has beyond 16 bits moves to high, so that float32 holds both and the
// sum is rounded once. high, low and zero are lost.
func (c sumConstants) sum(a *Asm, y, high, low, zero, sumHigh, sumLow, scale N) {
	a.IntMul(sumHigh, zero, sumHigh)
	a.IntMul(zero, zero, sumLow)
	a.IntSub(high, high, sumHigh)
	a.IntSub(low, low, zero)
	a.ShiftRightSigned(zero, low, 16)
	a.IntAdd(high, high, zero)
	a.And(low, low, c.mask)
	a.ToFloat(high, high)
	a.ToFloat(low, low)
	a.Fma(low, high, c.power)
	a.Fma(y, low, scale)
}

// emitDots keeps high sums in the first vectors of a panel and low ones in the
// next.
func emitDots(a *Asm, step func(a *Asm, x, plane, words Reg)) {
	a.FuncIn("dotKernel", "dots", Param{"c", "*int32"}, Param{"x", "*int8"}, Param{"words", "*uint32"}, Param{"plane", "int"}, Param{"steps", "int"})
	c, x, words, plane, steps := R(0), R(1), R(2), R(3), R(4)
	for i, name := range []string{"c", "x", "words", "plane", "steps"} {
		a.Arg(R(i), name)
	}
	sums := 2 * a.vectorsOf()
	for i := range sums {
		a.Zero(N(i))
	}
	if a.T.Name == "avx2" {
		a.ConstBits(N(12), 0x00FF00FF)
	} else {
		a.ConstBits(N(20), 0xFF)
	}
	next := a.NewLabel("step")
	a.Label(next)
	a.fetch(At(words, wordsAhead))
	step(a, x, plane, words)
	a.AddImm(words, panelBytes)
	a.AddImm(steps, -1)
	a.JumpIf(steps, "!=", 0, next)
	for i := range sums {
		a.Store(At(c, i*a.T.Lanes*4), N(i))
	}
	a.Return()
}

// dotsAVX2 multiplies the even and the odd bytes of words with both halves of
// numbers, in Y8 to Y11.
func dotsAVX2(a *Asm, x, plane, words Reg) {
	for half := range 2 {
		for odd := range 2 {
			a.Ins("VPBROADCASTD %s, Y%d", a.address(Mem{Base: x, Index: plane, Scale: half, Disp: 4 * odd}), 8+2*half+odd)
		}
	}
	for v := range 4 {
		a.Ins("VMOVDQU %d(%s), Y14", 32*v, a.Reg(words))
		a.Ins("VPAND Y12, Y14, Y13")
		a.Ins("VPSRLW $8, Y14, Y14")
		for half := range 2 {
			for odd := range 2 {
				a.Ins("VPMADDWD Y%d, Y%d, Y15", 13+odd, 8+2*half+odd)
				a.Ins("VPADDD Y15, Y%d, Y%d", 4*half+v, 4*half+v)
			}
		}
	}
	a.AddImm(x, 8)
}

// dotsNEON multiplies one byte after the other in 32 bits.
func dotsNEON(a *Asm, x, plane, words Reg) {
	for p := range 4 {
		a.Broadcast(N(18), At(x, 4*p))
		a.Broadcast(N(19), Mem{Base: x, Index: plane, Scale: 1, Disp: 4 * p})
		for v := range 8 {
			a.Load(N(16), At(words, 16*v))
			if p > 0 {
				a.ShiftRight(N(16), N(16), 8*p)
			}
			a.And(N(16), N(16), N(20))
			for half := range 2 {
				a.word(0x4EA09400, 8*half+v, 16, 18+half) // MLA
			}
		}
	}
	a.AddImm(x, 16)
}

// emitUnpack parts words of 4 bits into bytes.
func emitUnpack(a *Asm) {
	a.FuncIn("unpackKernel", "unpack", Param{"dst", "*uint32"}, Param{"words", "*uint32"}, Param{"count", "int"})
	dst, words, count := R(0), R(1), R(2)
	for i, name := range []string{"dst", "words", "count"} {
		a.Arg(R(i), name)
	}
	low, high, mask := N(0), N(1), N(2)
	a.ConstBits(mask, 0x0F0F0F0F)
	next := a.NewLabel("word")
	a.Label(next)
	a.fetch(At(words, unpackAhead))
	for v := range a.vectorsOf() {
		at := v * a.T.Lanes * 4
		a.Load(low, At(words, at))
		a.ShiftRight(high, low, 4)
		a.And(low, low, mask)
		a.And(high, high, mask)
		a.Store(At(dst, at), low)
		a.Store(At(dst, panelBytes+at), high)
	}
	a.AddImm(dst, 2*panelBytes)
	a.AddImm(words, panelBytes)
	a.AddImm(count, -1)
	a.JumpIf(count, "!=", 0, next)
	a.Return()
}

// emitSum adds the sums of a segment of some rows to y.
func emitSum(a *Asm) {
	a.FuncIn("sumKernel", "sum", Param{"y", "*float32"}, Param{"dots", "*int32"}, Param{"scales", "*float32"}, Param{"zeros", "*int32"},
		Param{"facts", "*fixedFact"}, Param{"factRow", "int"}, Param{"rows", "int"})
	y, dots, scales, zeros, facts, factRow, rows := R(0), R(1), R(2), R(3), R(4), R(5), R(6)
	for i, name := range []string{"y", "dots", "scales", "zeros", "facts", "factRow", "rows"} {
		a.Arg(R(i), name)
	}
	parts := 2
	if a.T.Name == "avx512" {
		parts = 3
	}
	out, high, low, zero, sumHigh, sumLow, scale, t := N(0), N(1), N(2), N(3), N(4), N(5), N(6), N(7)
	constants := sumConstants{N(8), N(9)}
	constants.set(a)
	next := a.NewLabel("row")
	a.Label(next)
	for v := range a.vectorsOf() {
		at := v * a.T.Lanes * 4
		a.Load(high, At(dots, at))
		a.Load(low, At(dots, panelBytes+at))
		if parts == 3 {
			a.ShiftLeft(low, low, 8)
			a.Load(t, At(dots, 2*panelBytes+at))
			a.IntAdd(low, low, t)
		}
		a.Load(zero, At(zeros, at))
		a.Broadcast(sumHigh, At(facts, 0))
		a.Broadcast(sumLow, At(facts, 4))
		a.Broadcast(scale, At(facts, 8))
		a.Load(t, At(scales, at))
		a.Mul(scale, scale, t)
		a.Load(out, At(y, at))
		constants.sum(a, out, high, low, zero, sumHigh, sumLow, scale)
		a.Store(At(y, at), out)
	}
	a.AddImm(y, panelBytes)
	a.AddImm(dots, parts*panelBytes)
	a.AddReg(facts, factRow, 0)
	a.AddImm(rows, -1)
	a.JumpIf(rows, "!=", 0, next)
	a.Return()
}
