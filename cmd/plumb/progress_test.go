package main

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"plumb/experiments"
)

// newTestMeter returns a meter that writes to w and a function that moves its
// clock.
func newTestMeter(w *bytes.Buffer, mode progressMode, width int) (*meter, func(time.Duration)) {
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	m := &meter{w: w, mode: mode, width: width, now: func() time.Time { return now }, stop: make(chan struct{})}
	m.shown = now
	return m, func(d time.Duration) { now = now.Add(d) }
}

func TestPlainProgressIsOneLineEvery30Seconds(t *testing.T) {
	var out bytes.Buffer
	m, pass := newTestMeter(&out, progressMode{every: plainEvery}, 80)
	for range 61 {
		pass(time.Second)
		m.show(standing{line: "a line that is longer than eighty columns is not cut, since nobody redraws it, ever"})
	}
	if got := strings.Count(out.String(), "nobody redraws it, ever\n"); got != 2 {
		t.Errorf("%d lines in 61 s:\n%s", got, &out)
	}
	m.say(standing{line: "bad news"})
	if !strings.HasSuffix(out.String(), "\nbad news\n") {
		t.Errorf("news waits: %q", out.String())
	}
}

func TestTerminalProgressIsRedrawn(t *testing.T) {
	var out bytes.Buffer
	m, pass := newTestMeter(&out, progressMode{every: redrawEvery, redraw: true}, 8)
	for _, line := range []string{"one", "too soon", "much too long"} {
		if line != "too soon" {
			pass(time.Second)
		}
		m.show(standing{line: line})
	}
	m.say(standing{line: "bad news"})
	m.finish()
	const clear = "\r\x1b[K"
	if want := clear + "one" + clear + "much t…" + clear + "bad news\n" + clear + "much t…" + clear; out.String() != want {
		t.Errorf("%q, want %q", out.String(), want)
	}
	m.show(standing{line: "late"})
	if strings.Contains(out.String(), "late") {
		t.Error("a finished meter shows something")
	}
}

func TestJSONProgressIsObjects(t *testing.T) {
	var out bytes.Buffer
	m, pass := newTestMeter(&out, progressMode{every: jsonEvery, json: true}, 80)
	m.show(standing{"x", map[string]int{"a": 1}})
	pass(time.Second)
	m.show(standing{"x", map[string]int{"a": 2}})
	m.say(standing{"x", map[string]string{"b": "<3>"}})
	if want := "{\"a\":2}\n{\"b\":\"<3>\"}\n"; out.String() != want {
		t.Errorf("%q, want %q", out.String(), want)
	}
}

func TestNoProgressIsSilent(t *testing.T) {
	var out bytes.Buffer
	m, pass := newTestMeter(&out, progressMode{}, 80)
	pass(time.Hour)
	m.show(standing{line: "x"})
	m.say(standing{line: "y"})
	m.finish()
	if out.Len() > 0 {
		t.Errorf("%q", out.String())
	}
}

// TestColumns demands that COLUMNS decides the width.
func TestColumns(t *testing.T) {
	for _, test := range []struct {
		set  string
		want int
	}{{"120", 120}, {"-3", 80}, {"wide", 80}, {"", 80}} {
		t.Setenv("COLUMNS", test.set)
		if got := columns(&bytes.Buffer{}); got != test.want {
			t.Errorf("COLUMNS=%q: %d columns, want %d", test.set, got, test.want)
		}
	}
}

func TestTimeText(t *testing.T) {
	for want, d := range map[string]time.Duration{
		"0s": 0, "42s": 41600 * time.Millisecond, "1m00s": 59600 * time.Millisecond, "3m20s": 200 * time.Second, "27h05m": 27*time.Hour + 5*time.Minute,
	} {
		if got := timeText(d); got != want {
			t.Errorf("%v is %q, want %q", d, got, want)
		}
	}
}

// TestRunLine shows what a line of progress says as a run goes on.
func TestRunLine(t *testing.T) {
	var out bytes.Buffer
	m, pass := newTestMeter(&out, progressMode{every: redrawEvery}, 200)
	l := newRunLine(newApp(nil, &out, &out), m)
	train := experiments.Event{Kind: experiments.EventProgress, Stage: "train", ID: "b", Trial: 3, Trials: 9, Done: 2, Label: "layers=4 seed=1",
		Step: 45, Steps: 100, Tokens: 1_230_000, Rate: 35_100, Loss: 3.2144, Left: 80 * time.Second, RunLeft: 12 * time.Minute}
	other := train
	other.ID, other.Trial, other.Label = "a", 4, "layers=8 seed=1"
	events := []struct {
		name  string
		event experiments.Event
		want  string
	}{
		{"before anything", experiments.Event{Kind: experiments.EventStarted, Trials: 9, Done: 2}, "2 of 9 trials done\n"},
		{"training", train, "trial 3/9 train 45%  1.23M tokens  35.1k/s  loss 3.214  left 1m20s, run 12m00s  layers=4 seed=1\n"},
		{"two at once", other, "trial 3/9 train 45%  1.23M tokens  35.1k/s  loss 3.214  left 1m20s, run 12m00s  +1 at work  layers=4 seed=1\n"},
		{"failure", experiments.Event{Kind: experiments.EventFailed, Stage: "train", ID: "b", Trial: 3, Trials: 9, Done: 2, Failed: 1, Label: "layers=4 seed=1", Message: "no room\nat all"},
			"plumb: train of layers=4 seed=1 failed: no room\ntrial 3/9 train 45%  1.23M tokens  35.1k/s  loss 3.214  left 1m20s  1 failed  layers=8 seed=1\n"},
		{"score of a diverged one", experiments.Event{Kind: experiments.EventDiverged, Stage: "score", ID: "a", Trial: 4, Trials: 9, Done: 3, Message: "NaN"}, "3 of 9 trials done\n"},
		{"warning", experiments.Event{Kind: experiments.EventWarning, Trials: 9, Done: 3, Message: "x is damaged"}, "plumb: x is damaged\n3 of 9 trials done\n"},
	}
	for _, e := range events {
		t.Run(e.name, func(t *testing.T) {
			out.Reset()
			pass(time.Second)
			l.observe(e.event)
			if out.String() != e.want {
				t.Errorf("%q, want %q", out.String(), e.want)
			}
		})
	}
}
