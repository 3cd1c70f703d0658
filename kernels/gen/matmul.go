package main

import (
	"fmt"
	"strings"
)

func init() { Ops = append(Ops, Op{"matmul", emitMatMul}) }

// emitMatMul writes the tiles and the packing that matmul.go is built from.
func emitMatMul(a *Asm) {
	rows := map[string]int{"avx512": 14, "avx2": 6, "neon": 8}[a.T.Name]
	for vectors := 1; vectors <= 2; vectors++ {
		for r := 1; r <= rows; r++ {
			emitTile(a, r, vectors)
		}
		emitPackRows(a, vectors)
	}
	emitTile(a, 1, 4)
	emitTile(a, 2, 4)
	if a.amd64() {
		emitPackColumnsAMD64(a)
	} else {
		emitPackColumnsARM64(a)
	}
}

var tileParams = []Param{
	{"c", "*float32"}, {"a", "*float32"}, {"b", "*float32"},
	{"cRow", "int"}, {"aRow", "int"}, {"aStep", "int"}, {"bStep", "int"},
	{"steps", "int"}, {"tiles", "int"}, {"cols", "int"}, {"add", "int"},
}

// emitTile writes the product of r rows of a with a panel of vectors*Lanes
// columns, repeated down tiles. The sums are kept in registers: each is one
// chain of fused multiply-adds that starts from c, or from zero and has c added
// to it at the end.
func emitTile(a *Asm, r, vectors int) {
	a.FuncIn(fmt.Sprintf("tileKernels[%d][%d]", vectors, r), fmt.Sprintf("tile%dx%d", r, vectors), tileParams...)
	if a.amd64() {
		t := tile{Asm: a, rows: r, vectors: vectors}
		t.emitAMD64()
	} else {
		t := tile{Asm: a, rows: r, vectors: vectors}
		t.emitARM64()
	}
}

// A tile is one kernel on the way out.
type tile struct {
	*Asm
	rows, vectors int
}

// acc is the register of one vector of one row of sums.
func (t tile) acc(row, vector int) string { return t.reg(row*t.vectors + vector) }

// mask is what follows an instruction's name and its operands for the last
// vector of a row, of which AVX-512 may use a part.
func (t tile) masked(vector int) bool { return t.T.Name == "avx512" && vector == t.vectors-1 }

// Registers of the amd64 tile: SI and DI point to rows 0 and 7 of a; R8, R9
// and R10 are 1, 3 and 5 row strides; R11 is the step of a; BX points into b;
// CX counts steps; DX is c, R12 the tile's a, R13 the step of b or scratch, R14
// scratch, R15 the tiles left. AX is the row stride of c, and during the steps how
// far ahead b is fetched. The argument a becomes the distance of the next tile's
// a, c the row of the next tile's c to be fetched.
func (t tile) emitAMD64() {
	for _, load := range [][2]string{{"c", "DX"}, {"a", "R12"}, {"aRow", "R8"}, {"aStep", "R11"}, {"tiles", "R15"}} {
		t.Ins("MOVQ %s, %s", t.arg(load[0]), load[1])
	}
	if t.fetchesNext() {
		t.Ins("XORL R14, R14")
		t.down("R8", "R14")
		t.Ins("MOVQ R14, %s", t.arg("a"))
	}
	t.Ins("LEAQ (R8)(R8*2), R9")
	t.Ins("LEAQ (R8)(R8*4), R10")
	if t.T.Name == "avx512" {
		t.Ins("MOVQ %s, R13", t.arg("cols"))
		t.Ins("MOVL $-1, CX")
		t.Ins("BZHIL R13, CX, CX")
		t.Ins("KMOVW CX, K1")
	}
	top := t.NewLabel("tile")
	t.Label(top)
	t.Ins("MOVQ %s, AX", t.arg("cRow"))
	t.startAMD64()
	t.stepsAMD64()
	t.Ins("MOVQ %s, AX", t.arg("cRow"))
	t.joinAMD64()
	t.finishAMD64()
	t.down("R8", "R12")
	t.Ins("DECQ R15")
	t.Ins("JNE %s", top)
	t.Return()
}

// What a tile does with the c that is there: tile.go has the same.
const (
	chained = 1
	joined  = 2
)

// down moves a pointer from a tile to the next, by rows of the stride.
func (t tile) down(stride, pointer string) {
	for range t.rows {
		t.Ins("ADDQ %s, %s", stride, pointer)
	}
}

// startAMD64 fills the sums.
func (t tile) startAMD64() {
	zero, begin := t.NewLabel("zero"), t.NewLabel("begin")
	size := t.T.Lanes * 4
	t.Ins("CMPQ %s, $%d", t.arg("add"), chained)
	t.Ins("JNE %s", zero)
	t.Ins("MOVQ DX, R13")
	for row := range t.rows {
		for v := range t.vectors {
			if t.masked(v) {
				t.Ins("VMOVUPS.Z %d(R13), K1, %s", v*size, t.acc(row, v))
			} else {
				t.Ins("VMOVUPS %d(R13), %s", v*size, t.acc(row, v))
			}
		}
		t.Ins("ADDQ AX, R13")
	}
	t.Ins("JMP %s", begin)
	t.Label(zero)
	for i := range t.rows * t.vectors {
		t.Ins("VXORPS %s, %s, %s", t.reg(i), t.reg(i), t.reg(i))
	}
	t.Label(begin)
}

const (
	tileUnroll = 4
	tileTail   = 32   // steps, of tiles with more, for which c is on its way
	tileAhead  = 4096 // bytes ahead in panels of two vectors at which b is fetched; processors by themselves stop where a page ends
)

// stepsAMD64 walks along the summed index.
func (t tile) stepsAMD64() {
	long, short, loop := t.NewLabel("long"), t.NewLabel("short"), t.NewLabel("steps")
	rest, one, end := t.NewLabel("rest"), t.NewLabel("one"), t.NewLabel("end")
	t.Ins("MOVQ R12, SI")
	if t.fetchesNext() {
		t.Ins("MOVQ DX, R14")
		t.down("AX", "R14")
		t.Ins("MOVQ R14, %s", t.arg("c"))
	}
	if t.rows > 7 {
		t.Ins("LEAQ (R12)(R10*1), DI")
		t.Ins("LEAQ (DI)(R8*2), DI")
	}
	t.Ins("MOVQ %s, BX", t.arg("b"))
	t.Ins("MOVQ %s, CX", t.arg("steps"))
	t.Ins("MOVQ %s, R13", t.arg("bStep"))
	if t.fetchesNext() {
		t.Ins("IMUL3Q $%d, R13, AX", tileAhead/(2*t.T.Lanes*4))
	}
	t.Ins("SUBQ $%d, CX", tileUnroll+tileTail)
	t.Ins("JLT %s", short)
	t.loopAMD64(long, t.fetchesNext())
	t.fetchAMD64()
	t.Label(short)
	t.Ins("ADDQ $%d, CX", tileTail)
	t.Ins("JLT %s", rest)
	t.loopAMD64(loop, false)
	t.Label(rest)
	t.Ins("ADDQ $%d, CX", tileUnroll)
	t.Ins("JEQ %s", end)
	t.Label(one)
	t.stepAMD64()
	t.Ins("DECQ CX")
	t.Ins("JNE %s", one)
	t.Label(end)
}

// fetchAMD64 fetches the c of this tile, which the panel has driven out of the
// first-level cache, and of the next.
func (t tile) fetchAMD64() {
	t.Ins("MOVQ DX, R13")
	for range 2 * t.rows {
		for at := 0; at < t.vectors*t.T.Lanes*4; at += 64 {
			t.Ins("PREFETCHT0 %d(R13)", at)
		}
		t.Ins("ADDQ %s, R13", t.arg("cRow"))
	}
	t.Ins("MOVQ %s, R13", t.arg("bStep"))
}

// loopAMD64 runs steps while CX, which they count down, is not negative, and
// fetches for the next tile if fetch is set.
func (t tile) loopAMD64(top string, fetch bool) {
	t.Ins("PCALIGN $64") // 2 to 3 % of the speed of a tile hang on it
	t.Label(top)
	for range tileUnroll {
		t.stepAMD64()
	}
	if fetch {
		t.fetchNextAMD64()
	}
	t.Ins("SUBQ $%d, CX", tileUnroll)
	t.Ins("JGE %s", top)
}

// fetchesNext reports whether tiles of this height are many and slow enough to
// fetch what the next one needs.
func (t tile) fetchesNext() bool { return t.rows > 3 }

// fetchNextAMD64 fetches what the next tile will need into the second-level
// cache, every 16 steps: of each row of a the line of these steps, and one row of c.
func (t tile) fetchNextAMD64() {
	fetched := t.NewLabel("fetched")
	t.Ins("TESTQ $12, CX")
	t.Ins("JNE %s", fetched)
	t.Ins("CMPQ R15, $1")
	t.Ins("JEQ %s", fetched)
	t.Ins("MOVQ %s, R14", t.arg("a"))
	t.Ins("ADDQ SI, R14")
	for row := range t.rows {
		if row == 7 {
			t.Ins("LEAQ (R14)(R8*8), R14")
			t.Ins("SUBQ R8, R14")
		}
		t.Ins("PREFETCHT1 %s", strings.Replace(rowAMD64[row%7], "SI", "R14", 1))
	}
	t.Ins("MOVQ %s, R14", t.arg("c"))
	for at := 0; at < t.vectors*t.T.Lanes*4; at += 64 {
		t.Ins("PREFETCHT1 %d(R14)", at)
	}
	t.Ins("ADDQ %s, R14", t.arg("cRow"))
	t.Ins("MOVQ R14, %s", t.arg("c"))
	t.Label(fetched)
}

// rowAMD64 are addresses of the rows of a.
var rowAMD64 = []string{
	"(SI)", "(SI)(R8*1)", "(SI)(R8*2)", "(SI)(R9*1)", "(SI)(R8*4)", "(SI)(R10*1)", "(SI)(R9*2)",
	"(DI)", "(SI)(R8*8)", "(DI)(R8*2)", "(SI)(R10*2)", "(DI)(R8*4)", "(SI)(R9*4)", "(DI)(R9*2)",
}

func (t tile) stepAMD64() {
	first := 30 - max(2, t.vectors) // the registers of b, then two for elements of a
	if t.T.Name == "avx2" {
		first = 14 - max(2, t.vectors)
	}
	size := t.T.Lanes * 4
	for v := range t.vectors {
		t.Ins("VMOVUPS %d(BX), %s", v*size, t.reg(first+v))
	}
	for at := 0; at < t.vectors*size; at += 64 {
		if t.fetchesNext() {
			t.Ins("PREFETCHT0 %d(BX)(AX*1)", at)
		} else {
			t.Ins("PREFETCHT0 %d(BX)", tileAhead+at)
		}
	}
	if t.fetchesNext() {
		t.Ins("PREFETCHT1 %d(SI)", 8*t.rows-4) // of the next tile, where a is read down its columns
	}
	for row := range t.rows {
		element := t.reg(first + max(2, t.vectors) + row%2)
		t.Ins("VBROADCASTSS %s, %s", rowAMD64[row], element)
		for v := range t.vectors {
			t.Ins("VFMADD231PS %s, %s, %s", t.reg(first+v), element, t.acc(row, v))
		}
	}
	t.Ins("ADDQ R13, BX")
	t.Ins("ADDQ R11, SI")
	if t.rows > 7 {
		t.Ins("ADDQ R11, DI")
	}
}

// finishAMD64 stores the sums and moves c to the next tile.
func (t tile) finishAMD64() {
	for row := range t.rows {
		for v := range t.vectors {
			at := v * t.T.Lanes * 4
			if t.masked(v) {
				t.Ins("VMOVUPS %s, K1, %d(DX)", t.acc(row, v), at)
			} else {
				t.Ins("VMOVUPS %s, %d(DX)", t.acc(row, v), at)
			}
		}
		t.Ins("ADDQ AX, DX")
	}
}

// joinAMD64 adds c to the sums if they are to be joined.
func (t tile) joinAMD64() {
	store := t.NewLabel("store")
	t.Ins("CMPQ %s, $%d", t.arg("add"), joined)
	t.Ins("JNE %s", store)
	t.Ins("MOVQ DX, R13")
	for row := range t.rows {
		for v := range t.vectors {
			acc, at := t.acc(row, v), v*t.T.Lanes*4
			if t.masked(v) {
				t.Ins("VADDPS %d(R13), %s, K1, %s", at, acc, acc)
			} else {
				t.Ins("VADDPS %d(R13), %s, %s", at, acc, acc)
			}
		}
		t.Ins("ADDQ AX, R13")
	}
	t.Label(store)
}

// Registers of the arm64 tile: R0 is c, R1 its row stride, R2 the tile's a, R3
// the row stride of a, R4 its step, R5 points into b, R6 counts steps, R7 the
// tiles left, R8 the offset of the step in a, R9 scratch and then the step of
// b, R10 to R17 the rows.
func (t tile) emitARM64() {
	for _, load := range [][2]string{{"c", "R0"}, {"cRow", "R1"}, {"a", "R2"}, {"aRow", "R3"}, {"aStep", "R4"}, {"tiles", "R7"}} {
		t.Ins("MOVD %s, %s", t.arg(load[0]), load[1])
	}
	top, loop, zero, begin := t.NewLabel("tile"), t.NewLabel("steps"), t.NewLabel("zero"), t.NewLabel("begin")
	t.Label(top)
	t.Ins("MOVD %s, R5", t.arg("b"))
	t.Ins("MOVD %s, R6", t.arg("steps"))
	t.Ins("MOVD $0, R8")
	for row := range t.rows {
		t.Ins("MOVD R2, R%d", 10+row)
		t.Ins("ADD R3, R2, R2")
	}
	t.Ins("MOVD %s, R9", t.arg("add"))
	t.Ins("CMP $%d, R9", chained)
	t.Ins("BNE %s", zero)
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
	t.Ins("MOVD %s, R9", t.arg("bStep"))
	t.Label(loop)
	for v := range t.vectors {
		t.Ins("FMOVQ %d(R5), F%d", 16*v, 16+v)
	}
	for row := range t.rows {
		t.Ins("FMOVS (R%d)(R8), F%d", 10+row, 16+max(2, t.vectors)+row)
	}
	for row := range t.rows {
		for v := range t.vectors {
			t.word(0x4F801000, row*t.vectors+v, 16+v, 16+max(2, t.vectors)+row) // FMLA by element 0
		}
	}
	t.Ins("ADD R9, R5, R5")
	t.Ins("ADD R4, R8, R8")
	t.Ins("SUBS $1, R6, R6")
	t.Ins("BNE %s", loop)
	t.joinARM64()
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

// joinARM64 adds c to the sums if they are to be joined.
func (t tile) joinARM64() {
	store := t.NewLabel("store")
	t.Ins("MOVD %s, R9", t.arg("add"))
	t.Ins("CMP $%d, R9", joined)
	t.Ins("BNE %s", store)
	t.Ins("MOVD R0, R9")
	for row := range t.rows {
		for v := range t.vectors {
			t.Ins("FMOVQ %d(R9), F%d", 16*v, 16+v)
			t.word(0x4E20D400, row*t.vectors+v, row*t.vectors+v, 16+v) // FADD
		}
		t.Ins("ADD R1, R9, R9")
	}
	t.Label(store)
}

// emitPackRows writes the copy of steps rows into panels of vectors*Lanes columns,
// apart bytes from one to the next. AVX-512 fills up with zeros where cols, of each
// panel, is less. Loads of a panel wait until those of the one before have come: those
// that run ahead take the few places for misses that what is fetched ahead needs.
func emitPackRows(a *Asm, vectors int) {
	a.FuncIn(fmt.Sprintf("packRowsKernels[%d]", vectors), fmt.Sprintf("packRows%d", vectors),
		Param{"dst", "*float32"}, Param{"src", "*float32"}, Param{"row", "int"}, Param{"steps", "int"}, Param{"cols", "int"},
		Param{"panels", "int"}, Param{"apart", "int"})
	a.loadArgs("dst", "src", "row", "steps", "cols", "panels", "apart")
	dst, src, row, steps, cols, panels, apart := R(0), R(1), R(2), R(3), R(4), R(5), R(6)
	size := a.T.Lanes * 4
	if a.T.Name == "avx512" {
		a.AddImm(cols, -16*(vectors-1))
		a.SetTail(cols)
	}
	to, from, ahead, left := R(7), R(8), R(9), cols
	panel, loop := a.NewLabel("panel"), a.NewLabel("rows")
	a.Label(panel)
	a.Move(to, dst)
	a.Move(from, src)
	a.Move(left, steps)
	a.fetchAhead(ahead, src, row)
	a.fence()
	a.Label(loop)
	a.fetchRow(ahead, vectors*size)
	for v := range vectors {
		if a.T.Name == "avx512" && v == vectors-1 {
			a.LoadTail(N(v), At(from, v*size))
		} else {
			a.Load(N(v), At(from, v*size))
		}
		a.Store(At(to, v*size), N(v))
	}
	a.AddReg(from, row, 0)
	a.AddReg(ahead, row, 0)
	a.AddImm(to, vectors*size)
	a.AddImm(left, -1)
	a.JumpIf(left, "!=", 0, loop)
	a.AddImm(src, vectors*size)
	a.AddReg(dst, apart, 0)
	a.AddImm(panels, -1)
	a.JumpIf(panels, "!=", 0, panel)
	a.Return()
}

// fence makes loads wait for those before, where the processor has a cheap one.
func (a *Asm) fence() {
	if a.amd64() {
		a.Ins("LFENCE")
	}
}

// fetchAhead points ahead at what is to be packed a few rows after src: rows lie
// too far apart for the processor to foresee.
func (a *Asm) fetchAhead(ahead, src, row Reg) {
	a.Move(ahead, src)
	for range 12 {
		a.AddReg(ahead, row, 0)
	}
}

// fetchRow fetches bytes from ahead on, where the processor can be told.
func (a *Asm) fetchRow(ahead Reg, bytes int) {
	if !a.amd64() {
		return
	}
	for at := 0; at < bytes; at += 64 {
		a.Ins("PREFETCHT0 %d(%s)", at, a.Reg(ahead))
	}
}

var packColumnsParams = []Param{
	{"dst", "*float32"}, {"src", "*float32"}, {"row", "int"}, {"groups", "int"}, {"width", "int"},
}

// emitPackColumnsAMD64 writes the transposition of Lanes rows of src, row
// bytes apart, into groups*4 rows of dst, width bytes apart. Four columns at
// a time: each 128-bit lane takes four elements of one of four rows, and a
// 4x4 transposition within the lanes finishes.
func emitPackColumnsAMD64(a *Asm) {
	a.FuncIn("packColumnsKernel", "packColumns", packColumnsParams...)
	quads := a.T.Lanes / 4
	base := []string{"SI", "BX", "DX", "CX"}
	a.Ins("MOVQ %s, DI", a.arg("dst"))
	a.Ins("MOVQ %s, SI", a.arg("src"))
	a.Ins("MOVQ %s, R8", a.arg("row"))
	a.Ins("MOVQ %s, R10", a.arg("groups"))
	a.Ins("MOVQ %s, R11", a.arg("width"))
	a.Ins("LEAQ (R8)(R8*2), R9")
	a.Ins("LEAQ (R11)(R11*2), R12")
	for q := 1; q < quads; q++ {
		a.Ins("LEAQ (%s)(R8*4), %s", base[q-1], base[q])
	}
	loop := a.NewLabel("columns")
	a.Ins("MOVQ R8, R15")
	a.Ins("IMULQ $%d, R15", a.T.Lanes)
	a.Ins("ADDQ SI, R15")
	a.Ins("MOVQ R15, R13")
	a.Ins("MOVQ R10, R14")
	a.Label(loop)
	a.fetchNextColumns()
	for i, index := range []string{"", "(R8*1)", "(R8*2)", "(R9*1)"} {
		a.Ins("VMOVUPS (SI)%s, X%d", index, i)
		for q := 1; q < quads; q++ {
			if quads == 2 {
				a.Ins("VINSERTF128 $1, (%s)%s, Y%d, Y%d", base[q], index, i, i)
			} else {
				a.Ins("VINSERTF32X4 $%d, (%s)%s, Z%d, Z%d", q, base[q], index, i, i)
			}
		}
	}
	r := a.reg
	a.Ins("VUNPCKLPS %s, %s, %s", r(1), r(0), r(4))
	a.Ins("VUNPCKHPS %s, %s, %s", r(1), r(0), r(5))
	a.Ins("VUNPCKLPS %s, %s, %s", r(3), r(2), r(6))
	a.Ins("VUNPCKHPS %s, %s, %s", r(3), r(2), r(7))
	a.Ins("VUNPCKLPD %s, %s, %s", r(6), r(4), r(0))
	a.Ins("VUNPCKHPD %s, %s, %s", r(6), r(4), r(1))
	a.Ins("VUNPCKLPD %s, %s, %s", r(7), r(5), r(2))
	a.Ins("VUNPCKHPD %s, %s, %s", r(7), r(5), r(3))
	for i, index := range []string{"", "(R11*1)", "(R11*2)", "(R12*1)"} {
		a.Ins("VMOVUPS %s, (DI)%s", r(i), index)
	}
	a.Ins("LEAQ (DI)(R11*4), DI")
	for q := range quads {
		a.Ins("ADDQ $16, %s", base[q])
	}
	a.Ins("DECQ R10")
	a.Ins("JNE %s", loop)
	a.Return()
}

// fetchNextColumns fetches as much of the Lanes rows that are transposed next, row
// by row, as one turn of the loop reads of these. R15 points to the row, R13 to
// what is fetched of it, R14 counts the groups left in it.
func (a *Asm) fetchNextColumns() {
	same := a.NewLabel("same")
	for at := 0; at < 16*a.T.Lanes; at += 64 {
		a.Ins("PREFETCHT0 %d(R13)", at)
	}
	a.Ins("ADDQ $%d, R13", 16*a.T.Lanes)
	a.Ins("SUBQ $%d, R14", a.T.Lanes)
	a.Ins("JG %s", same)
	a.Ins("ADDQ R8, R15")
	a.Ins("MOVQ R15, R13")
	a.Ins("MOVQ %s, R14", a.arg("groups"))
	a.Label(same)
}

// emitPackColumnsARM64 is the same for four rows.
func emitPackColumnsARM64(a *Asm) {
	a.FuncIn("packColumnsKernel", "packColumns", packColumnsParams...)
	for i, name := range []string{"dst", "src", "row", "groups", "width"} {
		a.Arg(R(i), name)
	}
	loop := a.NewLabel("columns")
	a.Label(loop)
	a.Ins("MOVD R1, R10")
	for i := range 4 {
		a.Ins("FMOVQ (R10), F%d", i)
		a.Ins("ADD R2, R10, R10")
	}
	const trn1, trn2, trn1d, trn2d = 0x4E802800, 0x4E806800, 0x4EC02800, 0x4EC06800
	a.word(trn1, 4, 0, 1)
	a.word(trn2, 5, 0, 1)
	a.word(trn1, 6, 2, 3)
	a.word(trn2, 7, 2, 3)
	a.word(trn1d, 0, 4, 6)
	a.word(trn1d, 1, 5, 7)
	a.word(trn2d, 2, 4, 6)
	a.word(trn2d, 3, 5, 7)
	for i := range 4 {
		a.Ins("FMOVQ F%d, (R0)", i)
		a.AddReg(R(0), R(4), 0)
	}
	a.AddImm(R(1), 16)
	a.AddImm(R(3), -1)
	a.JumpIf(R(3), "!=", 0, loop)
	a.Return()
}
