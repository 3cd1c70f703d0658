// Package machine says what the program runs on, processor, cores, memory, load,
// free disk, and what its process has used. What cannot be found out is zero or
// empty.
package machine

import (
	"runtime"
	"strings"

	"golang.org/x/sys/cpu"
)

// Facts describe a machine at one moment.
type Facts struct {
	System    string   `json:"system"`    // such as "linux/amd64"
	Processor string   `json:"processor"` // its name, such as "Intel(R) Xeon(R) Platinum 8480+"
	Features  []string `json:"features"`  // instruction sets that kernels may use
	Cores     int      `json:"cores"`     // that this process may use at once
	Memory    int      `json:"memory_bytes"`
	Available int      `json:"available_bytes"` // memory that can be had without swapping
	Load      float64  `json:"load"`            // runnable processes, mean of the last minute
}

// Look returns the facts of this machine. Memory heeds the limit of the control
// group that the process is in.
func Look() Facts {
	total, available := memory()
	return Facts{
		System:    runtime.GOOS + "/" + runtime.GOARCH,
		Processor: Processor(),
		Features:  features(),
		Cores:     runtime.GOMAXPROCS(0),
		Memory:    total,
		Available: available,
		Load:      load(),
	}
}

// Processor returns the processor's name, or its architecture where it has none.
func Processor() string {
	if name := strings.Join(strings.Fields(processor()), " "); name != "" {
		return name
	}
	return runtime.GOARCH
}

// features lists those instruction sets that matter to kernels.
func features() []string {
	sets := []struct {
		name string
		has  bool
	}{
		{"avx2", cpu.X86.HasAVX2}, {"fma", cpu.X86.HasFMA},
		{"avx512f", cpu.X86.HasAVX512F}, {"avx512bw", cpu.X86.HasAVX512BW}, {"avx512dq", cpu.X86.HasAVX512DQ},
		{"avx512vl", cpu.X86.HasAVX512VL}, {"avx512vnni", cpu.X86.HasAVX512VNNI}, {"avx512bf16", cpu.X86.HasAVX512BF16},
		{"asimd", cpu.ARM64.HasASIMD}, {"asimddp", cpu.ARM64.HasASIMDDP},
	}
	found := []string{}
	for _, s := range sets {
		if s.has {
			found = append(found, s.name)
		}
	}
	return found
}
