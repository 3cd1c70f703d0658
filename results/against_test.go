package results

import (
	"fmt"
	"math"
	"strings"
	"testing"
)

// With against, a table has columns of differences from one of its rows, with
// the interval of the paired test over seeds where there are no items.
func TestAgainst(t *testing.T) {
	var records []Record
	for i, recipe := range []string{"none", "svd"} {
		for seed := uint64(1); seed <= 3; seed++ {
			value := 2 + 0.1*float64(seed) + float64(i)*(0.5+0.01*float64(seed))
			for metric, unit := range map[string]string{"valid/bits_per_byte": "bits/byte", "size/stored": "bytes"} {
				records = append(records, Record{Trial: recipe, Seed: seed, Keys: map[string]string{"recipe": recipe}, Metric: metric,
					Unit: unit, Value: Number(value), N: 1, Status: StatusOK, Origin: Measured})
			}
		}
	}
	v := View{Metrics: []string{"size/stored", "valid/bits_per_byte"}, Rows: "recipe", Against: map[string]any{"recipe": "none"}}
	table, err := v.Table(records, nil)
	if err != nil {
		t.Fatal(err)
	}
	if len(table.Cols) != 3 || table.ColLabel(2) != "Δ valid/bits_per_byte ↓" {
		t.Fatalf("columns %+v", table.Cols)
	}
	if table.Cells[0][2].HasValue() {
		t.Error("a row differs from itself")
	}
	half := 4.302652729749464 * 0.01 / math.Sqrt(3) // t(0.975, 2)·s/√3
	got := table.Cells[1][2].Interval
	if math.Abs(got.Mean-0.52) > 1e-12 || math.Abs(got.Half()-half) > 1e-9 {
		t.Errorf("difference %v ± %v, want 0.52 ± %v", got.Mean, got.Half(), half)
	}
	if caption := fmt.Sprint(table.Caption); !strings.Contains(caption, "m measured by running the model; c computed") || !strings.Contains(caption, "recipe = none") {
		t.Errorf("caption %s", caption)
	}
	v.Against = map[string]any{"layers": "1"}
	if _, err := v.Table(records, nil); err == nil {
		t.Error("a key that rows do not have was taken")
	}
}
