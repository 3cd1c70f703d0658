//go:build !linux

package machine

// ForgetPeak reports that this system remembers its peak for ever.
func ForgetPeak() bool { return false }

// RecentPeak is not known on this system.
func RecentPeak() int { return 0 }

// Resident is not known on this system.
func Resident() int { return 0 }
