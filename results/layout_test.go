package results

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

func TestViewErrors(t *testing.T) {
	records, _ := sample()
	tests := []struct {
		name, want string
		view       View
	}{
		{"no metric", `a view needs a metric`, View{Rows: "layers"}},
		{"no rows", `a view needs rows`, View{Metric: "winogrande/acc"}},
		{"mistyped metric", `no record of metric "winogrand/acc" (have valid/bits_per_byte, winogrande/acc); did you mean "winogrande/acc"?`, View{Metric: "winogrand/acc", Rows: "layers"}},
		{"mistyped key", `no record has a key "layres" (have layers, sharing, width, experiment, metric, seed, trial); did you mean "layers"?`, View{Metric: "winogrande/acc", Rows: "layres"}},
		{"nothing left", `no record of winogrande/acc has what where asks for`, View{Metric: "winogrande/acc", Rows: "layers", Where: map[string]any{"layers": 3}}},
		{"where", `where.layers: [] is neither text, number nor truth value`, View{Metric: "m", Rows: "layers", Where: map[string]any{"layers": []any{[]int{}}}}},
		{"empty list", `where.layers: an empty list admits nothing`, View{Metric: "m", Rows: "layers", Where: map[string]any{"layers": []any{}}}},
		{"best", `best "collumn" is none of table, row, column, none; did you mean "column"?`, View{Metric: "m", Rows: "layers", Best: "collumn"}},
		{"pattern", `metric "[" is no pattern`, View{Metric: "[", Rows: "layers"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			_, err := test.view.Table(records, nil)
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error %v, want one with %q", err, test.want)
			}
		})
	}
	if _, err := (View{Metric: "m", Rows: "r"}).Table(nil, nil); err == nil || !strings.Contains(err.Error(), "(have none)") {
		t.Errorf("no records at all: %v", err)
	}
	if errs := (View{Best: "x", Width: "y", Axis: "z"}).Check(); len(errs) != 5 {
		t.Errorf("five mistakes give %d errors: %v", len(errs), errs)
	}
}

// The order in which records were read must not show, nor whether some were
// read twice.
func TestOrderOfRecordsDoesNotShow(t *testing.T) {
	records, items := sample()
	view := View{Metrics: []string{"winogrande/acc", "valid/bits_per_byte"}, Rows: "layers", Cols: "sharing"}
	random := rand.New(rand.NewPCG(1, 2))
	var want []byte
	for range 5 {
		table, err := view.Table(records, items)
		if err != nil {
			t.Fatal(err)
		}
		var got bytes.Buffer
		for _, format := range Formats.Names() {
			if err := table.Write(&got, format, Style{}); err != nil {
				t.Fatal(err)
			}
		}
		if want == nil {
			want = got.Bytes()
		}
		if !bytes.Equal(got.Bytes(), want) {
			t.Fatalf("another order gave\n%s\ninstead of\n%s", got.Bytes(), want)
		}
		records = append(slices.Clone(records), records[:3]...)
		random.Shuffle(len(records), func(i, j int) { records[i], records[j] = records[j], records[i] })
	}
}

// doubt returns sample's records after a change, as a text table.
func doubt(t *testing.T, view View, change func(r *Record, i int)) string {
	t.Helper()
	records, items := sample()
	for i := range records {
		keys := map[string]string{}
		for k, v := range records[i].Keys {
			keys[k] = v
		}
		records[i].Keys = keys
		change(&records[i], i)
	}
	table, err := view.Table(records, items)
	if err != nil {
		t.Fatal(err)
	}
	return written(t, table, "text")
}

func TestDoubtsAreFootnotes(t *testing.T) {
	view := View{Metric: "winogrande/acc", Rows: "layers", Cols: "sharing"}
	tests := []struct {
		name   string
		want   []string
		change func(r *Record, i int)
	}{
		{"machines", []string{"measured on different machines: big, small"}, func(r *Record, i int) {
			r.Keys["machine"] = []string{"big", "small"}[i%4/2]
		}},
		{"kernels", []string{"measured on different kernels: avx2, generic"}, func(r *Record, i int) {
			r.Keys["kernels"] = map[bool]string{true: "avx2", false: "generic"}[r.Keys["layers"] == "2"]
		}},
		{"token streams", []string{") scored another token stream (bbbb) than other cells of winogrande/acc"}, func(r *Record, i int) {
			r.Tokens = map[bool]string{true: "bbbb", false: "aaaaaaaaaaaa"}[r.Keys["layers"] == "2"]
		}},
		{"fewer items", []string{") n = 150, unlike other cells of winogrande/acc", "n = 150 to 200"}, func(r *Record, i int) {
			if r.Keys["layers"] == "4" && r.Metric == "winogrande/acc" {
				r.N = 150
			}
		}},
		{"other seeds", []string{") seeds 4, 5, 6 instead of 1, 2, 3"}, func(r *Record, i int) {
			if r.Keys["layers"] == "4" {
				r.Seed += 3
			}
		}},
		{"a record's own note", []string{") the best learning rate is at the edge of its range"}, func(r *Record, i int) {
			if r.Keys["layers"] == "4" {
				r.Note = "the best learning rate is at the edge of its range"
			}
		}},
		{"failed", []string{"failed (", "seeds 1, 2, 3 failed: out of memory"}, func(r *Record, i int) {
			if r.Keys["layers"] == "16" {
				r.Status, r.Note = StatusFailed, "out of memory"
			}
		}},
		{"lost items", []string{"items files could not be used, so these cells are compared over seeds alone"}, nil},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if test.change == nil {
				records, _ := sample()
				table, err := view.Table(records, func(string) (Items, error) { return Items{}, errors.New("gone") })
				if err != nil {
					t.Fatal(err)
				}
				wantAll(t, written(t, table, "text"), test.want)
				return
			}
			wantAll(t, doubt(t, view, test.change), test.want)
		})
	}
}

func wantAll(t *testing.T, got string, want []string) {
	t.Helper()
	for _, w := range want {
		if !strings.Contains(got, w) {
			t.Errorf("no %q in\n%s", w, got)
		}
	}
}

// Items of different questions are never compared, and the table says so.
func TestDifferentItemsAreNotCompared(t *testing.T) {
	records, source := sample()
	other := func(hash string) (Items, error) {
		x, err := source(hash)
		if hash == records[0].Items {
			x.Version = "2"
		}
		return x, err
	}
	table, err := View{Metric: "winogrande/acc", Rows: "layers", Cols: "sharing"}.Table(records, other)
	if err != nil {
		t.Fatal(err)
	}
	got := written(t, table, "text")
	wantAll(t, got, []string{"not compared: task winogrande version"})
	if c := table.Cells[0][0]; c.Bold() {
		t.Error("a cell that was not compared is bold")
	}
}

// Whatever records say, a table is made or refused, and written in every format.
func TestRandomRecords(t *testing.T) {
	random := rand.New(rand.NewPCG(11, 11))
	statuses := []Status{StatusOK, StatusOK, StatusOK, StatusDiverged, StatusFailed, StatusInvalid}
	values := []float64{0, 1, -1, 0.5, 1e-300, 1e300, -1e300, 123456789, 0.1}
	units := []string{"share", "bits/byte", "bytes", "", "seconds"}
	for trial := range 200 {
		var records []Record
		for i := range random.IntN(12) {
			r := Record{Trial: fmt.Sprint(i), Seed: uint64(random.IntN(3)), Metric: []string{"a/acc", "b/x"}[random.IntN(2)], Unit: units[random.IntN(5)],
				N: random.IntN(3), Status: statuses[random.IntN(6)], Keys: map[string]string{}}
			for _, key := range []string{"k", "l", "m"} {
				if random.IntN(4) > 0 {
					r.Keys[key] = []string{"1", "2", "none", "x10", "x9", ""}[random.IntN(6)]
				}
			}
			if r.Status == StatusOK {
				r.Value = Number(values[random.IntN(len(values))])
			}
			records = append(records, r)
		}
		view := View{Metric: "*/*", Rows: []string{"k", "seed", "k,l", "metric"}[random.IntN(4)], Cols: []string{"", "l", "trial"}[random.IntN(3)]}
		table, err := view.Table(records, nil)
		if err != nil {
			continue
		}
		for _, format := range Formats.Names() {
			if out := written(t, table, format); strings.Contains(out, "NaN") || strings.Contains(out, "Inf") {
				t.Fatalf("table %d in %s shows no number:\n%s", trial, format, out)
			}
		}
	}
}

func TestSlug(t *testing.T) {
	for view, want := range map[string]string{"": "view", "Depth vs. width!": "Depth-vs.-width", "../../etc": "etc", "..": "view", "a/b\\c": "a-b-c"} {
		if got := (View{Name: view}).Slug(); got != want && view != "" {
			t.Errorf("%q gives %q, want %q", view, got, want)
		}
	}
}

func TestCompareNatural(t *testing.T) {
	want := []string{"none", "0.5", "2", "16", "immediate x2", "immediate x10", "reverse"}
	got := slices.Clone(want)
	slices.Reverse(got)
	slices.SortFunc(got, CompareNatural)
	if !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestNumbers(t *testing.T) {
	tests := []struct {
		v     float64
		unit  string
		error float64
		want  string
	}{
		{0.53219, "share", 0.01, "0.532"}, {163_200_000, "params", 0, "163.2M"}, {999_950, "bytes", 0, "1.000M"}, {1_251_264, "params", 0, "1.251M"}, {1_327_520, "params", 0, "1.328M"}, {36_128, "params", 0, "36.13k"}, {9999, "bytes", 0, "9999"},
		{2.40231, "bits/byte", 0.0004, "2.4023"}, {0.0005, "setting", 0, "0.0005"}, {1e300, "share", 0, "1e+300"}, {16, "layers", 0, "16"},
	}
	for _, test := range tests {
		if got := formatNumber(test.v, decimalsFor(test.unit, []float64{test.error})); got != test.want {
			t.Errorf("%v %s is %q, want %q", test.v, test.unit, got, test.want)
		}
	}
}

func TestReadPublished(t *testing.T) {
	for _, name := range PublishedNames() {
		p, err := ReadPublished(name)
		if err != nil || len(p.Rows) == 0 {
			t.Errorf("%s: %d rows, %v", name, len(p.Rows), err)
		}
	}
	if _, err := ReadPublished("mobilellm-table12"); err == nil || !strings.Contains(err.Error(), "did you mean") {
		t.Errorf("a table that is not there: %v", err)
	}
}
