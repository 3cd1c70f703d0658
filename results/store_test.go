package results

import (
	"bytes"
	"errors"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

func sampleRecords() []Record {
	records, _ := sample()
	return records[:7]
}

func TestRecordsRoundTrip(t *testing.T) {
	path := filepath.Join(t.TempDir(), "records.jsonl")
	want := sampleRecords()
	want[0].Note = "odd: <&> \"quotes\" \u2028 日本 \x00"
	if err := WriteRecords(path, want[:3]); err != nil {
		t.Fatal(err)
	}
	if err := Append(path, want[3:]...); err != nil {
		t.Fatal(err)
	}
	got, torn, err := ReadRecords(path)
	if err != nil || torn != 0 || !reflect.DeepEqual(got, want) {
		t.Fatalf("torn %d, err %v\ngot  %v\nwant %v", torn, err, got, want)
	}
	again := filepath.Join(t.TempDir(), "again.jsonl")
	if err := WriteRecords(again, got); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(readFile(t, path), readFile(t, again)) {
		t.Error("the same records gave other bytes")
	}
}

func readFile(t *testing.T, path string) []byte {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func writeFile(t *testing.T, path string, data []byte) {
	t.Helper()
	if err := os.WriteFile(path, data, 0o644); err != nil {
		t.Fatal(err)
	}
}

func TestRecordsRefused(t *testing.T) {
	good := Record{Trial: "t", Metric: "m", Value: Number(1), Status: StatusOK}
	tests := []struct {
		name, want string
		change     func(r *Record)
	}{
		{"NaN", "NaN is no finite number", func(r *Record) { r.Value = Number(math.NaN()) }},
		{"infinite error", "+Inf is no finite number", func(r *Record) { r.StdErr = Number(math.Inf(1)) }},
		{"negative error", "negative", func(r *Record) { r.StdErr = Number(-1) }},
		{"ok without value", "without a value", func(r *Record) { r.Value = nil }},
		{"diverged with value", "only ok has one", func(r *Record) { r.Status = StatusDiverged }},
		{"status", `status "fine" is none of`, func(r *Record) { r.Status = "fine" }},
		{"no metric", "must be named", func(r *Record) { r.Metric = "" }},
		{"text", "not valid UTF-8", func(r *Record) { r.Note = "\xff" }},
		{"key", "not valid UTF-8", func(r *Record) { r.Keys = map[string]string{"a": "\xff"} }},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			r := good
			test.change(&r)
			path := filepath.Join(t.TempDir(), "r.jsonl")
			err := Append(path, r)
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error %v, want one with %q", err, test.want)
			}
			if _, err := os.Stat(path); err == nil {
				t.Error("a file was written all the same")
			}
		})
	}
}

// A line torn off at any byte is left out by the reader and cut by Append.
func TestTornLastLine(t *testing.T) {
	records := sampleRecords()[:3]
	whole, err := Encode(records...)
	if err != nil {
		t.Fatal(err)
	}
	two, _ := Encode(records[:2]...)
	path := filepath.Join(t.TempDir(), "records.jsonl")
	for length := len(two); length < len(whole); length++ {
		writeFile(t, path, whole[:length])
		got, torn, err := ReadRecords(path)
		if err != nil || len(got) != 2 || torn != length-len(two) {
			t.Fatalf("cut at %d: %d records, torn %d, err %v", length, len(got), torn, err)
		}
		if length%37 != 0 {
			continue
		}
		if err := Append(path, records[2]); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(readFile(t, path), whole) {
			t.Fatalf("cut at %d: appending did not restore the file", length)
		}
	}
}

func TestRecordErrorsNameFileAndLine(t *testing.T) {
	whole, _ := Encode(sampleRecords()[:3]...)
	tests := []struct {
		name, want string
		change     func(s string) string
	}{
		{"flipped digit", ":2: checksum ", func(s string) string {
			lines := strings.SplitAfter(s, "\n")
			lines[1] = strings.Replace(lines[1], `"seed":1`, `"seed":7`, 1)
			return strings.Join(lines, "")
		}},
		{"no checksum", ":1: the line does not end with its checksum", func(s string) string { return "{}\n" + s }},
		{"unknown field", `:1: json: unknown field "surprise"`, func(string) string {
			return string(seal(map[string]any{"surprise": 1}))
		}},
		{"well sealed nonsense", ":1: record of", func(string) string { return string(seal(Record{Status: "what"})) }},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "records.jsonl")
			writeFile(t, path, []byte(test.change(string(whole))))
			got, _, err := ReadRecords(path)
			var corrupt *CorruptError
			if !errors.As(err, &corrupt) || !strings.Contains(err.Error(), path+test.want) || got != nil {
				t.Errorf("got %d records, error %v, want %q", len(got), err, test.want)
			}
		})
	}
}

// Every flipped bit and every cut of a file is noticed, and nothing panics.
func TestDamageIsNoticed(t *testing.T) {
	records, _ := Encode(sampleRecords()[:3]...)
	items, _ := drawItems(rand.New(rand.NewPCG(1, 1)), "winogrande", 10, 1).Encode()
	folder := t.TempDir()
	curvePath := filepath.Join(folder, "c.jsonl")
	if err := WriteCurve(curvePath, sampleCurve()); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name    string
		data    []byte
		noticed func(data []byte) bool
	}{
		{"records", records, func(data []byte) bool {
			_, torn, err := parseRecords("records", data)
			return torn > 0 || err != nil
		}},
		{"items", items, func(data []byte) bool { _, err := parseItems("items", data); return err != nil }},
		{"curve", readFile(t, curvePath), func(data []byte) bool { _, err := parseCurve("curve", data); return err != nil }},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			random := rand.New(rand.NewPCG(6, 6))
			for range 2000 {
				damaged := bytes.Clone(test.data)
				at := random.IntN(len(damaged))
				damaged[at] ^= 1 << random.IntN(8)
				if !test.noticed(damaged) {
					t.Fatalf("byte %d changed from %q to %q unnoticed", at, test.data[at], damaged[at])
				}
			}
			for length := range test.data {
				if test.name == "records" && (length == 0 || test.data[length-1] == '\n') {
					continue // whole lines are a whole file of fewer records
				}
				if !test.noticed(test.data[:length]) {
					t.Fatalf("cut to %d bytes unnoticed", length)
				}
			}
		})
	}
}

func sampleCurve() Curve {
	c := Curve{Experiment: "e", Trial: "t", Seed: 3, Keys: map[string]string{"layers": "2"}, Status: StatusOK}
	for i := range 20 {
		p := Point{Step: i, Tokens: int64(i) * 1000, Train: Number(8 / float64(i+1))}
		if i%5 == 0 {
			p.Valid = Number(8.5 / float64(i+1))
		}
		c.Points = append(c.Points, p)
	}
	return c
}

func TestCurveRoundTrip(t *testing.T) {
	folder := t.TempDir()
	want := sampleCurve()
	file := filepath.Join(folder, "curve.jsonl")
	if err := WriteCurve(file, want); err != nil {
		t.Fatal(err)
	}
	got, err := ReadCurve(file)
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("err %v\ngot  %v\nwant %v", err, got, want)
	}
	want.Points[4].Train = Number(math.NaN())
	if err := WriteCurve(filepath.Join(folder, "b"), want); err == nil {
		t.Error("a loss that is no number was stored")
	}
}

func TestItemsRoundTrip(t *testing.T) {
	folder := t.TempDir()
	want := drawItems(rand.New(rand.NewPCG(8, 8)), "winogrande", 50, 1)
	want.Items[7].Choices[1] = Choice{Sum: -math.Nextafter(0.1, 1) * 1e-300, Tokens: 1, Length: 1, Greedy: true, Truncated: 9}
	hash, err := want.Write(folder)
	if err != nil {
		t.Fatal(err)
	}
	if again, err := want.Write(folder); err != nil || again != hash {
		t.Errorf("the same items have hashes %s and %s, %v", hash, again, err)
	}
	got, err := ReadItems(folder, hash)
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("err %v\ngot  %v\nwant %v", err, got, want)
	}
	other, _ := drawItems(rand.New(rand.NewPCG(9, 9)), "winogrande", 50, 1).Encode()
	writeFile(t, ItemsPath(folder, hash), other)
	var corrupt *CorruptError
	if _, err := ReadItems(folder, hash); !errors.As(err, &corrupt) {
		t.Errorf("whole items under another's name: %v", err)
	}
	if _, err := want.Write(folder); err != nil {
		t.Fatal(err)
	}
	if _, err := ReadItems(folder, hash); err != nil {
		t.Errorf("writing again did not repair the file: %v", err)
	}
	for _, name := range []string{"", "../../etc/passwd", strings.Repeat("g", 32)} {
		if _, err := ReadItems(folder, name); err == nil || errors.As(err, &corrupt) {
			t.Errorf("hash %q: %v", name, err)
		}
	}
}

func TestItemsRefused(t *testing.T) {
	tests := []struct {
		name, want string
		change     func(x *Items)
	}{
		{"NaN", "choice 1 scored NaN", func(x *Items) { x.Items[2].Choices[1].Sum = math.NaN() }},
		{"gold", "gold 2, but the choices are 0 to 1", func(x *Items) { x.Items[2].Gold = 2 }},
		{"twice", `two items are called "q0"`, func(x *Items) { x.Items[2].ID = "q0" }},
		{"negative", "negative count", func(x *Items) { x.Items[2].Choices[0].Tokens = -1 }},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			x := drawItems(rand.New(rand.NewPCG(8, 8)), "t", 5, 1)
			test.change(&x)
			if _, err := x.Write(t.TempDir()); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error %v, want one with %q", err, test.want)
			}
		})
	}
}

func TestFullDisk(t *testing.T) {
	if _, err := os.Stat("/dev/full"); err != nil {
		t.Log("this system has no /dev/full; nothing to try")
		return
	}
	f, err := os.OpenFile("/dev/full", os.O_RDWR, 0)
	if err != nil {
		t.Log("the full device cannot be opened:", err)
		return
	}
	defer f.Close()
	if err := appendDurably(f, []byte("x\n")); err == nil {
		t.Error("a full disk was not noticed")
	}
}

// FuzzRecords reads anything without a panic, and what it accepts it writes
// back so that it reads the same.
func FuzzRecords(f *testing.F) {
	whole, _ := Encode(sampleRecords()...)
	f.Add(whole)
	f.Add(whole[:len(whole)-3])
	f.Add([]byte("{}\n"))
	f.Add(seal(map[string]any{}))
	f.Add(seal(Record{Trial: "t", Metric: "m", Status: StatusFailed}))
	f.Fuzz(func(t *testing.T, data []byte) {
		records, _, err := parseRecords("f", data)
		if err != nil {
			return
		}
		again, err := Encode(records...)
		if err != nil {
			t.Fatal(err)
		}
		back, torn, err := parseRecords("f", again)
		if err != nil || torn != 0 || len(back) != len(records) {
			t.Fatalf("%d records came back as %d, torn %d, %v", len(records), len(back), torn, err)
		}
	})
}

// FuzzItems reads anything without a panic, and what it accepts encodes again.
func FuzzItems(f *testing.F) {
	f.Add([]byte("{}\n"))
	f.Add(seal(map[string]any{"task": "t", "items": 1}))
	f.Add(seal(Item{ID: "a", Choices: []Choice{{Sum: -1, Tokens: 1, Length: 1}}}))
	f.Fuzz(func(t *testing.T, data []byte) {
		items, err := parseItems("f", data)
		if err != nil {
			return
		}
		if _, err := items.Encode(); err != nil {
			t.Fatal(err)
		}
	})
}

// FuzzCurve reads anything without a panic, and what it accepts is in order.
func FuzzCurve(f *testing.F) {
	f.Add([]byte("{}\n"))
	f.Add(seal(map[string]any{"experiment": "e", "points": 1}))
	f.Fuzz(func(t *testing.T, data []byte) {
		curve, err := parseCurve("f", data)
		if err != nil {
			return
		}
		if err := curve.Check(); err != nil {
			t.Fatal(err)
		}
	})
}
