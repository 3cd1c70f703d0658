package experiments

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// runFolder, in the environment, makes the test binary run a tiny spec there
// and exit, so that a test can kill it.
const runFolder = "PLUMB_TEST_RUN"

func TestMain(m *testing.M) {
	for variable, act := range map[string]func(string) error{
		runFolder:   runTiny,
		stageFolder: func(out string) error { return runCompositions(out, untilSecond()) },
		lineFolder: func(out string) error {
			return lineMaking(out, os.Getenv(lineModel), os.Getenv(lineRecipe), untilStep())
		},
	} {
		if out := os.Getenv(variable); out != "" {
			if err := act(out); err != nil {
				fmt.Fprintln(os.Stderr, err)
				os.Exit(1)
			}
			os.Exit(0)
		}
	}
	os.Exit(m.Run())
}

// runTiny trains and scores 4 models, with checkpoints all the time.
func runTiny(out string) error {
	text := strings.Replace(tiny, "tune.learning_rate = [2e-3, 4e-3]", "checkpoint_seconds = 0.005", 1)
	text = text[:strings.Index(text, "[[view]]")] + `
[calibration]
tokens = 256
[[recipe]]
name = "healed"
stages = ["svd keep=0.6 on=ffn.*", "heal tokens=512 batch=128", "svd keep=0.5 on=attention.q"]
`
	spec, err := Parse("tiny.toml", []byte(text), "tasks=['world_weights']", "items=8", "data.train_bytes=20000", "data.vocab=bytes", "data.valid_tokens=500", "train.tokens=3000")
	if err != nil {
		return err
	}
	summary, err := Run(context.Background(), spec, Options{Out: out, Jobs: 2})
	if err == nil && !summary.Complete() {
		err = fmt.Errorf("%+v", summary)
	}
	return err
}

// A run that is killed at 50 random moments, and run again each time, ends with
// the same records, items and models as one that was left alone.
func TestKill(t *testing.T) {
	t.Parallel()
	undisturbed := t.TempDir()
	if err := runTiny(undisturbed); err != nil {
		t.Fatal(err)
	}
	want := contents(t, undisturbed)
	random := rand.New(rand.NewPCG(1, 2))
	longest := 200 * time.Millisecond
	kills, runs := 0, 0
	for ; kills < 50; runs++ {
		out := filepath.Join(t.TempDir(), "out")
		for done := false; !done; {
			killed, err := runAndKill(out, time.Duration(random.Int64N(int64(longest))))
			if err != nil {
				t.Fatal(err)
			}
			done = !killed
			if killed {
				kills++
			}
		}
		sameContents(t, contents(t, out), want)
		if t.Failed() {
			t.Fatalf("after %d kills, run %d", kills, runs)
		}
	}
	t.Logf("%d kills of %d runs", kills, runs)
}

// runAndKill starts a run and kills it after some time, unless it ends before.
func runAndKill(out string, after time.Duration) (killed bool, err error) {
	var stderr strings.Builder
	child := exec.Command(os.Args[0])
	child.Env, child.Stderr = append(os.Environ(), runFolder+"="+out), &stderr
	if err := child.Start(); err != nil {
		return false, err
	}
	timer := time.AfterFunc(after, func() { child.Process.Kill() })
	defer timer.Stop()
	err = child.Wait()
	if err != nil && !child.ProcessState.Exited() {
		return true, nil
	}
	if err != nil {
		return false, fmt.Errorf("%w: %s", err, &stderr)
	}
	return false, nil
}

// Three processes share a run and one of them is killed: the others take over
// what it held and finish, with the same bytes.
func TestProcessesShareARun(t *testing.T) {
	t.Parallel()
	undisturbed, out := t.TempDir(), filepath.Join(t.TempDir(), "out")
	if err := runTiny(undisturbed); err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	for i := range 3 {
		life := time.Minute
		if i == 0 {
			life = 150 * time.Millisecond
		}
		all.Go(func() {
			if _, err := runAndKill(out, life); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	sameContents(t, contents(t, out), contents(t, undisturbed))
}
