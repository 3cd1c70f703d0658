package experiments

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"plumb/results"
)

// A sundial is a Timer of known results that counts what it is asked.
type sundial struct {
	memory, repeats int
	order           []string
	stop            func()
	stopAt          int
}

func (s *sundial) Memory(dir string) (resident, peak int, err error) {
	s.memory++
	return 1000, 3000, nil
}

func (s *sundial) Repeat(dir string) ([]Repetition, error) {
	s.repeats++
	s.order = append(s.order, filepath.Base(filepath.Dir(dir)))
	if s.repeats == s.stopAt {
		s.stop()
	}
	return []Repetition{{Name: LoadTime, Work: 1, Loops: 1, CPU: 0.01, Wall: 0.02}, {Name: PromptTime, Work: 100, Loops: 1, CPU: 0.1, Wall: 0.1},
		{Name: DecodingTime, Work: 10, Loops: 1, CPU: 0.02, Wall: 0.02}}, nil
}

func (s *sundial) Judge(all []Repetition) Judgement {
	j := Judgement{Median: all[0].Work / all[0].CPU}
	j.Low, j.High = 0.9*j.Median, 1.1*j.Median
	if len(all) < 3 {
		j.Wrong = []string{"too few"}
	}
	return j
}

// timedSpec is a tiny spec with two recipes whose models are timed.
func timedSpec(t *testing.T, set ...string) *Spec {
	t.Helper()
	text := recipes[:strings.Index(recipes, "[[recipe]]")] + `
[speed]
repeat = 3
[[recipe]]
name = "half"
stages = "svd keep=0.5"
[[recipe]]
name = "rounded"
stages = "rtn bits=8"
[[view]]
name = "speed"
metrics = ["valid/bits_per_byte", "speed/load", "speed/prompt", "speed/decoding", "speed/latency", "energy/decoding", "memory/resident", "memory/peak", "cost/compression"]
rows = "recipe"
against = { recipe = "none" }
[[view]]
name = "front"
metrics = ["speed/latency", "valid/bits_per_byte"]
rows = "recipe"
figure = "pareto"
`
	spec, err := Parse("timed.toml", []byte(text), append([]string{"train.tokens=1000", "tasks=[]", "train.batch_tokens=64"}, set...)...)
	if err != nil {
		t.Fatal(err)
	}
	return spec
}

// Models are timed in turn when all else is done, at one seed; what was measured
// stays when it is interrupted, and nothing is measured twice unless it is asked for.
func TestSpeed(t *testing.T) {
	t.Parallel()
	spec, out := timedSpec(t), t.TempDir()
	run := func(s *sundial, retime bool) *Summary {
		ctx, stop := context.WithCancel(context.Background())
		defer stop()
		s.stop = stop
		summary, err := Run(ctx, spec, Options{Out: out, Jobs: 1, Timer: func(int) Timer { return s }, Retime: retime})
		if err != nil && !errors.Is(err, context.Canceled) {
			t.Fatal(err)
		}
		return summary
	}
	first := &sundial{stopAt: 5}
	if summary := run(first, false); !summary.Interrupted || first.memory != 3 || first.repeats != 5 {
		t.Fatalf("%+v after %+v", summary, first)
	}
	if o := first.order; len(o) != 5 || o[2] != o[3] || o[1] != o[4] || o[0] == o[1] {
		t.Errorf("rounds in the order %v, want there and back", o)
	}
	tear(t, filepath.Join(out, spec.Name, roundsFile))
	second := &sundial{}
	if summary := run(second, false); !summary.Complete() || second.memory != 0 || second.repeats != 9-5 {
		t.Fatalf("%+v after %+v", summary, second)
	}
	third := &sundial{}
	if run(third, false); third.repeats != 0 {
		t.Errorf("%d repetitions were timed twice", third.repeats)
	}
	checkTimedReport(t, filepath.Join(out, spec.Name))
	if run(third, true); third.repeats != 9 || third.memory != 3 {
		t.Errorf("asked to time again: %+v", third)
	}
	spec = timedSpec(t, "speed.workers=2")
	fourth, said := &sundial{}, ""
	_, err := Run(context.Background(), spec, Options{Out: out, Jobs: 1, Timer: func(int) Timer { return fourth }, Observe: func(e Event) { said += e.Message }})
	if err != nil || fourth.repeats != 0 || !strings.Contains(said, "--retime") {
		t.Errorf("under other conditions: %d repetitions, said %q, %v", fourth.repeats, said, err)
	}
}

// A disk that is full while models are timed stops the run and harms nothing: the
// next one makes up for what is missing. A file that cannot be read is named, and
// once it is removed the rounds give it back.
func TestSpeedOnAFullDisk(t *testing.T) {
	t.Parallel()
	spec, out, timer := timedSpec(t), t.TempDir(), &sundial{}
	run := func(d disk) error {
		_, err := Run(t.Context(), spec, Options{Out: out, Jobs: 1, Timer: func(int) Timer { return timer }, disk: d})
		return err
	}
	for _, full := range []struct {
		file  string
		after int // operations
	}{{roundsFile, 0}, {roundsFile, 1}, {roundsFile, 5}, {speedFileName, 0}} {
		n := 0
		err := run(disk{fault: func(_, path string) error {
			if filepath.Base(path) == full.file {
				if n++; n > full.after {
					return syscall.ENOSPC
				}
			}
			return nil
		}})
		var refusal *EnvironmentError
		if !errors.As(err, &refusal) || !errors.Is(err, syscall.ENOSPC) {
			t.Errorf("%s, full after %d: %v", full.file, full.after, err)
		}
	}
	if err := run(disk{}); err != nil {
		t.Fatal(err)
	}
	folder := filepath.Join(out, spec.Name)
	checkTimedReport(t, folder)
	path := filepath.Join(folder, speedFileName)
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, broken := range []string{"", "{", "[]", string(whole[:len(whole)/2]), `{"records":[{}]}`} {
		if err := os.WriteFile(path, []byte(broken), 0o666); err != nil {
			t.Fatal(err)
		}
		report, err := ReadReport(folder)
		if err != nil || len(report.Problems) != 1 || !strings.Contains(report.Problems[0].Error(), "remove it and run the spec again") {
			t.Errorf("%.20q: %v, %v", broken, report.Problems, err)
		}
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	before := timer.repeats
	if err := run(disk{}); err != nil || timer.repeats != before {
		t.Errorf("%v after %d repetitions more", err, timer.repeats-before)
	}
	checkTimedReport(t, folder)
}

// tear leaves half a line at the end of a file, as a crash does.
func tear(t *testing.T, path string) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteString(`{"session":"x","mod`); err != nil {
		t.Fatal(err)
	}
}

func checkTimedReport(t *testing.T, folder string) {
	t.Helper()
	report, err := ReadReport(folder)
	if err != nil || len(report.Problems) > 0 || len(report.Tables) != 2 {
		t.Fatalf("%v %+v", err, report)
	}
	table := report.Tables[0]
	want := map[string]float64{"speed/load": 0.01, "speed/prompt": 1000, "speed/decoding": 500, "speed/latency": 2, "memory/resident": 1000, "memory/peak": 3000}
	for metric, value := range want {
		j := slices.IndexFunc(table.Cols, func(h results.Heading) bool { return h.Metric == metric })
		for i := range table.Rows {
			c := table.Cells[i][j]
			if c.Interval.Mean != value || c.Origin != results.Measured || !slices.Equal(c.Seeds, []uint64{1}) {
				t.Errorf("%s of %s: %+v, want %v", metric, table.RowLabel(i), c, value)
			}
			if timed := strings.HasPrefix(metric, "speed/"); timed && (c.Verdict != results.Valid || c.N != 3) {
				t.Errorf("%s of %s: %s of %d", metric, table.RowLabel(i), c.Verdict, c.N)
			}
		}
	}
	energy, cost := table.Cells[0][5], 8
	if energy.Text() != "not available" {
		t.Errorf("energy is %q without counters", energy.Text())
	}
	if table.Cells[0][cost].Text() != "–" || !(table.Cells[1][cost].Interval.Mean > 0) || len(table.Cells[1][cost].Seeds) != 2 {
		t.Errorf("compression takes %q and %q", table.Cells[0][cost].Text(), table.Cells[1][cost].Text())
	}
	if caption := strings.Join(table.Caption, "\n"); !strings.Contains(caption, "at seed 1 alone") || !strings.Contains(caption, "one worker") {
		t.Errorf("caption %s", caption)
	}
	paths, err := report.Write()
	if err != nil || !slices.ContainsFunc(paths, func(p string) bool { return strings.HasSuffix(p, "front.svg") }) {
		t.Errorf("files %v, %v", paths, err)
	}
}

// Without a timer the speeds that views ask for are not available, and say so.
func TestUntimed(t *testing.T) {
	t.Parallel()
	spec, out := timedSpec(t, "seeds=[1]"), t.TempDir()
	if _, err := Run(context.Background(), spec, Options{Out: out, Jobs: 1}); err != nil {
		t.Fatal(err)
	}
	report, err := ReadReport(filepath.Join(out, spec.Name))
	if err != nil || len(report.Problems) > 0 {
		t.Fatal(err, report.Problems)
	}
	if text := report.Tables[0].Cells[1][3].Text(); text != "not available" {
		t.Errorf("a speed that nothing measured is %q", text)
	}
	if _, err := report.Write(); err != nil {
		t.Error(err)
	}
}
