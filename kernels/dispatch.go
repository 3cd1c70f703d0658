package kernels

import (
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"

	"golang.org/x/sys/cpu"
)

// An isa is an instruction set that kernels are written for.
type isa int32

const (
	generic isa = iota // pure Go, the definition of every result
	neon               // arm64, 4 lanes
	avx2               // amd64 with AVX2 and FMA, 8 lanes
	avx512             // amd64 with AVX-512 F, BW, DQ and VL, 16 lanes
	isaCount
)

var isaNames = [isaCount]string{"generic", "neon", "avx2", "avx512"}

// chosenISA is what the next call of a kernel will run on.
var chosenISA atomic.Int32

func init() { chosenISA.Store(int32(available()[0])) }

// hasVNNI says that kernels of avx512 may multiply bytes with AVX-512 VNNI.
var hasVNNI = cpu.X86.HasAVX512VNNI

// available lists the instruction sets of this processor, fastest first.
func available() []isa {
	var found []isa
	x := cpu.X86
	if x.HasAVX2 && x.HasFMA {
		if x.HasAVX512F && x.HasAVX512BW && x.HasAVX512DQ && x.HasAVX512VL {
			found = append(found, avx512)
		}
		found = append(found, avx2)
	}
	if runtime.GOARCH == "arm64" {
		found = append(found, neon)
	}
	return append(found, generic)
}

// Names lists the implementations that this processor can run, fastest first.
// The last is always "generic", which is pure Go.
func Names() []string {
	var names []string
	for _, i := range available() {
		names = append(names, isaNames[i])
	}
	return names
}

// Use makes kernels run on the implementation called name. Results do not
// change, only speed. It is meant for start-up and tests: a call that is
// already running may finish on the former implementation.
func Use(name string) error {
	i := slices.Index(isaNames[:], name)
	if i < 0 || !slices.Contains(available(), isa(i)) {
		return fmt.Errorf("no kernels named %q on this processor (have %s)", name, strings.Join(Names(), ", "))
	}
	chosenISA.Store(int32(i))
	return nil
}

// Chosen names the implementation in use.
func Chosen() string { return isaNames[current()] }

// current is the instruction set in use.
func current() isa { return isa(chosenISA.Load()) }

// A perISA keeps one function in the versions that exist of it. The pure Go
// version always exists; generated files add theirs in an init function.
type perISA[F any] struct {
	version [isaCount]F
	exists  [isaCount]bool
}

// implement starts a table with the pure Go version.
func implement[F any](pure F) *perISA[F] {
	t := &perISA[F]{}
	t.add(generic, pure)
	return t
}

// add enters the version for one instruction set.
func (t *perISA[F]) add(i isa, f F) {
	t.version[i], t.exists[i] = f, true
}

// get returns the version in use.
func (t *perISA[F]) get() F { return t.on(current()) }

// on returns the version for i, which is the pure Go one where there is no
// other. A kernel of several steps asks for current once and then for on, so
// that Use does not change the instruction set under it.
func (t *perISA[F]) on(i isa) F {
	if t.exists[i] {
		return t.version[i]
	}
	return t.version[generic]
}
