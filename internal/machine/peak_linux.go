package machine

import (
	"os"
	"strconv"
	"strings"
)

// ForgetPeak lets RecentPeak start anew and reports whether it can. PeakMemory
// still knows.
func ForgetPeak() bool {
	forgotten.Store(int64(PeakMemory()))
	return os.WriteFile("/proc/self/clear_refs", []byte("5"), 0) == nil
}

// RecentPeak returns the most bytes of memory that this process has held since
// ForgetPeak, and 0 where that is not known.
func RecentPeak() int { return statusBytes("VmHWM") }

// Resident returns the bytes of memory that this process holds, and 0 where that
// is not known.
func Resident() int { return statusBytes("VmRSS") }

// statusBytes returns a field of /proc/self/status in bytes.
func statusBytes(name string) int {
	value, _, _ := strings.Cut(field("/proc/self/status", name), " ")
	n, _ := strconv.Atoi(value)
	return n * 1024
}
