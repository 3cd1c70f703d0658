package main

import (
	"bytes"
	"fmt"
	"math"
	"slices"
	"strings"
)

// A Target is an instruction set as the emitters see it.
type Target struct {
	Name   string // as kernels.Names gives it; also the constant in dispatch.go
	Suffix string // of function names
	Arch   string // GOARCH, in file names
	Lanes  int    // float32 lanes of one native vector
	Native int    // native vectors that emitters may use; the back end keeps the rest
}

// Targets are the instruction sets that kernels are written for.
var Targets = []Target{
	{Name: "avx512", Suffix: "AVX512", Arch: "amd64", Lanes: 16, Native: 31},
	{Name: "avx2", Suffix: "AVX2", Arch: "amd64", Lanes: 8, Native: 14},
	{Name: "neon", Suffix: "NEON", Arch: "arm64", Lanes: 4, Native: 28},
}

// Parts is how many native vectors make one wide vector of 16 lanes.
func (t Target) Parts() int { return 16 / t.Lanes }

// Wides is how many wide vectors there are: W(0) to W(Wides-1).
func (t Target) Wides() int { return t.Native / t.Parts() }

// A Vec is an operand of the vector methods of Asm: N, one native vector, or
// W, a wide vector of 16 lanes that is 1, 2 or 4 native ones. An emitter that
// uses W is written once for all targets, and its sums have the same 16 lanes
// everywhere. W(i) is N(i*Parts) and the following ones, so W and N must not
// be mixed without care.
type Vec interface{ natives(parts int) []int }

// N is one native vector, by its number.
type N int

// W is one wide vector of 16 lanes, by its number.
type W int

func (v N) natives(int) []int { return []int{int(v)} }

func (v W) natives(parts int) []int {
	all := make([]int, parts)
	for p := range all {
		all[p] = int(v)*parts + p
	}
	return all
}

// A Reg is one of the general registers R(0) to R(9) of a function.
type Reg int

// R names a general register; there are ten for emitters.
func R(i int) Reg {
	if i < 0 || i > 9 {
		panic(fmt.Sprintf("gen: no register R(%d)", i))
	}
	return Reg(i)
}

// A Mem is an address: Base + Index*Scale + Disp, in bytes. Scale 0 means no index.
type Mem struct {
	Base  Reg
	Index Reg
	Scale int
	Disp  int
}

// At is the address in base plus disp bytes.
func At(base Reg, disp int) Mem { return Mem{Base: base, Disp: disp} }

// A Param is a parameter of an assembly function. Types of 8 bytes (pointers,
// int, float64), of 4 (float32, int32, uint32) and slices are known; the words
// of slice x are x_base and x_len. A last parameter called ret is the result.
type Param struct{ Name, Type string }

func (p Param) slice() bool { return strings.HasPrefix(p.Type, "[]") }

func (p Param) size() int {
	switch {
	case p.Type == "float32" || p.Type == "int32" || p.Type == "uint32":
		return 4
	case p.slice():
		return 24
	}
	return 8
}

// place returns the offset of p when everything before it ends at offset.
func (p Param) place(offset int) int {
	align := min(p.size(), 8)
	if p.Name == "ret" {
		align = 8
	}
	return (offset + align - 1) / align * align
}

// A Func is one emitted function, kept to declare it in Go.
type Func struct {
	Name   string // without suffix
	Table  string // Go expression of the table that the function goes into
	Params []Param
	Target Target
}

// table is where the Go code finds the function: by default NAMEKernel.
func (f Func) table() string {
	if f.Table != "" {
		return f.Table
	}
	return f.Name + "Kernel"
}

// Asm writes the functions of one .s file for one target at a time.
type Asm struct {
	T      Target
	text   bytes.Buffer
	funcs  []Func
	params map[string]int // offset in the argument frame
	labels int
	consts []uint32       // bits of the float32 constants in read-only data
	tail   Reg            // elements of the tail, for LoadTail and StoreTail
	pinned map[uint32]int // constants that stand in a native vector of their own
}

// Ins writes one instruction or any line of assembly.
func (a *Asm) Ins(format string, args ...any) {
	a.text.WriteByte('\t')
	fmt.Fprintf(&a.text, format, args...)
	a.text.WriteByte('\n')
}

// Comment writes a comment line.
func (a *Asm) Comment(format string, args ...any) { a.Ins("// "+format, args...) }

// Func begins a function that Go sees as nameSUFFIX(params...). End it with Return.
// Go code calls it through the table "nameKernel", made with implement.
func (a *Asm) Func(name string, params ...Param) { a.FuncIn("", name, params...) }

// FuncIn is Func with the Go expression of the table, such as "tiles[3]".
func (a *Asm) FuncIn(table, name string, params ...Param) {
	a.params, a.pinned = map[string]int{}, map[uint32]int{}
	offset := 0
	for _, p := range params {
		offset = p.place(offset)
		a.params[p.Name] = offset
		if p.slice() {
			a.params[p.Name+"_base"], a.params[p.Name+"_len"] = offset, offset+8
		}
		offset += p.size()
	}
	a.funcs = append(a.funcs, Func{name, table, params, a.T})
	fmt.Fprintf(&a.text, "\n// func %s%s%s\nTEXT ·%s%s(SB), NOSPLIT, $0-%d\n",
		name, a.T.Suffix, signature(params), name, a.T.Suffix, offset)
}

func signature(params []Param) string {
	var parts []string
	result := ""
	for _, p := range params {
		if p.Name == "ret" {
			result = " " + p.Type
			continue
		}
		parts = append(parts, p.Name+" "+p.Type)
	}
	return "(" + strings.Join(parts, ", ") + ")" + result
}

// Return leaves the function. On amd64 the upper vector halves are cleared
// first: left dirty, they slow down all scalar code that follows.
func (a *Asm) Return() {
	if a.amd64() {
		a.Ins("VZEROUPPER")
	}
	a.Ins("RET")
}

func (a *Asm) amd64() bool { return a.T.Arch == "amd64" }

// ---- general registers

var (
	amd64Regs = []string{"AX", "BX", "CX", "DX", "SI", "DI", "R8", "R9", "R10", "R11"}
	arm64Regs = []string{"R0", "R1", "R2", "R3", "R4", "R5", "R6", "R7", "R8", "R9"}
)

// Reg is the assembler's name of r. On amd64 R12, R13 and R15 and on arm64
// R10 to R17 are scratch of the back end or free for hand-written lines.
func (a *Asm) Reg(r Reg) string {
	if a.amd64() {
		return amd64Regs[r]
	}
	return arm64Regs[r]
}

// Arg loads a parameter of 8 bytes into r.
func (a *Asm) Arg(r Reg, name string) {
	op := "MOVD"
	if a.amd64() {
		op = "MOVQ"
	}
	a.Ins("%s %s, %s", op, a.arg(name), a.Reg(r))
}

func (a *Asm) arg(name string) string {
	offset, ok := a.params[name]
	if !ok {
		panic("gen: no parameter " + name)
	}
	return fmt.Sprintf("%s+%d(FP)", name, offset)
}

// StoreArg stores r in a parameter, which serves as a variable in memory.
func (a *Asm) StoreArg(name string, r Reg) {
	if a.amd64() {
		a.Ins("MOVQ %s, %s", a.Reg(r), a.arg(name))
	} else {
		a.Ins("MOVD %s, %s", a.Reg(r), a.arg(name))
	}
}

// SetImm sets dst to value. Like Move, AddImm, AddReg, SubReg and ShiftImm it
// works on 64-bit registers.
func (a *Asm) SetImm(dst Reg, value int) {
	if a.amd64() {
		a.Ins("MOVQ $%d, %s", value, a.Reg(dst))
	} else {
		a.Ins("MOVD $%d, %s", value, a.Reg(dst))
	}
}

// Move copies src to dst.
func (a *Asm) Move(dst, src Reg) {
	if a.amd64() {
		a.Ins("MOVQ %s, %s", a.Reg(src), a.Reg(dst))
	} else {
		a.Ins("MOVD %s, %s", a.Reg(src), a.Reg(dst))
	}
}

// AddImm adds value to dst.
func (a *Asm) AddImm(dst Reg, value int) {
	if a.amd64() {
		a.Ins("ADDQ $%d, %s", value, a.Reg(dst))
	} else {
		a.Ins("ADD $%d, %s", value, a.Reg(dst))
	}
}

// AddReg adds src<<shift to dst, with shift 0 to 3.
func (a *Asm) AddReg(dst, src Reg, shift int) {
	d, s := a.Reg(dst), a.Reg(src)
	switch {
	case a.amd64() && shift == 0:
		a.Ins("ADDQ %s, %s", s, d)
	case a.amd64():
		a.Ins("LEAQ (%s)(%s*%d), %s", d, s, 1<<shift, d)
	default:
		a.Ins("ADD %s<<%d, %s, %s", s, shift, d, d)
	}
}

// SubReg subtracts src from dst.
func (a *Asm) SubReg(dst, src Reg) {
	if a.amd64() {
		a.Ins("SUBQ %s, %s", a.Reg(src), a.Reg(dst))
	} else {
		a.Ins("SUB %s, %s, %s", a.Reg(src), a.Reg(dst), a.Reg(dst))
	}
}

// ShiftImm shifts dst left by left bits.
func (a *Asm) ShiftImm(dst Reg, left int) {
	if a.amd64() {
		a.Ins("SHLQ $%d, %s", left, a.Reg(dst))
	} else {
		a.Ins("LSL $%d, %s, %s", left, a.Reg(dst), a.Reg(dst))
	}
}

// NewLabel returns a label that no other has.
func (a *Asm) NewLabel(name string) string {
	a.labels++
	return fmt.Sprintf("%s_%d", name, a.labels)
}

// Label marks a place in the code.
func (a *Asm) Label(label string) { fmt.Fprintf(&a.text, "%s:\n", label) }

// Jump goes to label.
func (a *Asm) Jump(label string) {
	if a.amd64() {
		a.Ins("JMP %s", label)
	} else {
		a.Ins("B %s", label)
	}
}

// JumpIf goes to label if "r cond value", signed; cond is one of < <= > >= == !=.
func (a *Asm) JumpIf(r Reg, cond string, value int, label string) {
	amd := map[string]string{"<": "JLT", "<=": "JLE", ">": "JGT", ">=": "JGE", "==": "JEQ", "!=": "JNE"}
	arm := map[string]string{"<": "BLT", "<=": "BLE", ">": "BGT", ">=": "BGE", "==": "BEQ", "!=": "BNE"}
	if a.amd64() {
		a.Ins("CMPQ %s, $%d", a.Reg(r), value)
		a.Ins("%s %s", amd[cond], label)
	} else {
		a.Ins("CMP $%d, %s", value, a.Reg(r))
		a.Ins("%s %s", arm[cond], label)
	}
}

// Loop16 runs body for every 16 of the n elements, then once more with tail
// true if up to 15 are left. n is counted down. body loads and stores wide
// vectors with LoadPart and StorePart, giving them its own argument. The
// pointers, in elements of 4 bytes, advance by themselves.
func (a *Asm) Loop16(n Reg, pointers []Reg, body func(tail bool)) {
	top, last, end := a.NewLabel("loop"), a.NewLabel("tail"), a.NewLabel("done")
	a.Label(top)
	a.JumpIf(n, "<", 16, last)
	body(false)
	for _, p := range pointers {
		a.AddImm(p, 64)
	}
	a.AddImm(n, -16)
	a.Jump(top)
	a.Label(last)
	a.JumpIf(n, "<=", 0, end)
	a.SetTail(n)
	body(true)
	a.Label(end)
}

// LoadPart loads a wide vector, or its first elements where tail is set.
func (a *Asm) LoadPart(dst W, m Mem, tail bool) {
	if tail {
		a.LoadTail(dst, m)
	} else {
		a.Load(dst, m)
	}
}

// StorePart stores a wide vector, or its first elements where tail is set.
func (a *Asm) StorePart(m Mem, src W, tail bool) {
	if tail {
		a.StoreTail(m, src)
	} else {
		a.Store(m, src)
	}
}

// ---- vectors: names, loads and stores

// reg is the assembler's name of native vector i.
func (a *Asm) reg(i int) string {
	switch a.T.Name {
	case "avx512":
		return fmt.Sprintf("Z%d", i)
	case "avx2":
		if a.T.Lanes == 4 {
			return fmt.Sprintf("X%d", i)
		}
		return fmt.Sprintf("Y%d", i)
	}
	return fmt.Sprintf("V%d", i)
}

// scratch is the back end's own vector: Z31, Y15 or V31. Y14, V28, V29 and
// V30 are its too.
func (a *Asm) scratch() int {
	return map[string]int{"avx512": 31, "avx2": 15, "neon": 31}[a.T.Name]
}

// each calls f with the native registers of every part of the operands.
func (a *Asm) each(f func(part int, r []int), operands ...Vec) {
	all := make([][]int, len(operands))
	for i, v := range operands {
		all[i] = v.natives(a.T.Parts())
	}
	for part := range all[0] {
		r := make([]int, len(operands))
		for i := range operands {
			r[i] = all[i][part]
		}
		f(part, r)
	}
}

func (a *Asm) address(m Mem) string {
	text := ""
	if m.Disp != 0 {
		text = fmt.Sprint(m.Disp)
	}
	text += "(" + a.Reg(m.Base) + ")"
	if m.Scale != 0 {
		if !a.amd64() {
			panic("gen: address not resolved")
		}
		text += fmt.Sprintf("(%s*%d)", a.Reg(m.Index), m.Scale)
	}
	return text
}

// resolve returns an operand for m on arm64, with R16 as scratch when m has an index.
func (a *Asm) resolve(m Mem, disp int) string {
	base := a.Reg(m.Base)
	if m.Scale != 0 {
		shift := map[int]int{1: 0, 2: 1, 4: 2, 8: 3}[m.Scale]
		a.Ins("ADD %s<<%d, %s, R16", a.Reg(m.Index), shift, base)
		base = "R16"
	}
	if m.Disp+disp == 0 {
		return "(" + base + ")"
	}
	return fmt.Sprintf("%d(%s)", m.Disp+disp, base)
}

func (m Mem) plus(bytes int) Mem { m.Disp += bytes; return m }

// Load fills dst from memory; addresses need no alignment.
func (a *Asm) Load(dst Vec, m Mem) {
	a.each(func(part int, r []int) {
		at := part * a.T.Lanes * 4
		if a.amd64() {
			a.Ins("VMOVUPS %s, %s", a.address(m.plus(at)), a.reg(r[0]))
		} else {
			a.Ins("FMOVQ %s, F%d", a.resolve(m, at), r[0])
		}
	}, dst)
}

// Store writes src to memory.
func (a *Asm) Store(m Mem, src Vec) {
	a.each(func(part int, r []int) {
		at := part * a.T.Lanes * 4
		if a.amd64() {
			a.Ins("VMOVUPS %s, %s", a.reg(r[0]), a.address(m.plus(at)))
		} else {
			a.Ins("FMOVQ F%d, %s", r[0], a.resolve(m, at))
		}
	}, src)
}

// SetTail prepares LoadTail and StoreTail for the first n elements, 0 < n <
// 16 for W and 0 < n < Lanes for N. n must keep its value while they are used.
func (a *Asm) SetTail(n Reg) {
	a.tail = n
	switch a.T.Name {
	case "avx512":
		a.Ins("MOVL $-1, R13")
		a.Ins("BZHIL %s, R13, R13", a.Reg(n))
		a.Ins("KMOVW R13, K1")
	case "avx2":
		a.Ins("LEAQ tailMask<>(SB), R13")
		a.Ins("MOVQ %s, R12", a.Reg(n))
		a.Ins("NEGQ R12")
	}
}

// LoadTail loads the first n elements and zeros the others. Memory beyond
// them is not touched.
func (a *Asm) LoadTail(dst Vec, m Mem) {
	switch a.T.Name {
	case "avx512":
		a.each(func(_ int, r []int) { a.Ins("VMOVUPS.Z %s, K1, Z%d", a.address(m), r[0]) }, dst)
	case "avx2":
		a.each(func(part int, r []int) {
			a.Ins("VMOVUPS %d(R13)(R12*4), Y15", 64+32*part)
			a.Ins("VMASKMOVPS %s, Y15, Y%d", a.address(m.plus(32*part)), r[0])
		}, dst)
	default:
		a.Zero(dst)
		a.lanes(dst, func(element, r, lane int) {
			a.Ins("MOVWU %s, R17", a.resolve(m, 4*element))
			a.Ins("VMOV R17, V%d.S[%d]", r, lane)
		})
	}
}

// StoreTail stores the first n elements and leaves memory beyond them alone.
func (a *Asm) StoreTail(m Mem, src Vec) {
	switch a.T.Name {
	case "avx512":
		a.each(func(_ int, r []int) { a.Ins("VMOVUPS Z%d, K1, %s", r[0], a.address(m)) }, src)
	case "avx2":
		a.each(func(part int, r []int) {
			a.Ins("VMOVUPS %d(R13)(R12*4), Y15", 64+32*part)
			a.Ins("VMASKMOVPS Y%d, Y15, %s", r[0], a.address(m.plus(32*part)))
		}, src)
	default:
		a.lanes(src, func(element, r, lane int) {
			a.Ins("VMOV V%d.S[%d], R17", r, lane)
			a.Ins("MOVW R17, %s", a.resolve(m, 4*element))
		})
	}
}

// lanes calls f for each lane of v below the tail's length (NEON).
func (a *Asm) lanes(v Vec, f func(element, r, lane int)) {
	end := a.NewLabel("lanes")
	a.each(func(part int, r []int) {
		for lane := range 4 {
			a.JumpIf(a.tail, "<=", 4*part+lane, end)
			f(4*part+lane, r[0], lane)
		}
	}, v)
	a.Label(end)
}

// Broadcast fills all lanes of dst with the float32 at m.
func (a *Asm) Broadcast(dst Vec, m Mem) {
	if a.amd64() {
		a.each(func(_ int, r []int) { a.Ins("VBROADCASTSS %s, %s", a.address(m), a.reg(r[0])) }, dst)
		return
	}
	a.Ins("MOVWU %s, R17", a.resolve(m, 0))
	a.duplicate(dst)
}

// BroadcastArg fills all lanes of dst with a float32 parameter.
func (a *Asm) BroadcastArg(dst Vec, name string) {
	if a.amd64() {
		a.each(func(_ int, r []int) { a.Ins("VBROADCASTSS %s, %s", a.arg(name), a.reg(r[0])) }, dst)
		return
	}
	a.Ins("MOVWU %s, R17", a.arg(name))
	a.duplicate(dst)
}

// Const fills all lanes of dst with value.
func (a *Asm) Const(dst Vec, value float32) { a.ConstBits(dst, math.Float32bits(value)) }

// ConstBits fills all 32-bit lanes of dst with bits.
func (a *Asm) ConstBits(dst Vec, bits uint32) {
	pin, isPinned := a.pinned[bits]
	switch {
	case isPinned:
		a.each(func(_ int, r []int) { a.move(r[0], pin) }, dst)
	case bits == 0:
		a.Zero(dst)
	case a.amd64():
		a.each(func(_ int, r []int) { a.Ins("VBROADCASTSS %s, %s", a.constant(bits), a.reg(r[0])) }, dst)
	default:
		a.Ins("MOVD $0x%08X, R17", bits)
		a.duplicate(dst)
	}
}

// Pin keeps constants in native vectors of their own for the rest of the
// function, from the last one down, where the target has vectors to spare.
func (a *Asm) Pin(values ...float32) {
	if a.T.Name != "avx512" {
		return
	}
	for _, v := range values {
		bits := math.Float32bits(v)
		if _, twice := a.pinned[bits]; !twice {
			v := a.T.Native - 1 - len(a.pinned)
			a.ConstBits(N(v), bits)
			a.pinned[bits] = v
		}
	}
}

// operand returns a native vector with value in all lanes: a pinned one or the
// scratch vector.
func (a *Asm) operand(value float32) int {
	if pin, ok := a.pinned[math.Float32bits(value)]; ok {
		return pin
	}
	s := a.scratch()
	a.Const(N(s), value)
	return s
}

// constant is the address of a float32 in read-only data (amd64).
func (a *Asm) constant(bits uint32) string {
	if !slices.Contains(a.consts, bits) {
		a.consts = append(a.consts, bits)
	}
	return fmt.Sprintf("const%08X<>(SB)", bits)
}

func (a *Asm) duplicate(dst Vec) {
	a.each(func(_ int, r []int) { a.Ins("VDUP R17, V%d.S4", r[0]) }, dst)
}

// Zero clears dst.
func (a *Asm) Zero(dst Vec) { a.Xor(dst, dst, dst) }

// Copy sets dst to src.
func (a *Asm) Copy(dst, src Vec) {
	a.each(func(_ int, r []int) { a.move(r[0], r[1]) }, dst, src)
}

func (a *Asm) move(dst, src int) {
	switch {
	case dst == src:
	case a.amd64():
		a.Ins("VMOVAPS %s, %s", a.reg(src), a.reg(dst))
	default:
		a.word(0x4EA01C00, dst, src, src)
	}
}

// ---- vectors: arithmetic

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

// AndNot sets dst to the bits of y that x lacks.
func (a *Asm) AndNot(dst, x, y Vec) {
	if a.amd64() {
		a.three("VANDNPS", 0, dst, x, y)
	} else {
		a.three("", 0x4E601C00, dst, y, x)
	}
}

// IntAdd sets dst = x + y in int32.
func (a *Asm) IntAdd(dst, x, y Vec) { a.three("VPADDD", 0x4EA08400, dst, x, y) }

// IntSub sets dst = x - y in int32.
func (a *Asm) IntSub(dst, x, y Vec) { a.three("VPSUBD", 0x6EA08400, dst, x, y) }

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

// ---- float64 lanes: two vectors hold what one float32 vector does

// Widen converts to float64: lo gets lanes 0 to 7, hi lanes 8 to 15. Neither
// may be x. Vectors are wide.
func (a *Asm) Widen(lo, hi, x W) {
	parts := a.T.Parts()
	both := append(lo.natives(parts), hi.natives(parts)...)
	for part, r := range x.natives(parts) {
		a.widen(both[2*part], both[2*part+1], r)
	}
}

func (a *Asm) widen(lo, hi, x int) {
	switch a.T.Name {
	case "avx512":
		a.Ins("VEXTRACTF32X8 $1, Z%d, Y31", x)
		a.Ins("VCVTPS2PD Y%d, Z%d", x, lo)
		a.Ins("VCVTPS2PD Y31, Z%d", hi)
	case "avx2":
		a.Ins("VEXTRACTF128 $1, Y%d, X15", x)
		a.Ins("VCVTPS2PD X%d, Y%d", x, lo)
		a.Ins("VCVTPS2PD X15, Y%d", hi)
	default:
		a.word(0x0E617800, lo, x, 0)
		a.word(0x4E617800, hi, x, 0)
	}
}

// Narrow is the inverse of Widen, rounding to nearest. dst may not be lo or hi.
func (a *Asm) Narrow(dst, lo, hi W) {
	parts := a.T.Parts()
	both := append(lo.natives(parts), hi.natives(parts)...)
	for part, r := range dst.natives(parts) {
		a.narrow(r, both[2*part], both[2*part+1])
	}
}

func (a *Asm) narrow(dst, lo, hi int) {
	switch a.T.Name {
	case "avx512":
		a.Ins("VCVTPD2PS Z%d, Y31", hi)
		a.Ins("VCVTPD2PS Z%d, Y%d", lo, dst)
		a.Ins("VINSERTF32X8 $1, Y31, Z%d, Z%d", dst, dst)
	case "avx2":
		a.Ins("VCVTPD2PSY Y%d, X15", hi)
		a.Ins("VCVTPD2PSY Y%d, X%d", lo, dst)
		a.Ins("VINSERTF128 $1, X15, Y%d, Y%d", dst, dst)
	default:
		a.word(0x0E616800, dst, lo, 0)
		a.word(0x4E616800, dst, hi, 0)
	}
}

// Add64 is Add in float64.
func (a *Asm) Add64(dst, x, y Vec) { a.three("VADDPD", 0x4E60D400, dst, x, y) }

// Sub64 is Sub in float64.
func (a *Asm) Sub64(dst, x, y Vec) { a.three("VSUBPD", 0x4EE0D400, dst, x, y) }

// Mul64 is Mul in float64.
func (a *Asm) Mul64(dst, x, y Vec) { a.three("VMULPD", 0x6E60DC00, dst, x, y) }

// Fma64 is Fma in float64.
func (a *Asm) Fma64(acc, x, y Vec) { a.three("VFMADD231PD", 0x4E60CC00, acc, x, y) }

// ---- files

// An Op is a family of functions that share the files NAME_ARCH.s and
// NAME_ARCH.go. Emit is called once for each target.
type Op struct {
	Name string
	Emit func(a *Asm)
}

// Ops are all families; each emitter's file adds its own in an init function.
var Ops []Op

// Files returns the text of the files that op needs, by name.
func (op Op) Files() map[string][]byte {
	files := map[string][]byte{}
	for _, arch := range []string{"amd64", "arm64"} {
		a := &Asm{}
		for _, a.T = range Targets {
			if a.T.Arch == arch {
				op.Emit(a)
			}
		}
		if len(a.funcs) > 0 {
			files[op.Name+"_"+arch+".s"] = a.assembly()
			files[op.Name+"_"+arch+".go"] = a.declarations()
		}
	}
	return files
}

const header = "// Code generated by go generate ./kernels; DO NOT EDIT.\n\n"

func (a *Asm) assembly() []byte {
	var file bytes.Buffer
	file.WriteString(header + "#include \"textflag.h\"\n")
	for _, bits := range a.consts {
		fmt.Fprintf(&file, "\nDATA const%08X<>+0(SB)/4, $0x%08X\nGLOBL const%08X<>(SB), RODATA|NOPTR, $4\n", bits, bits, bits)
	}
	if bytes.Contains(a.text.Bytes(), []byte("tailMask<>")) {
		file.WriteString("\n// 16 lanes on, 16 lanes off.\n")
		for i := range 8 {
			fmt.Fprintf(&file, "DATA tailMask<>+%d(SB)/8, $-1\n", 8*i)
		}
		for i := range 8 {
			fmt.Fprintf(&file, "DATA tailMask<>+%d(SB)/8, $0\n", 64+8*i)
		}
		file.WriteString("GLOBL tailMask<>(SB), RODATA|NOPTR, $128\n")
	}
	file.Write(a.text.Bytes())
	return file.Bytes()
}

func (a *Asm) declarations() []byte {
	var file bytes.Buffer
	file.WriteString(header + "package kernels\n\nfunc init() {\n")
	for _, f := range a.funcs {
		fmt.Fprintf(&file, "\t%s.add(%s, %s%s)\n", f.table(), f.Target.Name, f.Name, f.Target.Suffix)
	}
	file.WriteString("}\n")
	for _, f := range a.funcs {
		fmt.Fprintf(&file, "\n//go:noescape\nfunc %s%s%s\n", f.Name, f.Target.Suffix, signature(f.Params))
	}
	return file.Bytes()
}
