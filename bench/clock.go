package bench

import (
	"time"

	"plumb/internal/machine"
)

// A Reading is what a Clock shows. Only differences mean something.
type Reading struct {
	CPU  time.Duration // that the process has used, over all cores
	Wall time.Duration
}

// A Clock tells both times.
type Clock func() Reading

// SystemClock reads the clocks of this system. Where it does not tell what the
// process has used, known is false and CPU is the time on the wall.
func SystemClock() (clock Clock, known bool) {
	start := time.Now()
	if machine.CPUTime() == 0 {
		return func() Reading { return Reading{time.Since(start), time.Since(start)} }, false
	}
	return func() Reading { return Reading{machine.CPUTime(), time.Since(start)} }, true
}
