package results

import (
	"bytes"
	"testing"

	"plumb/internal/golden"
)

// timings are records of a small comparison: seeds for quality, one seed for speed.
func timings() (records []Record) {
	add := func(recipe string, seed uint64, r Record) {
		r.Trial, r.Seed, r.Keys, r.N = recipe, seed, map[string]string{"recipe": recipe}, max(r.N, 1)
		if r.Status == "" {
			r.Status = StatusOK
		}
		records = append(records, r)
	}
	for i, recipe := range []string{"none", "rtn 4", "svd", "lost"} {
		for seed := uint64(1); seed <= 3; seed++ {
			origin := Measured
			if recipe == "none" {
				origin = Inherited
			}
			add(recipe, seed, Record{Metric: "size/stored", Unit: "bytes", Value: Number(20e6 / float64(i+1)), Origin: Computed})
			add(recipe, seed, Record{Metric: "valid/bits_per_byte", Unit: "bits/byte", Value: Number(2 + 0.1*float64(i) + 0.003*float64(seed*seed)), Origin: origin, N: 50_000})
		}
		add(recipe, 1, Record{Metric: "energy/decoding", Unit: "J/token", Status: StatusUnavailable, Note: "the system shows no energy counters"})
	}
	speed := func(recipe string, median float64, verdict Verdict, note string) {
		add(recipe, 1, Record{Metric: "speed/decoding", Unit: "tokens/s", Value: Number(median), Low: Number(median * 0.98), High: Number(median * 1.01),
			Origin: Measured, Verdict: verdict, Note: note, N: 12})
	}
	speed("none", 1000, Valid, "")
	speed("rtn 4", 2500, Invalid, "INVALID: spread of 20 %, above 10")
	speed("svd", 995, Valid, "")
	return records
}

// Every cell says where it is from; a timing that cannot be quoted and one that
// is slower than the row compared with say so, and what is missing stays missing.
func TestTimings(t *testing.T) {
	view := View{Title: "Timings", Metrics: []string{"size/stored", "valid/bits_per_byte", "speed/decoding", "energy/decoding"}, Rows: "recipe", Against: map[string]any{"recipe": "none"}}
	table, err := view.Table(timings(), nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, format := range Formats.Names() {
		var got bytes.Buffer
		if err := table.Write(&got, format, Style{}); err != nil {
			t.Fatal(err)
		}
		golden.Check(t, "testdata/timings-"+format+".golden", got.Bytes())
	}
}
