package main

import (
	"fmt"
	"strconv"
)

// grouped writes n with commas between thousands: 124,439,808.
func grouped(n int) string {
	digits := strconv.Itoa(n)
	for i := len(digits) - 3; i > 0 && digits[i-1] != '-'; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return digits
}

// bytesText writes n bytes in the largest binary unit that leaves at least 1,
// with three significant digits: 475 MiB.
func bytesText(n int) string {
	units := []string{"B", "KiB", "MiB", "GiB", "TiB", "PiB"}
	value, unit := float64(n), 0
	for value >= 1000 && unit < len(units)-1 {
		value /= 1024
		unit++
	}
	return significant(value) + " " + units[unit]
}

// countText writes a count of operations with a decimal prefix: 124 M.
func countText(n float64) string {
	prefixes := []string{"", " k", " M", " G", " T", " P", " E"}
	prefix := 0
	for n >= 999.5 && prefix < len(prefixes)-1 {
		n /= 1000
		prefix++
	}
	return significant(n) + prefixes[prefix]
}

// significant writes v, which is below 1024, with three significant digits.
func significant(v float64) string {
	switch {
	case v == float64(int(v)) || v >= 99.95:
		return fmt.Sprintf("%.0f", v)
	case v >= 9.995:
		return fmt.Sprintf("%.1f", v)
	}
	return fmt.Sprintf("%.2f", v)
}
