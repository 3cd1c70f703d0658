package kernels

import (
	"fmt"
	"unsafe"
)

// hugePage is the size of the pages that large regions ask for, in bytes.
const hugePage = 2 << 20

// An Arena is one region of memory that arrays are cut from, one behind the
// other. A region of more than a huge page begins at one, and asks the system
// for huge pages where it has any (Linux); elsewhere, and where the system
// refuses, it is memory like any other. It belongs to the garbage collector,
// which counts it and frees it when no array of it is left: nothing needs to
// be closed, and an array that outlives its model is sound.
type Arena struct {
	rest   []float32
	counts bool // nothing is cut yet, only counted
	cut    int
}

// NewArena returns a region of n zeros.
func NewArena(n int) *Arena {
	const page = hugePage / 4
	if n < page {
		return &Arena{rest: make([]float32, n)}
	}
	region := make([]float32, n+page)
	if off := uintptr(unsafe.Pointer(&region[0])) % hugePage; off != 0 {
		region = region[(hugePage-off)/4:]
	}
	region = region[:n:n]
	wantHugePages(region[:n/page*page])
	return &Arena{rest: region}
}

// Floats cuts an array of n zeros. It panics where the region has no room for it.
func (a *Arena) Floats(n int) []float32 {
	a.cut += n
	if a.counts {
		return nil
	}
	if n < 0 || n > len(a.rest) {
		panic(fmt.Sprintf("kernels: an array of %d, where an arena has room for %d", n, len(a.rest)))
	}
	x := a.rest[:n:n]
	a.rest = a.rest[n:]
	return x
}

// Place returns what build makes of one region, which is just as large as the
// arrays that build cuts. It calls build twice, the first time to count: then
// the arrays are nil, and what build returns is dropped.
func Place[T any](build func(a *Arena) T) T {
	count := &Arena{counts: true}
	build(count)
	return build(NewArena(count.cut))
}
