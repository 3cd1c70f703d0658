package main

import (
	"bytes"
	"strings"
	"testing"

	"plumb/bench"
)

func TestGateFailures(t *testing.T) {
	change := func(outcomes ...bench.Outcome) (g bench.Gate) {
		for _, o := range outcomes {
			g.Changes = append(g.Changes, bench.Change{Outcome: o})
		}
		return g
	}
	tests := []struct {
		name   string
		gate   bench.Gate
		status int
		want   string
	}{
		{"nothing new", change(bench.Same, bench.Faster, bench.Untested), statusDone, ""},
		{"slower", change(bench.Same, bench.Slower, bench.Untested), statusIncomplete, "1 of 3 lines are slower than in old.jsonl"},
		{"untested", change(bench.Untested, bench.Untested), statusIncomplete, "none of 2 lines could be compared with old.jsonl"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			err := gateFailure(test.gate, "old.jsonl")
			if statusOf(err) != test.status || err != nil && !strings.Contains(err.Error(), test.want) {
				t.Errorf("status %d, %v", statusOf(err), err)
			}
		})
	}
}

func TestWriteGate(t *testing.T) {
	var out bytes.Buffer
	a := newApp(nil, &out, &out)
	g := bench.Gate{Changes: []bench.Change{
		{Section: "step", Shape: "1m", Name: "training step", Workers: 1, Ratio: 0.84, P: 0.0012, Threshold: 0.04, Outcome: bench.Slower},
		{Section: "step", Shape: "10m", Name: "training step", Workers: 1, Ratio: 0.9, P: 1, Threshold: 0.04, Outcome: bench.Same, Reason: "slower once, not a second time"},
	}}
	if err := a.writeGate(g); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"1m          training step        1            0.840              4.0 %  0.0012  SLOWER\n",
		"10m         training step        1            0.900              4.0 %       1  same: slower once, not a second time\n",
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("%s\nhas no line\n%s", &out, want)
		}
	}
}

func TestSpeedTexts(t *testing.T) {
	tests := []struct {
		speed      float64
		work, want string
	}{
		{2.415e11, "FLOP", "242 GFLOP/s"}, {3.94e10, "B", "39.4 GB/s"}, {5e6, "B", "5 MB/s"}, {1.1e12, "FLOP", "1,100 GFLOP/s"},
		{24110.6, "tokens", "24,111 tokens/s"}, {2.614, "items", "2.61 items/s"}, {0, "FLOP", "0 FLOP/s"},
	}
	for _, test := range tests {
		unit, scale := rateUnit(test.speed, test.work)
		if got := speedText(test.speed/scale) + " " + unit; got != test.want {
			t.Errorf("%v: %s, want %s", test.speed, got, test.want)
		}
	}
}
