package arch

import (
	"encoding/csv"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"plumb/internal/golden"
)

// TestMobileLLMTables counts every model of the kept tables to its printed size,
// which leaves norm weights out, and checks the printed averages.
func TestMobileLLMTables(t *testing.T) {
	for file, rows := range map[string]int{"mobilellm-table11.csv": 19, "mobilellm-table13.csv": 30} {
		t.Run(file, func(t *testing.T) {
			models := readTable(t, file)
			if len(models) != rows {
				t.Errorf("%d rows, the paper has %d", len(models), rows)
			}
			for _, row := range models {
				t.Run(fmt.Sprintf("%s-%v-layers-%v-heads-%v-kv", row.family, row.n["layers"], row.n["heads"], row.n["kv_heads"]), func(t *testing.T) {
					checkPrinted(t, row)
				})
			}
		})
	}
}

// tableRow is one model: its family and its numbers by column.
type tableRow struct {
	family string
	n      map[string]float64
}

func checkPrinted(t *testing.T, row tableRow) {
	kvHeads := row.n["kv_heads"]
	if kvHeads == 0 {
		kvHeads = row.n["heads"]
	}
	c := llama(int(row.n["layers"]), int(row.n["width"]), int(row.n["heads"]), int(kvHeads), int(row.n["width"]/row.n["heads"]), int(row.n["hidden"]))
	c.Vocab, c.Context, c.RotaryTheta = 32000, 2048, 1e4
	if err := c.Validate(); err != nil {
		t.Fatal(err)
	}
	withoutNorms := c.Params().Total - (2*c.Layers+1)*c.Width
	if got := math.Round(float64(withoutNorms)/1e5) / 10; got != row.n["params_millions"] {
		t.Errorf("counts %.1fM weights, printed %.1fM", got, row.n["params_millions"])
	}
	sum := 0.0
	for _, task := range []string{"arc_easy", "arc_challenge", "boolq", "piqa", "siqa", "hellaswag", "openbookqa", "winogrande"} {
		if row.n[task] < 20 || row.n[task] > 80 {
			t.Errorf("%s of %v%% is no score of such a model", task, row.n[task])
		}
		sum += row.n[task]
	}
	if off := math.Abs(sum/8 - row.n["average"]); off > 0.1 { // each score and the average are rounded to 0.1
		t.Errorf("scores average %.2f, printed %.1f", sum/8, row.n["average"])
	}
}

func readTable(t *testing.T, file string) []tableRow {
	t.Helper()
	f, err := os.Open(filepath.Join(golden.ModuleRoot(t), "results", "reference", file))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	lines, err := csv.NewReader(f).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	var rows []tableRow
	for _, line := range lines[1:] {
		row := tableRow{family: line[0], n: map[string]float64{}}
		for i, cell := range line[1:] {
			if row.n[lines[0][i+1]], err = strconv.ParseFloat(cell, 64); err != nil {
				t.Fatal(err)
			}
		}
		rows = append(rows, row)
	}
	return rows
}
