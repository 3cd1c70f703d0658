//go:build unix

package machine

import (
	"runtime"
	"sync/atomic"
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
	peak := int(u.Maxrss)
	if runtime.GOOS != "darwin" { // KiB; bytes there
		peak <<= 10
	}
	return max(peak, int(forgotten.Load()))
}

// forgotten is the highest peak that ForgetPeak made the system forget, in bytes.
var forgotten atomic.Int64
