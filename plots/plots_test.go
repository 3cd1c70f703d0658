package plots

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"image/png"
	"io"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"plumb/internal/golden"
	"plumb/results"
)

// experiment is records and curves of four depths, two sharings and three
// seeds, of which some diverged.
func experiment(shuffled bool) (records []results.Record, curves []results.Curve) {
	random := rand.New(rand.NewPCG(1, 2))
	for _, layers := range []int{2, 4, 8, 16} {
		for _, sharing := range []string{"none", "immediate x2"} {
			for seed := uint64(1); seed <= 3; seed++ {
				keys := map[string]string{"layers": strconv.Itoa(layers), "sharing": sharing}
				trial := fmt.Sprint(layers, sharing, seed)
				better := math.Log2(float64(layers)) + float64(len(sharing))/8
				add := func(metric, unit string, value float64) {
					r := results.Record{Experiment: "e", Trial: trial, Seed: seed, Keys: keys, Metric: metric, Unit: unit, N: 1000, Status: results.StatusOK, Value: results.Number(value)}
					if layers == 16 && sharing == "none" && seed > 1 {
						r.Status, r.Value = results.StatusDiverged, nil
					}
					records = append(records, r)
				}
				add("hellaswag/acc_norm", "share", 0.26+0.01*better+0.004*random.NormFloat64())
				add("valid/bits_per_byte", "bits/byte", 2.3-0.04*better+0.004*random.NormFloat64())
				curves = append(curves, curve(random, keys, trial, seed, better))
			}
		}
	}
	chance := results.Record{Trial: "chance", Metric: "hellaswag/chance", Unit: "share", Value: results.Number(0.25), Status: results.StatusOK}
	records = append(append(records, chance), walks()...)
	if shuffled {
		random.Shuffle(len(records), func(i, j int) { records[i], records[j] = records[j], records[i] })
		random.Shuffle(len(curves), func(i, j int) { curves[i], curves[j] = curves[j], curves[i] })
	}
	return records, curves
}

// walks is records of four tasks of one kind, whose seeds differ so much that
// intervals of shares go beyond 0 and 1, with long names.
func walks() (records []results.Record) {
	for length := 1; length <= 4; length++ {
		for i, name := range []string{"two blocks", "two blocks, immediate x2, twice the operations", "four blocks, with equal operations"} {
			for seed := uint64(1); seed <= 3; seed++ {
				value := 1 - 0.2*float64(length-1)*float64(4-seed)/3 - 0.04*float64(i*(length-1))
				records = append(records, results.Record{Trial: fmt.Sprint("walk", name, seed), Seed: seed, Keys: map[string]string{"name": name, "layers": strconv.Itoa(2 << i)},
					Metric: fmt.Sprintf("world_walk%d/acc", length), Unit: "share", N: 64, Status: results.StatusOK, Value: results.Number(value)})
			}
		}
		records = append(records, results.Record{Trial: "chance", Metric: fmt.Sprintf("world_walk%d/chance", length), Unit: "share", Value: results.Number(0.25), Status: results.StatusOK})
	}
	return records
}

func curve(random *rand.Rand, keys map[string]string, trial string, seed uint64, better float64) results.Curve {
	c := results.Curve{Experiment: "e", Trial: trial, Seed: seed, Keys: keys, Status: results.StatusOK}
	for i := range 300 {
		p := results.Point{Step: i + 1, Tokens: int64(i+1) * 16384}
		p.Train = results.Number(2.2 - 0.1*better + 5/math.Sqrt(float64(i+1)) + 0.03*random.NormFloat64())
		if i%50 == 49 {
			p.Valid = results.Number(*p.Train + 0.1)
		}
		c.Points = append(c.Points, p)
	}
	return c
}

// views has at least one view of every kind.
func views() map[string]results.View {
	both := []string{"hellaswag/acc_norm", "valid/bits_per_byte"}
	return map[string]results.View{
		"lines":           {Metric: "hellaswag/acc_norm", Rows: "layers", Cols: "sharing", Figure: "lines"},
		"lines-page":      {Metrics: both, Rows: "layers", Cols: "sharing", Figure: "lines", Width: "page"},
		"lines-published": {Metric: "hellaswag/acc_norm", Rows: "layers", Cols: "sharing", Figure: "lines", Reference: "mobilellm-table11"},
		"lines-category":  {Metric: "valid/bits_per_byte", Rows: "sharing", Cols: "layers", Figure: "lines"},
		"bars":            {Metrics: both, Rows: "sharing", Cols: "layers", Figure: "bars"},
		"bars-marks":      {Metric: "valid/bits_per_byte", Rows: "layers", Cols: "sharing", Figure: "bars"},
		"bars-page":       {Metric: "world_walk*/acc", Rows: "name", Cols: "metric", Figure: "bars", Width: "page"},
		"bars-row":        {Metrics: []string{"world_walk1/acc", "world_walk2/acc", "world_walk3/acc"}, Rows: "name", Cols: "metric", Figure: "bars", Width: "page"},
		"lines-grid":      {Metric: "world_walk*/acc", Rows: "layers", Cols: "metric", Figure: "lines", Width: "page"},
		"lines-names":     {Metrics: []string{"world_walk2/acc", "world_walk3/acc", "world_walk4/acc"}, Rows: "name", Cols: "metric", Figure: "lines", Width: "page"},
		"pareto":          {Metrics: both, Rows: "layers, sharing", Figure: "pareto", Width: "page"},
		"curves":          {Metric: "train/loss", Rows: "layers", Figure: "curves", Where: map[string]any{"sharing": "none"}},
		"curves-valid":    {Metric: "valid/loss", Rows: "layers", Cols: "sharing", Figure: "curves", Axis: "log", Width: "page"},
	}
}

func drawn(t *testing.T, view results.View, shuffled bool) *Figure {
	t.Helper()
	records, curves := experiment(shuffled)
	in := Input{View: view, Curves: curves}
	if view.Figure != "curves" {
		table, err := view.Table(records, nil)
		if err != nil {
			t.Fatal(err)
		}
		in.Table = table
	}
	figure, err := Draw(in)
	if err != nil {
		t.Fatal(err)
	}
	return figure
}

// TestFigures puts every kind through the same checks: the SVG is the golden
// one, it is well formed and has only what we draw, and both files have the same bytes
// whatever the order of the records.
func TestFigures(t *testing.T) {
	seen := map[string]bool{}
	for name, view := range views() {
		seen[view.Figure] = true
		t.Run(name, func(t *testing.T) {
			figure, again := drawn(t, view, false), drawn(t, view, true)
			svg := figure.SVG()
			golden.Check(t, "testdata/"+name+".svg.golden", svg)
			checkSVG(t, svg)
			if !bytes.Equal(svg, again.SVG()) {
				t.Error("another order of records gave another SVG")
			}
			first, second := pixels(t, figure), pixels(t, again)
			if !bytes.Equal(first, second) {
				t.Error("another order of records gave another PNG")
			}
			picture, err := png.DecodeConfig(bytes.NewReader(first))
			if err != nil || math.Abs(float64(picture.Width)-figure.Width.Dots(pixelsPerInch)) > 1 {
				t.Errorf("the PNG is %d wide, want %.0f: %v", picture.Width, figure.Width.Dots(pixelsPerInch), err)
			}
		})
	}
	for _, kind := range Kinds.Names() {
		if !seen[kind] {
			t.Errorf("no view here draws the kind %s", kind)
		}
	}
}

func pixels(t *testing.T, f *Figure) []byte {
	t.Helper()
	data, err := f.PNG()
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// checkSVG parses strictly and allows only the elements and attributes that
// the canvas writes, and no number that is none.
func checkSVG(t *testing.T, svg []byte) (titles []string) {
	t.Helper()
	attributes := map[string]bool{"xmlns": true, "width": true, "height": true, "viewBox": true, "role": true, "d": true, "fill": true, "stroke": true,
		"stroke-width": true, "stroke-dasharray": true, "stroke-dashoffset": true, "stroke-opacity": true, "fill-opacity": true, "transform": true}
	decoder := xml.NewDecoder(bytes.NewReader(svg))
	inTitle := false
	for {
		token, err := decoder.Token()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		switch x := token.(type) {
		case xml.StartElement:
			inTitle = x.Name.Local == "title"
			if !strings.Contains(" svg g path title ", " "+x.Name.Local+" ") {
				t.Fatalf("an element %s", x.Name.Local)
			}
			for _, a := range x.Attr {
				if !attributes[a.Name.Local] || strings.Contains(a.Value, "NaN") || strings.Contains(a.Value, "Inf") {
					t.Fatalf("an attribute %s = %q", a.Name.Local, a.Value)
				}
			}
		case xml.CharData:
			if inTitle {
				titles = append(titles, string(x))
			}
		case xml.EndElement:
			inTitle = false
		}
	}
	return titles
}

func TestWrite(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "figures")
	paths, err := drawn(t, views()["lines"], false).Write(folder, "depth")
	if err != nil || len(paths) != 2 {
		t.Fatal(paths, err)
	}
	entries, _ := os.ReadDir(folder)
	if len(entries) != 2 || entries[0].Name() != "depth.png" || entries[1].Name() != "depth.svg" {
		t.Errorf("the folder has %v", entries)
	}
}

// Words of a figure can be found and read aloud, whatever they are.
func TestNamesStayText(t *testing.T) {
	for _, name := range []string{`<script>alert(1)</script>`, `"><svg onload=x>`, "]]>", "&amp;", "\x1b[31m\x00", "\u202e", "日本語 🙂", strings.TrimSpace(strings.Repeat("long ", 60))} {
		records, _ := experiment(false)
		for i := range records {
			records[i].Keys = map[string]string{"layers": records[i].Keys["layers"], name: name + records[i].Keys["sharing"]}
			if records[i].Trial == "chance" {
				records[i].Keys = nil
			}
		}
		view := results.View{Title: name, Metric: "*/acc_norm", Rows: "layers", Cols: name, Figure: "lines"}
		table, err := view.Table(records, nil)
		if err != nil {
			t.Fatalf("%q: %v", name, err)
		}
		figure, err := Draw(Input{View: view, Table: table})
		if err != nil {
			t.Fatalf("%q: %v", name, err)
		}
		titles := checkSVG(t, figure.SVG())
		if strings.HasPrefix(name, "<script>") && titles[0] != name {
			t.Errorf("the title %q became %q", name, titles[0])
		}
		pixels(t, figure)
	}
}

func TestDrawRefuses(t *testing.T) {
	lost := []results.Record{{Trial: "t", Metric: "m", Keys: map[string]string{"k": "1"}, Status: results.StatusDiverged}}
	huge := []results.Record{
		{Trial: "t", Metric: "m", Keys: map[string]string{"k": "1"}, Status: results.StatusOK, Value: results.Number(1e308)},
		{Trial: "u", Metric: "m", Keys: map[string]string{"k": "2"}, Status: results.StatusOK, Value: results.Number(-1e308)},
	}
	words := []results.Record{{Trial: "t", Metric: "m", Keys: map[string]string{"k": "word"}, Status: results.StatusOK, Value: results.Number(1)}}
	zero := []results.Record{{Trial: "t", Metric: "m", Keys: map[string]string{"k": "0"}, Status: results.StatusOK, Value: results.Number(1)}}
	tests := []struct {
		name, want string
		records    []results.Record
		view       results.View
	}{
		{"unknown kind", `no kind of figure named "line" (have bars, curves, lines, pareto); did you mean "lines"?`, words, results.View{Figure: "line"}},
		{"nothing has a value", "nothing to draw: no m has a value", lost, results.View{Figure: "lines"}},
		{"nothing has a bar", "nothing to draw: no m has a value", lost, results.View{Figure: "bars"}},
		{"values beyond paper", "cannot be drawn", huge, results.View{Figure: "lines"}},
		{"words on a line", `"word" is no number; use axis = "category"`, words, results.View{Figure: "lines", Axis: "linear"}},
		{"zero on a logarithm", "a logarithmic axis cannot show 0", zero, results.View{Figure: "lines", Axis: "log"}},
		{"two row keys", `one key as rows, which becomes the axis, and not "k, seed"`, zero, results.View{Figure: "lines", Rows: "k,seed"}},
		{"unknown reference", `no published table "mobilellm-table12.csv"`, zero, results.View{Figure: "lines", Reference: "mobilellm-table12"}},
		{"reference without the axis", `mobilellm-table11.csv has no column "k"`, zero, results.View{Figure: "lines", Reference: "mobilellm-table11"}},
		{"no curves", "nothing to draw: no curve has a value", zero, results.View{Figure: "curves"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			test.view.Metric = "m"
			if test.view.Rows == "" {
				test.view.Rows = "k"
			}
			table, err := test.view.Table(test.records, nil)
			if err != nil {
				t.Fatal(err)
			}
			_, err = Draw(Input{View: test.view, Table: table})
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error %v, want one with %q", err, test.want)
			}
		})
	}
	if _, err := Draw(Input{View: results.View{Figure: "lines"}}); err == nil {
		t.Error("lines without a table were drawn")
	}
}

// Odd but possible tables are drawn without a panic.
func TestOddTables(t *testing.T) {
	values := []float64{0, 1, -1, 1e-12, 1e12, 0.5}
	random := rand.New(rand.NewPCG(5, 5))
	for i := range 60 {
		var records []results.Record
		for j := range 1 + random.IntN(8) {
			records = append(records, results.Record{Trial: fmt.Sprint(j), Seed: uint64(random.IntN(2)), Metric: []string{"m/acc", "n/x"}[random.IntN(2)], Unit: "share",
				Keys: map[string]string{"k": []string{"0", "1", "8", "x", "1e9"}[random.IntN(5)], "l": fmt.Sprint(random.IntN(10))}, Status: results.StatusOK, Value: results.Number(values[random.IntN(6)])})
		}
		for _, kind := range []string{"lines", "bars"} {
			view := results.View{Metric: "*/*", Rows: "k", Cols: []string{"", "l"}[random.IntN(2)], Figure: kind, Width: []string{"", "page"}[random.IntN(2)]}
			table, err := view.Table(records, nil)
			if err != nil {
				t.Fatal(err)
			}
			figure, err := Draw(Input{View: view, Table: table})
			if err != nil {
				t.Fatalf("table %d: %v", i, err)
			}
			checkSVG(t, figure.SVG())
		}
	}
}

func TestTicks(t *testing.T) {
	tests := []struct {
		name      string
		low, high float64
		log       bool
		want      string
	}{
		{"shares", 0.243, 0.331, false, "0.26 0.28 0.30 0.32"},
		{"around zero", -1, 1, false, "-1.0 -0.5 0.0 0.5 1.0"},
		{"large", 0, 1e6, false, "0 200k 400k 600k 800k 1M"},
		{"losses within a factor of two", 2, 4, true, "2 2.5 3 3.5 4"},
		{"less than a decade", 0.8e6, 4.9e6, true, "1M 2M 3M 4M"},
		{"one decade", 1, 10, true, "1 2 5 10"},
		{"tokens", 2e4, 9e6, true, "20k 50k 100k 200k 500k 1M 2M 5M"},
		{"many decades", 1e-6, 1e3, true, "10⁻⁶ 10⁻⁴ 0.01 1 100"},
		{"no width", 1, 1, false, "1"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			ticks := linearTicks(test.low, test.high, 6)
			if test.log {
				ticks = logTicks(test.low, test.high, 6)
			}
			var labels []string
			for _, tick := range ticks {
				labels = append(labels, tick.Label)
			}
			if got := strings.Join(labels, " "); got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}

func TestLooksDiffer(t *testing.T) {
	seen := map[string]int{}
	for i := range 24 {
		l := lookOf(i)
		id := fmt.Sprint(l.color, l.dashes, len(l.mark), l.mark, l.hollow)
		if j, ok := seen[id]; ok {
			t.Errorf("series %d and %d look the same", i, j)
		}
		seen[id] = i
	}
}
