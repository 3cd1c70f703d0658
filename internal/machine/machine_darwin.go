package machine

import "golang.org/x/sys/unix"

func processor() string {
	name, _ := unix.Sysctl("machdep.cpu.brand_string")
	return name
}

// memory returns the machine's memory; how much is available is not known.
func memory() (total, available int) {
	bytes, _ := unix.SysctlUint64("hw.memsize")
	return int(bytes), 0
}

func load() float64 { return 0 }
