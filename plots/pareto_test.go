package plots

import (
	"fmt"
	"slices"
	"testing"

	"plumb/internal/golden"
	"plumb/results"
)

// A timing that cannot be quoted is hollow, on no front, and beats nothing;
// timings have the quartiles of their repetitions as error bars.
func TestParetoOfTimings(t *testing.T) {
	var records []results.Record
	for i, recipe := range []string{"none", "rtn 4", "rtn 8", "svd", "svd, healed", "w8a8"} {
		latency := 2 - 0.2*float64(i)
		for seed := uint64(1); seed <= 3; seed++ {
			records = append(records, results.Record{Trial: recipe, Seed: seed, Keys: map[string]string{"recipe": recipe}, Metric: "valid/bits_per_byte", Unit: "bits/byte",
				Value: results.Number(2 + 0.1*float64(i%3) + 0.01*float64(seed)), N: 1, Status: results.StatusOK})
		}
		r := results.Record{Trial: recipe, Seed: 1, Keys: map[string]string{"recipe": recipe}, Metric: "speed/latency", Unit: "ms/token", Value: &latency,
			Low: results.Number(latency * 0.97), High: results.Number(latency * 1.04), N: 12, Status: results.StatusOK, Verdict: results.Valid}
		if recipe == "svd" {
			r.Verdict = results.Invalid
		}
		records = append(records, r)
	}
	view := results.View{Metrics: []string{"speed/latency", "valid/bits_per_byte"}, Rows: "recipe", Figure: "pareto", Width: "page"}
	table, err := view.Table(records, nil)
	if err != nil {
		t.Fatal(err)
	}
	points := markers(table, 0, 1)
	var front []string
	for _, i := range frontOf(points, false, false) {
		front = append(front, points[i].label)
	}
	if want := []string{"w8a8", "svd, healed", "none"}; !slices.Equal(front, want) {
		t.Errorf("front %q, want %q, since svd cannot be quoted", front, want)
	}
	figure, err := Draw(Input{View: view, Table: table})
	if err != nil {
		t.Fatal(err)
	}
	svg := figure.SVG()
	golden.Check(t, "testdata/pareto-timings.svg.golden", svg)
	checkSVG(t, svg)
	if note := paretoNote(points); note != "Line and dark names: rows that none beats in both. Error bars: 95 % interval over seeds (Student's t). Of timings: quartiles of the repetitions. Hollow: an INVALID timing, which is on no front." {
		t.Errorf("note %q", fmt.Sprint(note))
	}
}
