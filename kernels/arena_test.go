package kernels

import (
	"runtime"
	"slices"
	"testing"
	"unsafe"
)

func TestArenaCutsZerosSideBySide(t *testing.T) {
	for _, n := range []int{0, 1, 1000, hugePage/4 - 1, hugePage / 4, 3*hugePage/4 + 5} {
		for round := range 3 { // the collector hands out memory again
			a := NewArena(n)
			first, second := a.Floats(n/3), a.Floats(n-n/3)
			if i := slices.IndexFunc(append(first, second...), func(v float32) bool { return v != 0 }); i >= 0 {
				t.Fatalf("%d floats, round %d: element %d is not 0", n, round, i)
			}
			for _, x := range [][]float32{first, second} {
				for i := range x {
					x[i] = 1
				}
			}
			if n > 0 && (cap(first) != n/3 || &second[:1][0] != (*float32)(unsafe.Add(unsafe.Pointer(unsafe.SliceData(first)), n/3*4))) {
				t.Errorf("%d floats: the arrays overlap or leave a gap", n)
			}
			if at := uintptr(unsafe.Pointer(unsafe.SliceData(first))); n >= hugePage/4 && at%hugePage != 0 {
				t.Errorf("%d floats begin at %#x, inside a huge page", n, at)
			}
			runtime.GC()
		}
	}
}

func TestArenaThatIsTooSmall(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("no panic")
		}
	}()
	NewArena(10).Floats(11)
}

func TestPlaceTakesWhatIsCut(t *testing.T) {
	arrays := Place(func(a *Arena) [2][]float32 { return [2][]float32{a.Floats(5), a.Floats(7)} })
	if len(arrays[0]) != 5 || len(arrays[1]) != 7 || cap(arrays[1]) != 7 {
		t.Errorf("arrays of %d and %d, room for %d", len(arrays[0]), len(arrays[1]), cap(arrays[1]))
	}
}

// Regions that nobody holds any more are freed like other memory.
func TestArenasDoNotPileUp(t *testing.T) {
	held := func() uint64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	before := held()
	for range 50 {
		NewArena(2 * hugePage / 4).Floats(10)[0] = 1
	}
	if after := held(); after > before+4*hugePage {
		t.Errorf("%d bytes are held after, %d before", after, before)
	}
}
