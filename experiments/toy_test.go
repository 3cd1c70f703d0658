package experiments

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"plumb/results"
)

// A toy is an Executor whose stages take milliseconds. Its models are chains of
// hashes, so a step that is lost or done twice shows.
type toy struct {
	steps int
	pause time.Duration
	fail  string // fail the training of trials whose label has this in it
	bust  string // let these diverge
}

func (toy) Prepare(ctx context.Context, job *Job) (Outcome, error) {
	return Outcome{Status: results.StatusOK}, job.disk.write(filepath.Join(job.Dir, "text"), []byte(job.ID))
}

type toyState struct {
	Step  int
	Chain string
}

func (y toy) Train(ctx context.Context, job *Job) (Outcome, error) {
	text, err := os.ReadFile(filepath.Join(job.DataDir, "text"))
	if err != nil {
		return Outcome{}, err
	}
	if y.fail != "" && strings.Contains(job.Trial.Label(), y.fail) {
		return Outcome{}, errors.New("this trial fails")
	}
	s := toyState{Chain: fmt.Sprint(string(text), job.Seed, job.Stage.Train.LearningRate)}
	if err := y.learn(ctx, job, &s); err != nil {
		return Outcome{}, err
	}
	o := Outcome{Status: results.StatusOK}
	if y.bust != "" && strings.Contains(job.Trial.Label(), y.bust) {
		o = Outcome{results.StatusDiverged, "loss is NaN"}
	}
	return o, y.keep(job, s, o)
}

// learn takes the steps, with a checkpoint after each.
func (y toy) learn(ctx context.Context, job *Job, s *toyState) error {
	dir := filepath.Join(job.Dir, checkpointDir)
	if err := job.disk.mkdir(dir); err != nil {
		return err
	}
	if data, err := os.ReadFile(filepath.Join(dir, "state")); err == nil {
		if err := json.Unmarshal(data, s); err != nil {
			return err
		}
	}
	for s.Step < y.steps {
		time.Sleep(y.pause)
		sum := sha256.Sum256([]byte(s.Chain))
		s.Step, s.Chain = s.Step+1, hex.EncodeToString(sum[:])
		data, _ := json.Marshal(s)
		if err := job.disk.write(filepath.Join(dir, "state"), data); err != nil {
			return err
		}
		job.Progress(Progress{Done: s.Step, Total: y.steps, Tokens: 100 * s.Step, Loss: 2})
		if ctx.Err() != nil {
			return ctx.Err()
		}
	}
	return nil
}

func (y toy) keep(job *Job, s toyState, o Outcome) error {
	dir := filepath.Join(job.Dir, modelFolder)
	if err := job.disk.mkdir(dir); err != nil {
		return err
	}
	if err := job.disk.write(filepath.Join(dir, "model"), []byte(s.Chain)); err != nil {
		return err
	}
	curve := []results.Point{{Step: s.Step, Tokens: int64(s.Step), Train: results.Number(2)}}
	if err := job.writeCurve(filepath.Join(job.Dir, curveFile), curve, o.Status, map[string]string{}); err != nil {
		return err
	}
	r := job.record(validNats, "nats/token", o)
	if o.Status == results.StatusOK {
		r.Value = results.Number(1 + job.Stage.Train.LearningRate)
	}
	if err := job.writeRecords([]results.Record{r}); err != nil {
		return err
	}
	return job.disk.removeAll(filepath.Join(job.Dir, checkpointDir))
}

func (toy) Compress(context.Context, *Job) (Outcome, error) {
	return Outcome{}, errors.New("toys are not compressed")
}

func (toy) Heal(context.Context, *Job) (Outcome, error) {
	return Outcome{}, errors.New("toys are not healed")
}

func (y toy) Score(ctx context.Context, job *Job) (Outcome, error) {
	s := &scoring{Job: job}
	if err := s.validation(); err != nil {
		return Outcome{}, err
	}
	if err := s.tuning(); err != nil {
		return Outcome{}, err
	}
	items := results.Items{Task: "toy", Version: "1", Protocol: "toy", Items: []results.Item{{ID: job.ID, Choices: []results.Choice{{Sum: -1, Tokens: 1, Length: 1}, {Sum: -2, Tokens: 1, Length: 1}}}}}
	hash, err := s.writeItems(items)
	if err != nil {
		return Outcome{}, err
	}
	s.add(results.Record{Metric: "world_recall/acc", Unit: "share", Value: results.Number(1), N: 1, Items: hash, Status: results.StatusOK})
	return s.outcome, s.writeRecords(s.records)
}

// toySpec has 4 trials: two shapes at two seeds.
func toySpec(t testing.TB, set ...string) *Spec {
	t.Helper()
	text := strings.Replace(small, `sharing = ["none", "immediate x2"]`, "", 1)
	text = strings.Replace(text, `cols = "sharing"`, "", 1)
	spec, err := Parse("toy.toml", []byte(text), append([]string{"items=4"}, set...)...)
	if err != nil {
		t.Fatal(err)
	}
	return spec
}

// contents lists every file of a run by its hash, except what depends on the
// clock or tells of a process.
func contents(t testing.TB, root string) map[string]string {
	t.Helper()
	files := map[string]string{}
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		switch d.Name() {
		case lockFolder, asideFolder, failureFolder:
			return fs.SkipDir
		case timingsFile:
			return nil
		}
		if !d.IsDir() {
			sum, err := sumFile(path)
			name, _ := filepath.Rel(root, path)
			files[name] = sum.SHA256
			return err
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// sameContents fails the test where two runs differ.
func sameContents(t testing.TB, got, want map[string]string) {
	t.Helper()
	for name, sum := range want {
		if got[name] != sum {
			t.Errorf("%s: %q, want %q", name, got[name], sum)
		}
	}
	for name := range got {
		if _, ok := want[name]; !ok {
			t.Errorf("%s should not be there", name)
		}
	}
}
