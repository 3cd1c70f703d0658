package kernels

import (
	"time"

	"golang.org/x/sys/unix"
)

// cpuTime is the processor time that the calling thread has used, which leaves
// out time in which the system ran something else. Only differences mean
// something, and only between calls under runtime.LockOSThread.
func cpuTime() time.Duration {
	var t unix.Timespec
	if unix.ClockGettime(unix.CLOCK_THREAD_CPUTIME_ID, &t) != nil {
		return time.Since(processStart)
	}
	return time.Duration(t.Nano())
}

var processStart = time.Now()
