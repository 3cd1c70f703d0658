package experiments

import (
	"fmt"
	"os"
	"strings"
)

// processStart returns when a process started, in clock ticks since the boot,
// or "" when there is none (proc(5), field 22 of stat). A zombie has ended.
func processStart(pid int) string {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return ""
	}
	_, after, _ := strings.Cut(string(data[strings.LastIndexByte(string(data), ')')+1:]), " ")
	fields := strings.Fields(after)
	if len(fields) < 20 || fields[0] == "Z" || fields[0] == "X" {
		return ""
	}
	return fields[19]
}

// processPlace names the boot and the namespace in which process numbers hold.
func processPlace() string {
	boot, _ := os.ReadFile("/proc/sys/kernel/random/boot_id")
	space, err := os.Readlink("/proc/self/ns/pid")
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(boot)) + " " + space
}
