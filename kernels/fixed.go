package kernels

import (
	"math"
	"unsafe"
)

// fixedBlock is how many neighbouring inputs share a power of two at most, so
// that sums of their products with bytes fit an int32.
const fixedBlock = 128

// A fixedRun is a part of every row that is cut into segments of equal length,
// each of which is summed in whole numbers: groups, or where those are longer than
// a block, the blocks of one group.
type fixedRun struct {
	first, inputs     int  // the first input, and those of a segment
	segment, segments int  // the number of the first segment, and how many there are
	group             int  // of the first segment
	shared            bool // all segments are of that group
}

// fixedRuns cuts rows of k inputs in groups. A segment begins at a multiple of 8.
func fixedRuns(k, group int) (runs []fixedRun) {
	segment := 0
	add := func(first, inputs, segments, group int, shared bool) {
		if inputs > 0 && segments > 0 {
			runs = append(runs, fixedRun{first, inputs, segment, segments, group, shared})
			segment += segments
		}
	}
	if group <= fixedBlock {
		whole := k / group
		add(0, group, whole, 0, false)
		add(whole*group, k-whole*group, 1, whole, true)
		return runs
	}
	for g := range Groups(k, group) {
		first, inputs := g*group, min(group, k-g*group)
		whole := inputs / fixedBlock
		add(first, fixedBlock, whole, g, true)
		add(first+whole*fixedBlock, inputs%fixedBlock, 1, g, true)
	}
	return runs
}

// A fixedFact is what a product must know of a segment of a row: the sums of the
// high and low parts of its numbers and the power of two.
type fixedFact struct {
	high, low int32
	power     float32
}

// fixedRows are rows of whole numbers v = high·2^16 + low. How the parts lie, and
// where one ends and the next begins, is up to the instruction set.
type fixedRows struct {
	on         isa
	numbers    []float32 // room of [m, row/4]
	plane, row int       // bytes from one part of a row to the next, and of a row
	facts      []fixedFact
	segments   int // of a row
}

// mostPlanes is how many parts numbers have at most.
const mostPlanes = 3

// fixedISA is the instruction set on which whole numbers are multiplied where i is
// in use.
func fixedISA(i isa) isa {
	if i == avx512 && !hasVNNI {
		return avx2
	}
	return i
}

// planes says how many parts numbers have, and the bytes of each.
func (i isa) planes() (count, bytes int) {
	switch i {
	case avx512:
		return 3, 1
	case avx2:
		return 2, 2
	}
	return 2, 4
}

// newFixedRows rounds the rows of x [m, k]. What it returns lies in buf.
func newFixedRows(buf *scratch, x []float32, m, k int, runs []fixedRun) fixedRows {
	last := runs[len(runs)-1]
	f := fixedRows{on: fixedISA(current()), segments: last.segment + last.segments}
	count, bytes := f.on.planes()
	f.plane = (k + 31) / 16 * 16 * bytes // whole vectors may be written beyond k
	f.row = count * f.plane
	const fact = int(unsafe.Sizeof(fixedFact{}) / 4)
	space := buf.floats(m * (f.row/4 + fact*f.segments))
	f.numbers = space[fact*m*f.segments:]
	f.facts = unsafe.Slice((*fixedFact)(unsafe.Pointer(&space[0])), m*f.segments)
	fixings.run(m, rowsPerTask(k), fixing{f, x, k, runs})
	return f
}

// at is where a row has an input.
func (f *fixedRows) at(row, input int) *int8 {
	_, bytes := f.on.planes()
	return offset((*int8)(unsafe.Pointer(&f.numbers[row*f.row/4])), input*bytes)
}

// fact is that of a segment of a row.
func (f *fixedRows) fact(row, segment int) *fixedFact { return &f.facts[row*f.segments+segment] }

// factRow is the distance of rows of facts in bytes.
func (f *fixedRows) factRow() int { return f.segments * int(unsafe.Sizeof(fixedFact{})) }

// dots sets c [rows, parts, 32] to sums of products of parts of some rows, from
// input on, with so many words of bytes.
func (f *fixedRows) dots(c *int32, words *uint32, row, rows, input, steps int) {
	if f.on == avx512 {
		intRows(avx512, c, f.at(row, input), words, f.plane, steps, mostPlanes*rows)
		return
	}
	kernel := dotKernel.on(f.on)
	for r := range rows {
		kernel(offset(c, 4*2*panelRows*r), f.at(row+r, input), words, f.plane, steps)
	}
}

// A fixing is a call that rounds rows.
type fixing struct {
	fixedRows
	x    []float32
	k    int
	runs []fixedRun
}

var fixings = inPieces(func(a *fixing, from, to int) {
	for row := from; row < to; row++ {
		x := a.x[row*a.k : (row+1)*a.k]
		for _, r := range a.runs {
			a.fix(x, row, r)
		}
	}
})

// fix rounds one run of a row.
func (a *fixing) fix(x []float32, row int, r fixedRun) {
	each := max(1, fixedBlock/r.inputs)
	for s := 0; s < r.segments; s += each {
		n := min(each, r.segments-s)
		first := r.first + s*r.inputs
		part := x[first : first+n*r.inputs]
		power, inverse := fixedPower(absMaxes.on(a.on)(part))
		fact := a.fact(row, r.segment+s)
		fixKernel.on(a.on)(a.at(row, first), &part[0], inverse, a.plane, n, r.inputs, fact)
		for i := range n {
			a.fact(row, r.segment+s+i).power = power
		}
	}
}

// fixedPower returns the power of two that brings numbers up to largest below
// 127·(2^16+2^8+1), and its inverse; 0 and 0 where all are 0, NaN and 0 where
// largest is NaN.
func fixedPower(largest float32) (power, inverse float32) {
	if !(largest > 0) {
		return largest, 0
	}
	exponent := max((math.Float32bits(largest)+0x10101)>>23, 23)
	return math.Float32frombits((exponent - 22) << 23), math.Float32frombits((276 - exponent) << 23)
}
