package bench

import (
	"fmt"
	"slices"
	"time"
)

// A Verdict says whether a figure can be quoted, and if not, why: MLPerf
// LoadGen's idea that a timing without its conditions is none.
type Verdict struct {
	Valid   bool     `json:"valid"`
	Reasons []string `json:"reasons,omitempty"` // why not
}

// The conditions of a valid figure.
const (
	fewest     = 5                     // repetitions
	briefest   = time.Millisecond      // of a repetition: the clock shows microseconds
	least      = 20 * time.Millisecond // of all repetitions
	mostSpread = 0.10                  // between the quartiles, as a share of the median
	mostAlone  = 0.05                  // by which the second best may be slower than the best
	leastBusy  = 0.90                  // processors that the process got, of those that it asked for
)

// judge says what the times of a task are worth. Workers is how many processors
// it asked for, of which the machine has cores; known says whether the system
// tells processor time.
func (t *Times) judge(workers, cores int, known bool) (cpu, wall Verdict) {
	common := t.amount()
	cpu.Reasons = append(slices.Clone(common), unsteady(t.CPU)...)
	if !known {
		cpu.Reasons = append(cpu.Reasons, "this system does not tell processor time")
	}
	wall.Reasons = append(slices.Clone(common), unsteady(t.Wall)...)
	if known {
		wall.Reasons = append(wall.Reasons, t.busy(min(workers, cores))...)
	}
	cpu.Valid, wall.Valid = len(cpu.Reasons) == 0, len(wall.Reasons) == 0
	return cpu, wall
}

// amount says what is wrong with how much was measured.
func (t *Times) amount() (wrong []string) {
	n := len(t.CPU)
	if n < fewest {
		wrong = append(wrong, fmt.Sprintf("%d repetitions of %d", n, fewest))
	}
	if n > 0 && t.Spent/time.Duration(n) < briefest {
		wrong = append(wrong, fmt.Sprintf("repetitions of %v, below %v", t.Spent/time.Duration(n), briefest))
	}
	if t.Spent < least {
		wrong = append(wrong, fmt.Sprintf("%v in all, below %v", t.Spent, least))
	}
	return wrong
}

// unsteady says how the repetitions disagree.
func unsteady(seconds []float64) (wrong []string) {
	if len(seconds) < 2 {
		return nil
	}
	if s := spread(seconds); s > mostSpread {
		wrong = append(wrong, fmt.Sprintf("spread of %.0f %%, above %.0f", 100*s, 100*mostSpread))
	}
	sorted := slices.Sorted(slices.Values(seconds))
	if alone := sorted[1]/sorted[0] - 1; alone > mostAlone {
		wrong = append(wrong, fmt.Sprintf("best %.0f %% ahead of the next, above %.0f", 100*alone, 100*mostAlone))
	}
	return wrong
}

// busy says whether the machine was: the process then got less of its
// processors than it asked for, and the time on the wall is that of others too.
func (t *Times) busy(processors int) (wrong []string) {
	if len(t.CPU) == 0 {
		return nil
	}
	got := sum(t.CPU) / sum(t.Wall)
	if got < leastBusy*float64(processors) {
		wrong = append(wrong, fmt.Sprintf("got %.2f of %d processors", got, processors))
	}
	return wrong
}

func sum(values []float64) (total float64) {
	for _, v := range values {
		total += v
	}
	return total
}
