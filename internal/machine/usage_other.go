//go:build !unix

package machine

import "time"

// CPUTime is not known on this system.
func CPUTime() time.Duration { return 0 }

// PeakMemory is not known on this system.
func PeakMemory() int { return 0 }
