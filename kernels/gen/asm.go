package main

import (
	"bytes"
	"fmt"
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
