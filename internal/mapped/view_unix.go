//go:build linux || darwin

package mapped

import (
	"os"

	"golang.org/x/sys/unix"
)

func view(file *os.File, size int) ([]byte, error) {
	return unix.Mmap(int(file.Fd()), 0, size, unix.PROT_READ, unix.MAP_SHARED)
}

func release(data []byte) error { return unix.Munmap(data) }

// forget may fail, which costs memory and nothing else.
func forget(data []byte) { _ = unix.Madvise(data, unix.MADV_DONTNEED) }
