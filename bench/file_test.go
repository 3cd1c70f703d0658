package bench

import (
	"bytes"
	"reflect"
	"strings"
	"testing"
	"time"
)

// sample is a report of two lines.
func sample() Report {
	r := Report{Header: Header{Format: Format, Version: "v1", Started: time.Unix(1e9, 0).UTC(), Kernels: "avx2", Workers: 2, CPUTime: true}}
	r.Machine.Processor, r.Machine.Cores, r.Machine.Features = "Some Processor", 2, []string{"avx2"}
	for _, name := range []string{"forward", "backward"} {
		times := Times{CPU: []float64{1, 1.01, 1.02, 1.01, 1.03}, Wall: []float64{1, 1, 1, 1, 2}, Spent: 5 * time.Second}
		run := &runner{cores: 2, known: true}
		r.Lines = append(r.Lines, run.line(probe{Line: Line{Section: "kernels", Shape: "1m", Name: name, Workers: 1, Unit: "FLOP", Work: 1e9}}, times))
	}
	return r
}

func written(t testing.TB, r Report) []byte {
	var file bytes.Buffer
	if err := r.Write(&file); err != nil {
		t.Fatal(err)
	}
	return file.Bytes()
}

func TestReportsAreReadAsWritten(t *testing.T) {
	want := sample()
	text := append(written(t, want), `{"kind":"change","name":"forward"}`+"\n"...)
	got, err := Read(bytes.NewReader(text))
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%v: %+v, want %+v", err, got, want)
	}
}

func TestFilesThatAreNoReports(t *testing.T) {
	good := string(written(t, sample()))
	header, lines, _ := strings.Cut(good, "\n")
	tests := []struct{ name, text, want string }{
		{"empty", "", "empty"},
		{"no JSON", "limits\n", "line 1: no JSON object"},
		{"other objects", `{"kind":"trial"}`, `line 1: an object of kind "trial" is out of place`},
		{"lines first", lines, `line 1: an object of kind "line" is out of place`},
		{"two headers", header + "\n" + header, `line 2: an object of kind "bench" is out of place`},
		{"another format", strings.Replace(good, Format, "plumb-bench-0", 1), `line 1: format "plumb-bench-0", need "plumb-bench-1"`},
		{"negative time", strings.Replace(good, `"cpu_seconds":[1,`, `"cpu_seconds":[-1,`, 1), "line 2: forward took -1 seconds"},
		{"no work", strings.Replace(good, `"work":1000000000`, `"work":0`, 1), "line 2: forward did work of 0"},
		{"endless line", header + "\n" + strings.Repeat(" ", mostLineText+1), "longer than"},
		{"endless file", header + "\n" + strings.Repeat("{}\n", 5), "line 2: an object"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			_, err := Read(strings.NewReader(test.text))
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("%v, want %s", err, test.want)
			}
		})
	}
	for n := range len(good) - len("}\n") {
		r, err := Read(strings.NewReader(good[:n]))
		if err == nil && good[n-1] != '\n' && good[n] != '\n' {
			t.Fatalf("the first %d bytes are taken for a report of %d lines", n, len(r.Lines))
		}
	}
}

func FuzzRead(f *testing.F) {
	good := written(f, sample())
	f.Add(good)
	f.Add(good[:len(good)/2])
	f.Add([]byte(`{"kind":"bench","format":"plumb-bench-1"}` + "\n" + `{"kind":"line","work":1e400}`))
	f.Add([]byte("{}\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		r, err := Read(bytes.NewReader(text))
		if err != nil {
			return
		}
		again, err := Read(bytes.NewReader(written(t, r)))
		if err != nil || len(again.Lines) != len(r.Lines) {
			t.Errorf("a report that was read cannot be written and read: %v", err)
		}
	})
}
