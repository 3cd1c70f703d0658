package results

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"strconv"
	"testing"

	"plumb/internal/golden"
)

// sample is a small experiment with all that can happen to a cell: layers 2, 4,
// 8 times two sharings times three seeds, scored on 200 twins of winogrande and
// in bits per byte.
func sample() (records []Record, source ItemSource) {
	files := map[string]Items{}
	for _, layers := range []int{2, 4, 8, 16} {
		for _, sharing := range []string{"none", "immediate x2"} {
			for seed := uint64(1); seed <= 3; seed++ {
				trial := fmt.Sprintf("%d-%s-%d", layers, sharing, seed)
				keys := map[string]string{"layers": strconv.Itoa(layers), "sharing": sharing, "width": strconv.Itoa(256 / layers)}
				base := Record{Experiment: "sample", Trial: trial, Seed: seed, Keys: keys, Status: StatusOK}
				skill := 0.12 * float64(layers)
				if sharing != "none" {
					skill *= 0.4
				}
				if layers == 16 && sharing == "immediate x2" {
					continue // missing
				}
				if layers == 8 && sharing == "immediate x2" && seed == 2 || layers == 16 {
					base.Status, base.Note = StatusDiverged, "loss is NaN at step 120"
				}
				records = append(records, scored(base, "winogrande", skill, files), bits(base, layers))
			}
		}
	}
	source = func(hash string) (Items, error) { return files[hash], nil }
	return records, source
}

func scored(r Record, task string, skill float64, files map[string]Items) Record {
	r.Metric, r.Unit, r.N = task+"/acc", "share", 200
	if r.Status != StatusOK {
		return r
	}
	x := drawItems(rand.New(rand.NewPCG(r.Seed, uint64(100*skill))), task, 200, skill)
	if r.Keys["layers"] == "4" {
		x.Items[0].Choices[0].Truncated = 3
	}
	scores, _ := x.Scores("acc")
	data, err := x.Encode()
	if err != nil {
		panic(err)
	}
	r.Items = hashOf(data)
	files[r.Items] = x
	r.Value, r.StdErr = Number(mean(scores)), Number(0.03)
	return r
}

func bits(r Record, layers int) Record {
	r.Metric, r.Unit, r.N = "valid/bits_per_byte", "bits/byte", 50_000
	if r.Status == StatusOK {
		noise := rand.New(rand.NewPCG(r.Seed, uint64(layers)))
		r.Value, r.StdErr = Number(2.5-0.05*float64(layers)+0.004*noise.NormFloat64()), Number(0.011)
	}
	return r
}

// drawItems makes n items of two choices in twins; a model of more skill
// prefers the gold one more often.
func drawItems(random *rand.Rand, task string, n int, skill float64) Items {
	x := Items{Task: task, Version: "1", Protocol: "p1"}
	for i := range n {
		item := Item{ID: fmt.Sprint("q", i), Cluster: fmt.Sprint("twin", i/2), Gold: i % 2, Choices: make([]Choice, 2)}
		for c := range item.Choices {
			item.Choices[c] = Choice{Sum: -20 + random.NormFloat64(), Tokens: 5, Length: 20}
		}
		item.Choices[item.Gold].Sum += skill
		x.Items = append(x.Items, item)
	}
	return x
}

func TestTables(t *testing.T) {
	records, items := sample()
	tests := []struct {
		name  string
		view  View
		items ItemSource
	}{
		{"mean-over-seeds", View{Metric: "winogrande/acc", Rows: "layers", Cols: "sharing"}, items},
		{"without-items", View{Metric: "winogrande/acc", Rows: "layers", Cols: "sharing"}, nil},
		{"hidden-key-footnote", View{Metric: "valid/bits_per_byte", Rows: "sharing", Title: "Sharing, whatever the depth"}, items},
		{"several-metrics", View{Metrics: []string{"*/acc", "valid/bits_per_byte"}, Rows: "layers", Where: map[string]any{"sharing": "none"}}, items},
		{"two-seeds-chosen-order", View{Metric: "winogrande/acc", Rows: "layers", Cols: "sharing",
			Where: map[string]any{"seed": []any{1, 3}, "layers": []any{int64(8), int64(2)}, "sharing": []any{"immediate x2", "none"}}}, items},
		{"one-seed", View{Metric: "winogrande/acc", Rows: "layers", Cols: "sharing", Where: map[string]any{"seed": 1}}, items},
	}
	for _, format := range Formats.Names() {
		t.Run("format-"+format, func(t *testing.T) {
			table, err := tests[0].view.Table(records, items)
			if err != nil {
				t.Fatal(err)
			}
			var got bytes.Buffer
			if err := table.Write(&got, format, Style{Color: true}); err != nil {
				t.Fatal(err)
			}
			golden.Check(t, "testdata/format-"+format+".golden", got.Bytes())
		})
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			table, err := test.view.Table(records, test.items)
			if err != nil {
				t.Fatal(err)
			}
			var got bytes.Buffer
			if err := table.Write(&got, "text", Style{}); err != nil {
				t.Fatal(err)
			}
			golden.Check(t, "testdata/"+test.name+".golden", got.Bytes())
		})
	}
}
