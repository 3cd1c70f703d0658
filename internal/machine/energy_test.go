package machine

import (
	"math"
	"os"
	"path/filepath"
	"testing"
)

// Counters of processors are added up, across the end of their range; parts of
// processors and the whole board are not counted twice.
func TestEnergy(t *testing.T) {
	defer func(was string) { powercap = was }(powercap)
	powercap = t.TempDir()
	if _, ok := ReadEnergy().Since(ReadEnergy()); ok {
		t.Error("a machine without counters tells energy")
	}
	zone := func(folder, name, energy string) {
		dir := filepath.Join(powercap, folder)
		if err := os.MkdirAll(dir, 0o777); err != nil {
			t.Fatal(err)
		}
		for file, text := range map[string]string{"name": name, "energy_uj": energy, "max_energy_range_uj": "9000000"} {
			if err := os.WriteFile(filepath.Join(dir, file), []byte(text+"\n"), 0o666); err != nil {
				t.Fatal(err)
			}
		}
	}
	zone("intel-rapl:0", "package-0", "1000000")
	zone("intel-rapl:0:0", "core", "5")
	zone("intel-rapl:1", "package-1", "8000000")
	zone("intel-rapl:2", "psys", "7")
	before := ReadEnergy()
	zone("intel-rapl:0", "package-0", "1500000")
	zone("intel-rapl:0:0", "core", "900000")
	zone("intel-rapl:1", "package-1", "250000")
	joules, ok := ReadEnergy().Since(before)
	if !ok || math.Abs(joules-0.5-1.25) > 1e-12 {
		t.Errorf("%v J, %v; want 1.75", joules, ok)
	}
	zone("intel-rapl:1", "package-1", "no number")
	if _, ok := ReadEnergy().Since(before); ok {
		t.Error("a counter that went away tells energy")
	}
}
