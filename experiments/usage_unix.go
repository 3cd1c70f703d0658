//go:build unix

package experiments

import (
	"runtime"
	"syscall"
	"time"
)

// cpuTime returns the processor time that this process has used, over all
// cores, in user and system mode.
func cpuTime() time.Duration {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// peakMemory returns the most bytes of memory that this process has held.
func peakMemory() int {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return 0
	}
	if runtime.GOOS == "darwin" { // bytes there, KiB elsewhere
		return int(u.Maxrss)
	}
	return int(u.Maxrss) << 10
}
