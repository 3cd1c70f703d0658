package main

import "fmt"

func init() { Ops = append(Ops, Op{"w8a8", emitW8A8}) }

// emitW8A8 writes products of whole numbers of 8 bits and the rounding to them.
func emitW8A8(a *Asm) {
	emitAbsMax(a)
	emitRound(a)
	rows := map[string]int{"avx512": 14, "avx2": 2, "neon": 2}[a.T.Name]
	for r := 1; r <= rows; r++ {
		a.FuncIn(fmt.Sprintf("intTiles[%d]", r), fmt.Sprintf("intTile%d", r),
			Param{"c", "*int32"}, Param{"a", "*int8"}, Param{"b", "*uint32"},
			Param{"aRow", "int"}, Param{"steps", "int"}, Param{"tiles", "int"})
		t := intTile{Asm: a, rows: r}
		switch a.T.Name {
		case "avx512":
			t.emitVNNI()
		case "avx2":
			t.emit(t.startAVX2, t.stepAVX2)
		default:
			t.emit(t.startNEON, t.stepNEON)
		}
	}
	emitRestore(a)
}

func emitAbsMax(a *Asm) {
	a.FuncIn("absMaxes", "absMax", floats("x"), Param{"ret", "float32"})
	pointers := a.Slices("x")
	a.Arg(R(1), "x_len")
	largest, bad, x, mask, zero := W(0), W(1), W(2), W(3), W(4)
	a.Zero(largest)
	a.Zero(bad)
	a.Zero(zero)
	a.ConstBits(mask, 0x7FFFFFFF)
	a.Loop16(R(1), pointers, func(tail bool) {
		a.LoadPart(x, At(R(0), 0), tail)
		a.Fma(bad, x, zero)
		a.And(x, x, mask)
		a.Max(largest, x, largest)
	})
	a.FoldMax(largest)
	a.Fold(bad)
	a.Scalar("ADD", largest, largest, bad)
	a.Result(largest)
	a.Return()
}

func emitRound(a *Asm) {
	a.FuncIn("rounders", "round", Param{"dst", "*int8"}, Param{"x", "*float32"}, Param{"inverse", "float32"}, Param{"n", "int"}, Param{"sums", "*[lanes]int32"})
	dst, x, n, sums := R(0), R(1), R(2), R(3)
	a.Arg(dst, "dst")
	a.Arg(x, "x")
	a.Arg(n, "n")
	a.Arg(sums, "sums")
	v, sum, inverse := W(0), W(1), W(2)
	a.Load(sum, At(sums, 0))
	a.BroadcastArg(inverse, "inverse")
	loop := a.NewLabel("loop")
	a.Label(loop)
	a.Load(v, At(x, 0))
	a.Mul(v, v, inverse)
	a.Clamp(v, -127, 127)
	a.ToInt(v, v)
	a.IntAdd(sum, sum, v)
	a.storeBytes(dst, v)
	a.AddImm(dst, 16)
	a.AddImm(x, 64)
	a.AddImm(n, -16)
	a.JumpIf(n, "!=", 0, loop)
	a.Store(At(sums, 0), sum)
	a.Return()
}

// storeBytes stores the 16 int32 lanes of v, which is lost, as bytes.
func (a *Asm) storeBytes(dst Reg, v W) {
	r := v.natives(a.T.Parts())
	switch a.T.Name {
	case "avx512":
		a.Ins("VPMOVDB Z%d, (%s)", r[0], a.Reg(dst))
	case "avx2":
		a.Ins("VPACKSSDW Y%d, Y%d, Y%d", r[1], r[0], r[0])
		a.Ins("VPERMQ $0xD8, Y%d, Y%d", r[0], r[0])
		a.Ins("VEXTRACTI128 $1, Y%d, X15", r[0])
		a.Ins("VPACKSSWB X15, X%d, X%d", r[0], r[0])
		a.Ins("VMOVDQU X%d, (%s)", r[0], a.Reg(dst))
	default:
		const xtn4, xtn8, xtn8b, xtn16b = 0x0E612800, 0x4E612800, 0x0E212800, 0x4E212800
		a.word(xtn4, 30, r[0], 0)
		a.word(xtn8, 30, r[1], 0)
		a.word(xtn4, 31, r[2], 0)
		a.word(xtn8, 31, r[3], 0)
		a.word(xtn8b, 30, 30, 0)
		a.word(xtn16b, 30, 31, 0)
		a.Ins("FMOVQ F30, (%s)", a.Reg(dst))
	}
}

// An intTile is one kernel of rows rows on the way out.
type intTile struct {
	*Asm
	rows int
}

// emitVNNI keeps the sums in Z0 to Z27, words in Z28 and Z29 and bytes of a in
// Z30 and Z31. SI and DI point to rows 0 and 7 of a; R8, R9 and R10 are 1, 3 and
// 5 row strides; BX points into b, CX counts steps, DX is c, R12 the tile's a,
// R15 the tiles left.
func (t intTile) emitVNNI() {
	for _, load := range [][2]string{{"c", "DX"}, {"a", "R12"}, {"aRow", "R8"}, {"tiles", "R15"}} {
		t.Ins("MOVQ %s, %s", t.arg(load[0]), load[1])
	}
	t.Ins("LEAQ (R8)(R8*2), R9")
	t.Ins("LEAQ (R8)(R8*4), R10")
	top, loop, rest, one, end := t.NewLabel("tile"), t.NewLabel("steps"), t.NewLabel("rest"), t.NewLabel("one"), t.NewLabel("end")
	t.Label(top)
	for i := range 2 * t.rows {
		t.Zero(N(i))
	}
	t.Ins("MOVQ R12, SI")
	if t.rows > 7 {
		t.Ins("LEAQ (R12)(R10*1), DI")
		t.Ins("LEAQ (DI)(R8*2), DI")
	}
	t.Ins("MOVQ %s, BX", t.arg("b"))
	t.Ins("MOVQ %s, CX", t.arg("steps"))
	t.Ins("SUBQ $%d, CX", tileUnroll)
	t.Ins("JLT %s", rest)
	t.Label(loop)
	t.stepsVNNI(tileUnroll)
	t.Ins("SUBQ $%d, CX", tileUnroll)
	t.Ins("JGE %s", loop)
	t.Label(rest)
	t.Ins("ADDQ $%d, CX", tileUnroll)
	t.Ins("JEQ %s", end)
	t.Label(one)
	t.stepsVNNI(1)
	t.Ins("DECQ CX")
	t.Ins("JNE %s", one)
	t.Label(end)
	for i := range 2 * t.rows {
		t.Ins("VMOVUPS Z%d, %d(DX)", i, 64*i)
	}
	t.Ins("ADDQ $%d, DX", panelBytes*t.rows)
	for range t.rows {
		t.Ins("ADDQ R8, R12")
	}
	t.Ins("DECQ R15")
	t.Ins("JNE %s", top)
	t.Return()
}

func (t intTile) stepsVNNI(steps int) {
	for step := range steps {
		for v := range 2 {
			t.Ins("VMOVUPS %d(BX), Z%d", panelBytes*step+64*v, 28+v)
			t.Ins("PREFETCHT0 %d(BX)", wordsAhead+panelBytes*step+64*v)
		}
		for row := range t.rows {
			t.Ins("VPBROADCASTD %d%s, Z%d", 4*step, rowAMD64[row], 30+row%2)
			for v := range 2 {
				t.Ins("VPDPBUSD Z%d, Z%d, Z%d", 30+row%2, 28+v, 2*row+v)
			}
		}
	}
	t.Ins("ADDQ $%d, BX", panelBytes*steps)
	t.Ins("ADDQ $%d, SI", 4*steps)
	if t.rows > 7 {
		t.Ins("ADDQ $%d, DI", 4*steps)
	}
}

// Registers of the smaller tiles: R0 is c, R1 and R2 point into the rows of a,
// R3 is their distance, R4 points into b, R5 counts steps, R6 the tiles left, R7
// is the tile's a. Sums are in the first native vectors.
func (t intTile) emit(start, step func()) {
	c, b, steps, tiles, first := R(0), R(4), R(5), R(6), R(7)
	t.Arg(c, "c")
	t.Arg(R(3), "aRow")
	t.Arg(tiles, "tiles")
	t.Arg(first, "a")
	start()
	top, loop := t.NewLabel("tile"), t.NewLabel("steps")
	t.Label(top)
	t.Arg(b, "b")
	t.Arg(steps, "steps")
	for row := range t.rows {
		t.Move(R(1+row), first)
		t.AddReg(first, R(3), 0)
	}
	sums := t.rows * t.vectorsOf()
	for i := range sums {
		t.Zero(N(i))
	}
	t.Label(loop)
	step()
	t.AddImm(b, panelBytes)
	for row := range t.rows {
		t.AddImm(R(1+row), 4)
	}
	t.AddImm(steps, -1)
	t.JumpIf(steps, "!=", 0, loop)
	for i := range sums {
		t.Store(At(c, i*t.T.Lanes*4), N(i))
	}
	t.AddImm(c, panelBytes*t.rows)
	t.AddImm(tiles, -1)
	t.JumpIf(tiles, "!=", 0, top)
	t.Return()
}

// startAVX2 sets Y15 to the even bytes.
func (t intTile) startAVX2() { t.ConstBits(N(15), 0x00FF00FF) }

// stepAVX2 widens bytes to 16 bits before it multiplies, since VPMADDUBSW
// saturates: even ones and odd ones of words in Y8 and Y9, of the rows in Y10 to
// Y13.
func (t intTile) stepAVX2() {
	for row := range t.rows {
		even, odd := 10+2*row, 11+2*row
		t.Ins("VPBROADCASTD (%s), Y%d", t.Reg(R(1+row)), even)
		t.Ins("VPSRAW $8, Y%d, Y%d", even, odd)
		t.Ins("VPSLLW $8, Y%d, Y%d", even, even)
		t.Ins("VPSRAW $8, Y%d, Y%d", even, even)
	}
	for v := range 4 {
		t.Ins("VMOVDQU %d(%s), Y9", 32*v, t.Reg(R(4)))
		t.Ins("VPAND Y15, Y9, Y8")
		t.Ins("VPSRLW $8, Y9, Y9")
		for row := range t.rows {
			for part := range 2 {
				t.Ins("VPMADDWD Y%d, Y%d, Y14", 8+part, 10+2*row+part)
				t.Ins("VPADDD Y14, Y%d, Y%d", 4*row+v, 4*row+v)
			}
		}
	}
}

// startNEON sets V20 to the lowest bytes.
func (t intTile) startNEON() { t.ConstBits(N(20), 0xFF) }

// stepNEON multiplies one byte after the other in 32 bits.
func (t intTile) stepNEON() {
	for p := range 4 {
		for row := range t.rows {
			t.Ins("MOVB %d(%s), R17", p, t.Reg(R(1+row)))
			t.duplicate(N(18 + row))
		}
		for v := range 8 {
			t.Load(N(16), At(R(4), 16*v))
			if p > 0 {
				t.ShiftRight(N(16), N(16), 8*p)
			}
			t.And(N(16), N(16), N(20))
			for row := range t.rows {
				t.word(0x4EA09400, 8*row+v, 16, 18+row) // MLA
			}
		}
	}
}

func emitRestore(a *Asm) {
	a.FuncIn("restoreKernel", "restore",
		Param{"y", "*float32"}, Param{"c", "*int32"}, Param{"sums", "*int32"}, Param{"xScales", "*float32"}, Param{"scales", "*float32"},
		Param{"yRow", "int"}, Param{"rows", "int"}, Param{"add", "int"})
	y, c, sums, xScales, yRow, rows, at := R(0), R(1), R(2), R(3), R(4), R(5), R(6)
	for i, name := range []string{"y", "c", "sums", "xScales", "yRow", "rows", "scales"} {
		a.Arg(R(i), name)
	}
	vectors := a.vectorsOf()
	for v := range vectors {
		a.Load(N(v), At(at, v*a.T.Lanes*4))
	}
	t, out, sum, scale := N(vectors), N(vectors+1), N(vectors+2), N(vectors+3)
	loop := func(add bool) {
		next := a.NewLabel("row")
		a.Label(next)
		a.Broadcast(sum, At(sums, 0))
		a.Broadcast(scale, At(xScales, 0))
		for v := range vectors {
			m := v * a.T.Lanes * 4
			a.Load(t, At(c, m))
			a.IntSub(t, t, sum)
			a.ToFloat(t, t)
			a.Mul(t, t, scale)
			a.Mul(t, t, N(v))
			if add {
				a.Load(out, At(y, m))
				a.Add(t, out, t)
			}
			a.Store(At(y, m), t)
		}
		a.AddReg(y, yRow, 0)
		a.AddImm(sums, 4)
		a.AddImm(xScales, 4)
		a.AddImm(c, panelBytes)
		a.AddImm(rows, -1)
		a.JumpIf(rows, "!=", 0, next)
		a.Return()
	}
	set := a.NewLabel("set")
	a.Arg(at, "add")
	a.JumpIf(at, "==", 0, set)
	loop(true)
	a.Label(set)
	loop(false)
}
