package machine

import (
	"runtime/debug"
	"testing"
)

// The peak follows what was held since it was forgotten.
func TestRecentPeak(t *testing.T) {
	if !ForgetPeak() {
		t.Skip("this system does not forget its peak memory")
	}
	const bytes = 64 << 20
	touch(bytes)
	large := RecentPeak()
	debug.FreeOSMemory()
	ForgetPeak()
	if PeakMemory() < large {
		t.Errorf("%d bytes at the peak of all, %d before it was forgotten", PeakMemory(), large)
	}
	small, now := RecentPeak(), Resident()
	if large < bytes || small > large-bytes/2 || now > small+1<<20 {
		t.Errorf("%d bytes at the peak with an array of %d, %d after it was dropped, %d now", large, bytes, small, now)
	}
}

// touch writes to every page of n bytes and drops them.
func touch(n int) {
	x := make([]byte, n)
	for i := range x {
		x[i] = byte(i)
	}
	touched = x[n/2]
}

var touched byte
