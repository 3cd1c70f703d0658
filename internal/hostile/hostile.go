// Package hostile serves tests: it shows that a reader of files from outside
// bears what is made to harm it.
package hostile

import (
	"maps"
	"os"
	"path/filepath"
	"runtime/debug"
	"runtime/metrics"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// Size is how many bytes the largest inputs have, and Most how many bytes of
// memory no input of that size may take.
const (
	Size = 1 << 20
	Most = 64 << 20
)

// Fill returns Size bytes at most: before, unit as often as it fits, after.
func Fill(before, unit, after string) []byte {
	return []byte(before + strings.Repeat(unit, max(0, Size-len(before)-len(after))/len(unit)) + after)
}

// FillEach is Fill with units that differ.
func FillEach(before string, unit func(i int) string, after string) []byte {
	data := []byte(before)
	for i := 0; ; i++ {
		next := unit(i)
		if len(data)+len(next)+len(after) > Size {
			return append(data, after...)
		}
		data = append(data, next...)
	}
}

// Bounded wants read to bear every one of inputs within Most bytes of memory. It
// empties inputs: those that wait their turn would let the garbage collector
// wait too, so bytes lie in files meanwhile.
func Bounded[T any](t *testing.T, inputs map[string]T, read func(input T) error) {
	t.Helper()
	dir, names := t.TempDir(), slices.Sorted(maps.Keys(inputs))
	for i, name := range names {
		data, ok := any(inputs[name]).([]byte)
		if !ok {
			continue
		}
		if err := os.WriteFile(filepath.Join(dir, strconv.Itoa(i)), data, 0o644); err != nil {
			t.Fatal(err)
		}
		delete(inputs, name)
	}
	for i, name := range names {
		input, waited := inputs[name]
		if into, ok := any(&input).(*[]byte); ok && !waited {
			var err error
			if *into, err = os.ReadFile(filepath.Join(dir, strconv.Itoa(i))); err != nil {
				t.Fatal(err)
			}
		}
		var err error
		peak := Peak(func() { err = read(input) })
		t.Logf("%-40s %5.1f MiB; %.150s", name, float64(peak)/(1<<20), outcome(err))
		if peak > Most {
			t.Errorf("%s: %d MiB; at most %d are allowed", name, peak>>20, Most>>20)
		}
	}
}

func outcome(err error) string {
	if err == nil {
		return "accepted"
	}
	return "refused: " + err.Error()
}

// Cut wants read to accept whole and to refuse every shorter beginning of it,
// each in one line.
func Cut(t *testing.T, whole []byte, read func(data []byte) error) {
	t.Helper()
	if err := read(whole); err != nil {
		t.Errorf("the whole of %d bytes: %v", len(whole), err)
	}
	for n := range whole {
		if err := read(whole[:n:n]); err == nil || strings.TrimSpace(err.Error()) == "" || strings.Contains(err.Error(), "\n") {
			t.Errorf("cut to %d of %d bytes: %v", n, len(whole), err)
		}
	}
}

// Peak returns how many bytes of memory the program held more while run ran
// than before, at the worst moment: garbage that was not yet collected and the
// runtime's own needs included.
func Peak(run func()) int {
	debug.FreeOSMemory()
	before := held()
	peak, done, looked := before, make(chan bool), make(chan bool)
	go func() {
		defer close(looked)
		for {
			peak = max(peak, held())
			select {
			case <-done:
				return
			case <-time.After(time.Millisecond):
			}
		}
	}()
	run()
	last := held()
	close(done)
	<-looked
	return int(max(peak, last) - before)
}

// held is how much memory the system has given and not got back.
func held() uint64 {
	samples := []metrics.Sample{{Name: "/memory/classes/total:bytes"}, {Name: "/memory/classes/heap/released:bytes"}}
	metrics.Read(samples)
	return samples[0].Value.Uint64() - samples[1].Value.Uint64()
}
