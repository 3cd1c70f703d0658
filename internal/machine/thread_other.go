//go:build !linux

package machine

import "time"

// ThreadTime is not known on this system.
func ThreadTime() time.Duration { return 0 }
