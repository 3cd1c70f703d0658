package machine

import (
	"bufio"
	"bytes"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// processor returns the first model name of /proc/cpuinfo.
func processor() string {
	return field("/proc/cpuinfo", "model name")
}

// memory returns total and available bytes, the smaller of what the machine and
// the control group have.
func memory() (total, available int) {
	total, available = kilobytes("MemTotal"), kilobytes("MemAvailable")
	limit, used := number(controlGroup("memory.max")), number(controlGroup("memory.current"))
	used -= statistic(controlGroup("memory.stat"), "inactive_file") // cached files give way
	if limit > 0 && (total == 0 || limit < total) {
		total, available = limit, max(0, min(available, limit-used))
	}
	return total, available
}

// load returns the first number of /proc/loadavg.
func load() float64 {
	text, _ := os.ReadFile("/proc/loadavg")
	first, _, _ := strings.Cut(string(text), " ")
	value, _ := strconv.ParseFloat(first, 64)
	return value
}

// kilobytes returns a field of /proc/meminfo in bytes.
func kilobytes(name string) int {
	value, _, _ := strings.Cut(field("/proc/meminfo", name), " ")
	n, _ := strconv.Atoi(value)
	return n * 1024
}

// controlGroup returns the path of a file of the process's control group, or of
// the root one.
func controlGroup(name string) string {
	const root = "/sys/fs/cgroup"
	text, _ := os.ReadFile("/proc/self/cgroup")
	if _, group, ok := strings.Cut(strings.TrimSpace(string(text)), "0::"); ok {
		if path := filepath.Join(root, group, name); exists(path) {
			return path
		}
	}
	return filepath.Join(root, name)
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// number returns the integer that a file holds, or 0 ("max" has none).
func number(path string) int {
	text, _ := os.ReadFile(path)
	n, _ := strconv.Atoi(strings.TrimSpace(string(text)))
	return n
}

// statistic returns the number behind a name in a file of names and numbers, or 0.
func statistic(path, name string) int {
	text, _ := os.ReadFile(path)
	for line := range strings.Lines(string(text)) {
		if key, value, _ := strings.Cut(strings.TrimSpace(line), " "); key == name {
			n, _ := strconv.Atoi(value)
			return n
		}
	}
	return 0
}

// field returns what stands behind "name:" in the first line that has it.
func field(path, name string) string {
	text, _ := os.ReadFile(path)
	lines := bufio.NewScanner(bytes.NewReader(text))
	for lines.Scan() {
		key, value, ok := strings.Cut(lines.Text(), ":")
		if ok && strings.TrimSpace(key) == name {
			return strings.TrimSpace(value)
		}
	}
	return ""
}
