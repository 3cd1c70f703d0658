package machine

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// powercap is where Linux shows the energy counters of processors (RAPL).
var powercap = "/sys/class/powercap"

// An Energy is what the counters of all processors of the machine show. It is
// empty where there are none or this process may not read them.
type Energy []energyZone

// An energyZone is one processor's counter, which begins again at 0 behind its range.
type energyZone struct {
	name             string
	microjoules, end uint64
}

// ReadEnergy reads the counters.
func ReadEnergy() (e Energy) {
	folders, _ := filepath.Glob(filepath.Join(powercap, "intel-rapl:*")) // AMD's are called so too
	for _, folder := range folders {
		zone := energyZone{name: filepath.Base(folder)}
		if strings.Count(zone.name, ":") != 1 || !strings.HasPrefix(textOf(folder, "name"), "package") {
			continue // a part of a processor, or the whole board
		}
		var err error
		if zone.microjoules, err = strconv.ParseUint(textOf(folder, "energy_uj"), 10, 64); err != nil {
			continue
		}
		zone.end, _ = strconv.ParseUint(textOf(folder, "max_energy_range_uj"), 10, 64)
		e = append(e, zone)
	}
	return e
}

func textOf(folder, name string) string {
	data, _ := os.ReadFile(filepath.Join(folder, name))
	return strings.TrimSpace(string(data))
}

// Since returns the joules that all processors took since before was read, for
// whomever they worked; ok is false where the counters do not tell.
func (e Energy) Since(before Energy) (joules float64, ok bool) {
	if len(e) == 0 || len(e) != len(before) {
		return 0, false
	}
	for i, now := range e {
		then := before[i]
		if now.name != then.name || now.microjoules < then.microjoules && now.end < then.microjoules {
			return 0, false
		}
		spent := now.microjoules - then.microjoules
		if now.microjoules < then.microjoules {
			spent = now.end - then.microjoules + now.microjoules
		}
		joules += float64(spent) / 1e6
	}
	return joules, true
}
