package main

import "fmt"

func init() { Ops = append(Ops, Op{"sparse", emitSparse}) }

// emitSparse writes products that leave out what is zero.
func emitSparse(a *Asm) {
	rows := map[string]int{"avx512": 14, "avx2": 6, "neon": 8}[a.T.Name]
	for r := 1; r <= rows; r++ {
		a.FuncIn(fmt.Sprintf("pickedTiles[%d]", r), fmt.Sprintf("pickedTile%d", r),
			Param{"c", "*float32"}, Param{"a", "*float32"}, Param{"b", "*float32"}, Param{"picks", "*int32"},
			Param{"cRow", "int"}, Param{"aRow", "int"}, Param{"steps", "int"}, Param{"tiles", "int"}, Param{"add", "int"})
		t := pickedTile{tile{Asm: a, rows: r, vectors: 2}}
		if a.amd64() {
			t.emitAMD64()
		} else {
			t.emitARM64()
		}
	}
	for _, outs := range []int{1, 4} {
		emitListed(a, outs, false)
		if a.T.Name != "avx512" {
			outs = min(outs, 2) // for want of vectors
		}
		emitListed(a, outs, true)
	}
}

// A pickedTile is a tile whose steps take elements of a at listed distances.
type pickedTile struct{ tile }

// emitAMD64 uses the registers of the tile, but R11 for the list.
func (t pickedTile) emitAMD64() {
	for _, load := range [][2]string{{"c", "DX"}, {"a", "R12"}, {"cRow", "AX"}, {"aRow", "R8"}, {"tiles", "R15"}} {
		t.Ins("MOVQ %s, %s", t.arg(load[0]), load[1])
	}
	t.Ins("LEAQ (R8)(R8*2), R9")
	t.Ins("LEAQ (R8)(R8*4), R10")
	if t.T.Name == "avx512" {
		t.Ins("MOVL $-1, CX")
		t.Ins("KMOVW CX, K1") // whole vectors
	}
	top, loop, rest, one, end := t.NewLabel("tile"), t.NewLabel("steps"), t.NewLabel("rest"), t.NewLabel("one"), t.NewLabel("end")
	t.Label(top)
	t.startAMD64()
	t.Ins("MOVQ %s, BX", t.arg("b"))
	t.Ins("MOVQ %s, R11", t.arg("picks"))
	t.Ins("MOVQ %s, CX", t.arg("steps"))
	t.Ins("SUBQ $%d, CX", tileUnroll)
	t.Ins("JLT %s", rest)
	t.Label(loop)
	t.stepsAMD64(tileUnroll)
	t.Ins("SUBQ $%d, CX", tileUnroll)
	t.Ins("JGE %s", loop)
	t.Label(rest)
	t.Ins("ADDQ $%d, CX", tileUnroll)
	t.Ins("JEQ %s", end)
	t.Label(one)
	t.stepsAMD64(1)
	t.Ins("DECQ CX")
	t.Ins("JNE %s", one)
	t.Label(end)
	t.finishAMD64()
	for range t.rows {
		t.Ins("ADDQ R8, R12")
	}
	t.Ins("DECQ R15")
	t.Ins("JNE %s", top)
	t.Return()
}

func (t pickedTile) stepsAMD64(steps int) {
	first := map[string]int{"avx512": 28, "avx2": 12}[t.T.Name]
	size := t.T.Lanes * 4
	for step := range steps {
		t.Ins("MOVLQSX %d(R11), SI", 4*step)
		t.Ins("ADDQ R12, SI")
		if t.rows > 7 {
			t.Ins("LEAQ (SI)(R10*1), DI")
			t.Ins("LEAQ (DI)(R8*2), DI")
		}
		for v := range t.vectors {
			t.Ins("VMOVUPS %d(BX), %s", panelBytes*step+v*size, t.reg(first+v))
		}
		t.Ins("PREFETCHT0 %d(BX)", tileAhead+panelBytes*step)
		t.Ins("PREFETCHT0 %d(BX)", tileAhead+panelBytes*step+64)
		for row := range t.rows {
			element := t.reg(first + 2 + row%2)
			t.Ins("VBROADCASTSS %s, %s", rowAMD64[row], element)
			for v := range t.vectors {
				t.Ins("VFMADD231PS %s, %s, %s", t.reg(first+v), element, t.acc(row, v))
			}
		}
	}
	t.Ins("ADDQ $%d, BX", panelBytes*steps)
	t.Ins("ADDQ $%d, R11", 4*steps)
}

// emitARM64 uses the registers of the tile, but R4 for the list.
func (t pickedTile) emitARM64() {
	for _, load := range [][2]string{{"c", "R0"}, {"cRow", "R1"}, {"a", "R2"}, {"aRow", "R3"}, {"tiles", "R7"}} {
		t.Ins("MOVD %s, %s", t.arg(load[0]), load[1])
	}
	top, loop, zero, begin := t.NewLabel("tile"), t.NewLabel("steps"), t.NewLabel("zero"), t.NewLabel("begin")
	t.Label(top)
	t.Ins("MOVD %s, R5", t.arg("b"))
	t.Ins("MOVD %s, R6", t.arg("steps"))
	t.Ins("MOVD %s, R4", t.arg("picks"))
	for row := range t.rows {
		t.Ins("MOVD R2, R%d", 10+row)
		t.Ins("ADD R3, R2, R2")
	}
	t.Ins("MOVD %s, R9", t.arg("add"))
	t.Ins("CBZ R9, %s", zero)
	t.Ins("MOVD R0, R9")
	for row := range t.rows {
		for v := range t.vectors {
			t.Ins("FMOVQ %d(R9), F%d", 16*v, row*t.vectors+v)
		}
		t.Ins("ADD R1, R9, R9")
	}
	t.Ins("B %s", begin)
	t.Label(zero)
	for i := range t.rows * t.vectors {
		t.Zero(N(i))
	}
	t.Label(begin)
	t.Label(loop)
	t.Ins("MOVW.P 4(R4), R8")
	for v := range t.vectors {
		t.Ins("FMOVQ %d(R5), F%d", 16*v, 16+v)
	}
	for row := range t.rows {
		t.Ins("FMOVS (R%d)(R8), F%d", 10+row, 18+row)
	}
	for row := range t.rows {
		for v := range t.vectors {
			t.word(0x4F801000, row*t.vectors+v, 16+v, 18+row) // FMLA by element 0
		}
	}
	t.Ins("ADD $%d, R5, R5", panelBytes)
	t.Ins("SUBS $1, R6, R6")
	t.Ins("BNE %s", loop)
	for row := range t.rows {
		for v := range t.vectors {
			t.Ins("FMOVQ F%d, %d(R0)", row*t.vectors+v, 16*v)
		}
		t.Ins("ADD R1, R0, R0")
	}
	t.Ins("SUBS $1, R7, R7")
	t.Ins("BNE %s", top)
	t.Return()
}

// emitListed writes chains over listed pairs of a distance and a weight for some
// outputs side by side: of one row of x, or of 32 that are transposed.
func emitListed(a *Asm, outs int, wide bool) {
	table, vectors := 0, 1
	if wide {
		table, vectors = 1, a.vectorsOf()
	}
	a.FuncIn(fmt.Sprintf("listedKernels[%d][%d]", table, outs), fmt.Sprintf("listed%dx%d", outs, table),
		Param{"y", "*float32"}, Param{"x", "*float32"}, Param{"pairs", "*pair"}, Param{"starts", "*int32"}, Param{"count", "int"})
	y, x, pairs, starts, count, at := R(0), R(1), R(2), R(3), R(4), R(9)
	for i, name := range []string{"y", "x", "pairs", "starts", "count"} {
		a.Arg(R(i), name)
	}
	from := func(out int) Reg { return R(5 + out) }
	size := 4
	if wide {
		size = panelBytes
	}
	sum := func(out, v int) N { return N(out*vectors + v) }
	weight, element := N(outs*vectors), N(outs*vectors+1)
	for out := range outs {
		a.signed32(from(out), At(starts, 4*out))
		a.ShiftImm(from(out), 3)
		a.AddReg(from(out), pairs, 0)
		for v := range vectors {
			if wide {
				a.Load(sum(out, v), At(y, out*size+v*a.T.Lanes*4))
			} else {
				a.Broadcast(sum(out, v), At(y, out*size))
			}
		}
	}
	loop := a.NewLabel("pairs")
	a.Label(loop)
	for out := range outs {
		a.signed32(at, At(from(out), 0))
		if wide {
			a.ShiftImm(at, 5) // 32 rows lie side by side
		}
		a.AddReg(at, x, 0)
		a.Broadcast(weight, At(from(out), 4))
		for v := range vectors {
			if wide {
				a.Load(element, At(at, v*a.T.Lanes*4))
			} else {
				a.Broadcast(element, At(at, 0))
			}
			a.Fma(sum(out, v), weight, element)
		}
		a.AddImm(from(out), 8)
	}
	a.AddImm(count, -1)
	a.JumpIf(count, "!=", 0, loop)
	for out := range outs {
		for v := range vectors {
			switch to := At(y, out*size+v*a.T.Lanes*4); {
			case wide:
				a.Store(to, sum(out, v))
			case a.amd64():
				a.Ins("VMOVSS X%d, %s", sum(out, v), a.address(to))
			default:
				a.Ins("FMOVS F%d, %s", sum(out, v), a.resolve(to, 0))
			}
		}
	}
	a.Return()
}

// signed32 loads an int32.
func (a *Asm) signed32(dst Reg, m Mem) {
	if a.amd64() {
		a.Ins("MOVLQSX %s, %s", a.address(m), a.Reg(dst))
	} else {
		a.Ins("MOVW %s, %s", a.resolve(m, 0), a.Reg(dst))
	}
}
