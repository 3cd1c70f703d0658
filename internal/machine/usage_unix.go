//go:build unix

package machine

import (
	"runtime"
	"syscall"
	"time"
)

// CPUTime returns the processor time that this process has used, over all
// cores, in user and system mode.
func CPUTime() time.Duration {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// PeakMemory returns the most bytes of memory that this process has held.
func PeakMemory() int {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return 0
	}
	if runtime.GOOS == "darwin" { // bytes there, KiB elsewhere
		return int(u.Maxrss)
	}
	return int(u.Maxrss) << 10
}
