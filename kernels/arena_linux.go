package kernels

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// wantHugePages asks for huge pages behind x, which holds zeros, begins at one
// and is some of them long. Small pages that are there already, because the
// collector had used the memory before, are given back first: what is touched
// next comes as a zeroed huge page. A refusal changes nothing but the speed.
func wantHugePages(x []float32) {
	bytes := unsafe.Slice((*byte)(unsafe.Pointer(&x[0])), 4*len(x))
	if unix.Madvise(bytes, unix.MADV_HUGEPAGE) == nil {
		_ = unix.Madvise(bytes, unix.MADV_DONTNEED) // where it fails, small pages stay
	}
}
