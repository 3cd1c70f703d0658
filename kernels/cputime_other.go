//go:build !linux

package kernels

import "time"

func cpuTime() time.Duration { return time.Since(processStart) }

var processStart = time.Now()
