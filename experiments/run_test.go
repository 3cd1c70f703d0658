package experiments

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"plumb/results"
)

func run(t testing.TB, ctx context.Context, out string, y Executor, o Options, set ...string) (*Summary, []Event, error) {
	t.Helper()
	var events []Event
	o.Out, o.Executor = out, y
	o.Observe = func(e Event) { events = append(events, e) }
	if o.Jobs == 0 {
		o.Jobs = 2
	}
	summary, err := Run(ctx, toySpec(t, set...), o)
	return summary, events, err
}

func messages(events []Event, kind EventKind) string {
	var all []string
	for _, e := range events {
		if e.Kind == kind {
			all = append(all, e.Message)
		}
	}
	return strings.Join(all, "\n")
}

// Whatever stage file is damaged, it is named, kept aside and the work redone.
func TestDamageIsRedone(t *testing.T) {
	t.Parallel()
	out := t.TempDir()
	if _, _, err := run(t, t.Context(), out, toy{steps: 2}, Options{}); err != nil {
		t.Fatal(err)
	}
	root := filepath.Join(out, "small")
	want := contents(t, root)
	tried := map[string]bool{}
	for _, name := range sortedKeys(want) {
		kind := fmt.Sprint(strings.Count(name, "/"), filepath.Ext(name), len(name))
		if tried[kind] || name == summaryFile {
			continue
		}
		tried[kind] = true
		for damage, act := range map[string]func(string) error{
			"flipped": flip, "cut": func(path string) error { return os.Truncate(path, 1) }, "missing": os.Remove,
		} {
			path := filepath.Join(root, name)
			if err := act(path); err != nil {
				t.Fatal(err)
			}
			s, events, err := run(t, t.Context(), out, toy{steps: 2}, Options{})
			if err != nil || !s.Complete() || s.Done != 4 {
				t.Fatalf("%s %s: %+v, %v", name, damage, s, err)
			}
			if warned := messages(events, EventWarning); !strings.Contains(warned, path) && !(damage == "missing" && filepath.Base(name) == stageFile) {
				t.Errorf("%s %s: the warning %q does not name it", name, damage, warned)
			}
			sameContents(t, contents(t, root), want)
		}
	}
}

// flip changes one bit in the middle of a file.
func flip(path string) error {
	data, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	data[len(data)/2] ^= 4
	return os.WriteFile(path, data, 0o666)
}

// A trial that fails or diverges leaves the others alone; --failed tries only
// these again.
func TestFailedAndDiverged(t *testing.T) {
	t.Parallel()
	out := t.TempDir()
	s, events, err := run(t, t.Context(), out, toy{steps: 2, fail: "layers=4 seed=2", bust: "layers=2 seed=1"}, Options{})
	if err != nil || len(s.Failed) != 1 || len(s.Diverged) != 1 || s.Done != 3 || s.Complete() {
		t.Fatalf("%+v, %v", s, err)
	}
	if s.Failed[0].Label != "layers=4 seed=2" || !strings.Contains(s.Failed[0].Reason, "this trial fails") || s.Diverged[0].Reason != "loss is NaN" {
		t.Errorf("%+v", s)
	}
	if !strings.Contains(messages(events, EventFailed), "this trial fails") {
		t.Error("no event tells of the failure")
	}
	table := acc(t, filepath.Join(out, "small"))
	if cell := table.Cells[1][0]; cell.Lost != 1 || len(cell.Seeds) != 1 {
		t.Errorf("the table passes over a failed trial: %+v", cell)
	}
	s, _, err = run(t, t.Context(), out, toy{steps: 2}, Options{Failed: true})
	if err != nil || s.Trials != 2 || !s.Complete() {
		t.Fatalf("with failed: %+v, %v", s, err)
	}
	undisturbed := t.TempDir()
	if _, _, err := run(t, t.Context(), undisturbed, toy{steps: 2}, Options{}); err != nil {
		t.Fatal(err)
	}
	sameContents(t, contents(t, filepath.Join(out, "small")), contents(t, filepath.Join(undisturbed, "small")))
	if s, _, _ := run(t, t.Context(), out, toy{steps: 2}, Options{Failed: true}); s.Trials != 0 {
		t.Errorf("%d trials are left to retry", s.Trials)
	}
}

// acc is the first table of a run's report.
func acc(t *testing.T, folder string) *results.Table {
	t.Helper()
	report, err := ReadReport(folder)
	if err != nil || len(report.Tables) == 0 {
		t.Fatalf("%+v, %v", report, err)
	}
	return report.Tables[0]
}

func TestOnly(t *testing.T) {
	t.Parallel()
	out := t.TempDir()
	s, _, err := run(t, t.Context(), out, toy{steps: 1}, Options{Only: "layers=2 *"})
	if err != nil || s.Trials != 2 || s.Done != 2 {
		t.Errorf("%+v, %v", s, err)
	}
	if s, _, err := run(t, t.Context(), out, toy{steps: 1}, Options{Only: "3"}); err != nil || s.Trials != 1 {
		t.Errorf("%+v, %v", s, err)
	}
	if _, _, err := run(t, t.Context(), out, toy{steps: 1}, Options{Only: "layers=9*"}); err == nil || !strings.Contains(err.Error(), `"layers=2 seed=1"`) {
		t.Errorf("got %v", err)
	}
}

// What trials share is done once: one data stage, the candidates at the first
// seed only, and the best of them at the other.
func TestSharedStages(t *testing.T) {
	t.Parallel()
	out := t.TempDir()
	s, events, err := run(t, t.Context(), out, toy{steps: 1}, Options{}, "train.tune.learning_rate=[1e-3, 2e-3, 4e-3]")
	if err != nil || !s.Complete() {
		t.Fatalf("%+v, %v", s, err)
	}
	done := map[string]int{}
	for _, e := range events {
		if e.Kind == EventDone {
			done[e.Stage]++
		}
	}
	if want := (map[string]int{DataStage: 1, TrainStage: 2*3 + 2, ScoreStage: 4}); fmt.Sprint(done) != fmt.Sprint(want) {
		t.Errorf("stages done %v, want %v", done, want)
	}
	report, err := ReadReport(filepath.Join(out, "small"))
	if err != nil || report.Done != 4 {
		t.Fatal(err)
	}
	for _, r := range report.read() {
		if r.Metric == "tuned/learning_rate" && (*r.Value != 1e-3 || !strings.Contains(r.Note, "at the edge")) {
			t.Errorf("%+v", r)
		}
	}
}

// An interrupted run keeps its checkpoints, says so, and goes on to the same bytes.
func TestInterrupt(t *testing.T) {
	t.Parallel()
	undisturbed := t.TempDir()
	if _, _, err := run(t, t.Context(), undisturbed, toy{steps: 20}, Options{}); err != nil {
		t.Fatal(err)
	}
	out := t.TempDir()
	for try := 0; ; try++ {
		ctx, cancel := context.WithTimeout(t.Context(), time.Duration(15+try)*time.Millisecond)
		s, _, err := run(t, ctx, out, toy{steps: 20, pause: time.Millisecond}, Options{})
		cancel()
		if err != nil || len(s.Failed) > 0 || try > 500 {
			t.Fatalf("%+v, %v", s, err)
		}
		if !s.Interrupted {
			if try == 0 {
				t.Error("was never interrupted")
			}
			break
		}
	}
	sameContents(t, contents(t, filepath.Join(out, "small")), contents(t, filepath.Join(undisturbed, "small")))
}

// For every k, the k-th operation on files fails, once or from then on. Nothing
// is half done: the run says what the system refused, and another completes it.
func TestFaults(t *testing.T) {
	t.Parallel()
	two := []string{"seeds=[1]", "tasks=[]", "view=[]"}
	undisturbed := t.TempDir()
	count := 0
	counting := disk{fault: func(string, string) error { count++; return nil }}
	if _, _, err := run(t, t.Context(), undisturbed, toy{steps: 1}, Options{Jobs: 1, disk: counting}, two...); err != nil {
		t.Fatal(err)
	}
	want := contents(t, filepath.Join(undisturbed, "small"))
	for k := 1; k <= count; k++ {
		fault, lasting := []error{syscall.ENOSPC, syscall.EIO}[k%2], k/2%2 == 0
		out, n := t.TempDir(), 0
		broken := disk{fault: func(op, path string) error {
			if n++; n == k || lasting && n > k {
				return fault
			}
			return nil
		}}
		s, _, err := run(t, t.Context(), out, toy{steps: 1}, Options{Jobs: 1, disk: broken}, two...)
		var refusal *EnvironmentError
		if !errors.As(err, &refusal) || !errors.Is(err, fault) {
			t.Errorf("operation %d of %d: %+v, %v", k, count, s, err)
		}
		if s, _, err := run(t, t.Context(), out, toy{steps: 1}, Options{Jobs: 1}, two...); err != nil || !s.Complete() {
			t.Errorf("after operation %d: %+v, %v", k, s, err)
		}
		sameContents(t, contents(t, filepath.Join(out, "small")), want)
	}
}

// Runs in the same folder at the same time share the work: each stage is done
// by one of them.
func TestRunsAtTheSameTime(t *testing.T) {
	t.Parallel()
	undisturbed := t.TempDir()
	if _, _, err := run(t, t.Context(), undisturbed, toy{steps: 3}, Options{}); err != nil {
		t.Fatal(err)
	}
	want := contents(t, filepath.Join(undisturbed, "small"))
	out := t.TempDir()
	var both sync.WaitGroup
	var mu sync.Mutex
	ran := 0
	for range 3 {
		both.Go(func() {
			s, _, err := run(t, t.Context(), out, toy{steps: 3, pause: time.Millisecond}, Options{})
			mu.Lock()
			defer mu.Unlock()
			if err != nil || !s.Complete() || s.Done != 4 {
				t.Errorf("%+v, %v", s, err)
				return
			}
			ran += s.Ran
		})
	}
	both.Wait()
	if ran != 1+4+4 {
		t.Errorf("%d stages were done, want 9", ran)
	}
	sameContents(t, contents(t, filepath.Join(out, "small")), want)
}

// A report shows what is whole, and names what is not.
func TestReportOfDamage(t *testing.T) {
	t.Parallel()
	out := t.TempDir()
	if _, _, err := run(t, t.Context(), out, toy{steps: 1}, Options{}); err != nil {
		t.Fatal(err)
	}
	folder := filepath.Join(out, "small")
	e, err := ReadExperiment(folder)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(folder, e.Trials[0].ID, recordsFile)
	if err := flip(file); err != nil {
		t.Fatal(err)
	}
	if err := os.RemoveAll(filepath.Join(folder, e.Trials[1].ID)); err != nil {
		t.Fatal(err)
	}
	report, err := ReadReport(folder)
	if err != nil || report.Done != 2 || len(report.Missing) != 2 || len(report.Problems) != 1 || len(report.Tables) != 1 {
		t.Fatalf("%+v, %v", report, err)
	}
	if !strings.Contains(report.Problems[0].Error(), file) {
		t.Errorf("%v does not name %s", report.Problems[0], file)
	}
	if _, err := ReadReport(t.TempDir()); err == nil || !strings.Contains(err.Error(), "no folder of a run") {
		t.Errorf("got %v", err)
	}
}

func TestUnwritableFolder(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o666); err != nil {
		t.Fatal(err)
	}
	if _, _, err := run(t, t.Context(), file, toy{}, Options{}); err == nil || !strings.Contains(err.Error(), file) {
		t.Errorf("got %v", err)
	}
}

func TestMissingText(t *testing.T) {
	_, _, err := run(t, t.Context(), t.TempDir(), toy{}, Options{}, "data.train=corpora/none", "data.valid_share=0.5", "tasks=[]", "view=[]")
	if err == nil || !strings.Contains(err.Error(), "corpora/none") || !strings.Contains(err.Error(), "--data") {
		t.Errorf("got %v", err)
	}
}
