package experiments

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"plumb/internal/corpus"
	"plumb/internal/tokenizer"
	"plumb/model"
	"plumb/train"
)

// compositions are recipes of stages that compress and stages that train.
var compositions = []string{
	"svd keep=0.5 | distil tokens=2e3 batch=128 | rtn bits=4",
	"kronecker shape=tq permute=swaps steps=200 | distil tokens=2e3 batch=128",
	"heads keep=0.75 | heal tokens=1e3 batch=128 | w8a8",
}

// In the environment, stageFolder makes the test binary run the compositions there
// and kill itself when a second stage begins, or in the midst of the first that
// trains; lineFolder makes it apply the recipe with the number in lineRecipe to the
// model in lineModel.
const (
	stageFolder = "PLUMB_TEST_STAGES"
	lineFolder  = "PLUMB_TEST_LINE"
	lineModel   = "PLUMB_TEST_MODEL"
	lineRecipe  = "PLUMB_TEST_RECIPE"
)

// die ends this process as no one can prevent.
func die() {
	self, err := os.FindProcess(os.Getpid())
	if err == nil {
		self.Kill()
	}
	select {}
}

// compositionsSpec has two layers and three groups of heads, of which one goes.
func compositionsSpec() (*Spec, error) {
	text := recipes[:strings.Index(recipes, "[[recipe]]")]
	for i, stages := range compositions {
		text += fmt.Sprintf("[[recipe]]\nname = \"%d\"\nstages = %q\n", i, stages)
	}
	return Parse("compositions.toml", []byte(text), "seeds=[1]", "items=4", "train.checkpoint_seconds=0", "train.tokens=1000", "data.train_bytes=20000", "data.valid_tokens=500", "model.width=24", "model.heads=3", "model.kv_heads=3", "model.hidden=32", "budget.total=0")
}

func runCompositions(out string, observe func(Event)) error {
	spec, err := compositionsSpec()
	if err != nil {
		return err
	}
	summary, err := Run(context.Background(), spec, Options{Out: out, Jobs: 1, Observe: observe})
	if err == nil && !summary.Complete() {
		err = fmt.Errorf("%+v", summary)
	}
	return err
}

// untilSecond dies when a second stage begins, and after some steps of training
// that did not begin from a checkpoint.
func untilSecond() func(Event) {
	begun, fresh := 0, false
	return func(e Event) {
		switch {
		case e.Kind == EventBegun:
			if begun++; begun == 2 {
				die()
			}
		case e.Kind == EventProgress && (e.Stage == HealStage || e.Stage == TrainStage):
			fresh = fresh || e.Step == 1
			if fresh && e.Step == 5 {
				die()
			}
		}
	}
}

// child runs the test binary with some environment until it is not killed any
// more, and returns how often it was.
func child(t *testing.T, environment ...string) (kills int) {
	t.Helper()
	for ; kills < 100; kills++ {
		var stderr strings.Builder
		c := exec.Command(os.Args[0])
		c.Env, c.Stderr = append(os.Environ(), environment...), &stderr
		err := c.Run()
		if err == nil {
			return kills
		}
		if c.ProcessState.Exited() {
			t.Fatalf("%v: %s", err, &stderr)
		}
	}
	t.Fatal("it comes to no end")
	return 0
}

// Compositions by spec, killed at the beginning of every stage and within each that
// trains, end with the bytes that they have undisturbed.
func TestKillAtEveryStage(t *testing.T) {
	t.Parallel()
	undisturbed, out := t.TempDir(), filepath.Join(t.TempDir(), "out")
	if err := runCompositions(undisturbed, nil); err != nil {
		t.Fatal(err)
	}
	kills := child(t, stageFolder+"="+out)
	if kills < 15 { // data, training, 8 stages, 4 scores; 4 of them train
		t.Errorf("killed %d times only", kills)
	}
	sameContents(t, contents(t, out), contents(t, undisturbed))
}

// lineMaking applies one of the compositions to a model outside of a spec.
func lineMaking(folder, path, number string, progress func(step, done, all int)) error {
	var n int
	if _, err := fmt.Sscan(number, &n); err != nil {
		return err
	}
	recipe, err := ReadRecipe(compositions[n])
	if err != nil {
		return err
	}
	m, err := model.Load(path)
	if err != nil {
		return err
	}
	c := train.Defaults()
	c.CheckpointSeconds = 0
	making := &Making{
		Recipe: recipe, Model: m, Tokenizer: tokenizer.Bytes(), Training: c, Text: corpus.Documents(filepath.Join(path, "text.txt"), "file"),
		Tokens: 256, Seed: 3, Folder: folder + ".work", Progress: progress,
	}
	if _, err := making.Foresee(); err != nil {
		return err
	}
	small, made, err := making.Run(context.Background())
	if err != nil {
		return err
	}
	if len(made) != len(recipe.Steps) {
		return errors.New("a step is not told of")
	}
	return small.Save(folder)
}

// untilStep dies at the second step that it sees, and in the midst of training.
func untilStep() func(step, done, all int) {
	first, fresh := -1, false
	return func(step, done, all int) {
		if first < 0 {
			first = step
		}
		fresh = fresh || done == 1
		if step > first || fresh && all == 16 && done == 5 || fresh && all == 8 && done == 3 { // 16 and 8: steps of training
			die()
		}
	}
}

// Outside of a spec, the same: killed at every stage, a recipe ends with the bytes
// that it has undisturbed.
func TestKilledMakings(t *testing.T) {
	t.Parallel()
	spec, err := compositionsSpec()
	if err != nil {
		t.Fatal(err)
	}
	m, err := model.New(spec.Trials()[0].Shape, model.Init{}, 1)
	if err != nil {
		t.Fatal(err)
	}
	path := t.TempDir()
	if err := m.Save(path); err != nil {
		t.Fatal(err)
	}
	text := strings.Repeat("The quick brown fox jumps over the lazy dog. Pack my box with five dozen liquor jugs. ", 20)
	if err := os.WriteFile(filepath.Join(path, "text.txt"), []byte(text), 0o666); err != nil {
		t.Fatal(err)
	}
	for n, recipe := range compositions {
		t.Run(recipe, func(t *testing.T) {
			number := fmt.Sprint(n)
			folder := t.TempDir()
			whole, parts := filepath.Join(folder, "whole"), filepath.Join(folder, "parts")
			if err := lineMaking(whole, path, number, nil); err != nil {
				t.Fatal(err)
			}
			began := time.Now()
			kills := child(t, lineFolder+"="+parts, lineModel+"="+path, lineRecipe+"="+number)
			if kills < strings.Count(recipe, "|") { // at every step but the first, and within training
				t.Errorf("killed %d times only in %v", kills, time.Since(began))
			}
			sameContents(t, contents(t, parts), contents(t, whole))
		})
	}
}

// What stands in the folder of a making is damaged: the work is done again.
func TestDamagedMaking(t *testing.T) {
	t.Parallel()
	recipe, err := ReadRecipe("svd keep=0.5 | rtn bits=4")
	if err != nil {
		t.Fatal(err)
	}
	spec, err := compositionsSpec()
	if err != nil {
		t.Fatal(err)
	}
	m, err := model.New(spec.Trials()[0].Shape, model.Init{}, 1)
	if err != nil {
		t.Fatal(err)
	}
	notes := 0
	making := &Making{Recipe: recipe, Model: m, Tokenizer: tokenizer.Bytes(), Training: train.Defaults(), Folder: t.TempDir(), Note: func(string) { notes++ }}
	one, _, err := making.Run(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	weights := filepath.Join(making.Folder, making.ID(), modelFolder, model.WeightsFile)
	if err := os.Truncate(weights, 100); err != nil {
		t.Fatal(err)
	}
	two, made, err := making.Run(context.Background())
	if err != nil || notes != 1 || len(made) != 2 || hashModel(one) != hashModel(two) {
		t.Errorf("%v, %d notes, %d steps told of", err, notes, len(made))
	}
}

// For every k, the k-th operation on files of a making fails. The error says what
// the system refused, and the same making goes on to the same model.
func TestMakingOnAFullDisk(t *testing.T) {
	t.Parallel()
	recipe, err := ReadRecipe("svd keep=0.5 | heal tokens=256 batch=128 | rtn bits=4")
	if err != nil {
		t.Fatal(err)
	}
	spec, err := compositionsSpec()
	if err != nil {
		t.Fatal(err)
	}
	m, err := model.New(spec.Trials()[0].Shape, model.Init{}, 1)
	if err != nil {
		t.Fatal(err)
	}
	text := filepath.Join(t.TempDir(), "text.txt")
	if err := os.WriteFile(text, []byte(strings.Repeat("the cat sat on the mat\n", 200)), 0o666); err != nil {
		t.Fatal(err)
	}
	making := func(folder string, d disk) *Making {
		return &Making{
			Recipe: recipe, Model: m, Tokenizer: tokenizer.Bytes(), Training: train.Defaults(), Text: corpus.Documents(text, "file"), Seed: 3,
			Folder: folder, Note: func(string) {}, Progress: func(step, done, all int) {}, disk: d,
		}
	}
	count := 0
	want, _, err := making(t.TempDir(), disk{fault: func(string, string) error { count++; return nil }}).Run(t.Context())
	if err != nil || count < 6 {
		t.Fatalf("%v after %d operations", err, count)
	}
	for k := 1; k <= count; k++ {
		folder, n := t.TempDir(), 0
		full := disk{fault: func(string, string) error {
			if n++; n == k {
				return syscall.ENOSPC
			}
			return nil
		}}
		_, _, err := making(folder, full).Run(t.Context())
		var refusal *EnvironmentError
		if !errors.As(err, &refusal) || !errors.Is(err, syscall.ENOSPC) {
			t.Errorf("operation %d of %d: %v", k, count, err)
		}
		got, made, err := making(folder, disk{}).Run(t.Context())
		if err != nil || len(made) != len(recipe.Steps) || hashModel(got) != hashModel(want) {
			t.Errorf("after operation %d: %d steps told of, %v", k, len(made), err)
		}
	}
}

// The words of a recipe mean the same in a spec and on the command line: the same
// steps, with all their settings.
func TestWordsAreTheSame(t *testing.T) {
	for _, words := range append([]string{
		"svd keep=0.5 on=ffn.*,attention.q rank=energy", "wanda pattern=2:4 on=ffn.down", "gptq bits=3 group=8 order=true static=true on=attention.*",
		"qat bits=4 on=ffn.* tokens=1e3 batch=128 | rtn bits=4 on=ffn.*", "kronecker on=embedding | distil tokens=1e3 batch=128 | kronecker on=ffn.*",
	}, compositions...) {
		line, err := ReadRecipe(words)
		if err != nil {
			t.Fatal(err)
		}
		head := recipes[:strings.Index(recipes, "[[recipe]]")]
		list := strings.Split(words, "|")
		for i := range list {
			list[i] = fmt.Sprintf("%q", strings.TrimSpace(list[i]))
		}
		for _, stages := range []string{fmt.Sprintf("%q", words), "[" + strings.Join(list, ", ") + "]"} {
			spec, err := Parse("x.toml", []byte(head+"[[recipe]]\nstages = "+stages+"\n"), "seeds=[1]", "model.width=24", "model.heads=3", "model.kv_heads=3", "model.hidden=32", "budget.total=0")
			if err != nil {
				t.Fatal(err)
			}
			recipe := spec.Trials()[1].Recipe
			if recipe.String() != line.String() || recipe.Name != line.Name {
				t.Errorf("%s: in a spec %q (%s), on the command line %q (%s)", stages, recipe, recipe.Name, line, line.Name)
			}
		}
	}
}
