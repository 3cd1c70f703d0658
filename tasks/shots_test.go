package tasks

import (
	"slices"
	"strings"
	"testing"
)

func shotItems(t *testing.T, name string, shots Shots, limit int) ([]Item, Provenance) {
	t.Helper()
	src := testSource(t)
	src.Shots, src.Limit = shots, limit
	items, from, err := Load(name, src)
	if err != nil {
		t.Fatal(err)
	}
	return items, from
}

// TestShotsOfEveryTask: examples are other items with their right answers, and
// nothing else changes.
func TestShotsOfEveryTask(t *testing.T) {
	for _, name := range All.Names() {
		t.Run(name, func(t *testing.T) {
			task, _ := All.Get(name)
			src := testSource(t)
			plain, bare, err := Load(name, src)
			if err != nil {
				t.Fatal(err)
			}
			src.Shots = Shots{N: 2}
			items, from, err := Load(name, src)
			if task.Kind == Text {
				if err == nil || !strings.Contains(err.Error(), "ask for 0 shots") {
					t.Fatalf("texts with examples: %v", err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if from.Shots != 2 || from.ShotsFrom != OtherItems || from.ShotsPick != "first" || from.Digest == bare.Digest {
				t.Errorf("provenance %+v", from)
			}
			for i, item := range items {
				if !strings.HasPrefix(item.Before, task.Preamble) || strings.Contains(item.Before, plain[i].solved()) || len(item.Before) < 10 {
					t.Errorf("before item %s stands %q", item.ID, item.Before)
				}
				item.Before = plain[i].Before
				if !sameItem(item, plain[i]) {
					t.Errorf("item %s changed", item.ID)
				}
			}
		})
	}
}

func TestShotsOfOtherItems(t *testing.T) {
	items, _ := shotItems(t, "winogrande", Shots{N: 1}, 2)
	if want := "Ruth lent her coat to Joan, since Joan , who was freezing, had _ left hers at home.\n\n"; items[0].Before != want {
		t.Errorf("before the first %q", items[0].Before)
	}
	if want := "The jug did not fit in the basket because the jug was too tall.\n\n"; items[1].Before != want {
		t.Errorf("before the second %q", items[1].Before)
	}
	answers, _ := shotItems(t, "triviaqa@llama", Shots{N: 2}, 1)
	if want := "Answer these questions:\nQ: In which city is the Zürichhorn\nA: Zürich\nQ: Who wrote \"Emma\"?\nA: Austen\n"; answers[0].Before != want {
		t.Errorf("before a question %q", answers[0].Before)
	}
	quartets, _ := shotItems(t, "world_recall", Shots{N: 4}, 0)
	byText := map[string]string{}
	for _, item := range quartets {
		byText[item.solved()] = item.Cluster
	}
	for _, item := range quartets {
		for _, example := range strings.Split(strings.TrimSuffix(item.Before, "\n\n"), "\n\n") {
			if cluster, known := byText[example]; !known || cluster == item.Cluster {
				t.Errorf("item %s of cluster %s is shown %q of cluster %s", item.ID, item.Cluster, example, cluster)
			}
		}
	}
}

func TestShotsOfATrainingFile(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "piqa/valid.jsonl", read(t, "testdata/piqa.jsonl"))
	write(t, dir, "piqa/valid-labels.lst", read(t, "testdata/piqa-labels.lst"))
	train := write(t, dir, "piqa/train.jsonl", `{"goal":"g","sol1":"x","sol2":"y","label":1}`)
	items, from, err := Load("piqa", Source{Dir: dir, Shots: Shots{N: 1}})
	if err != nil {
		t.Fatal(err)
	}
	if from.ShotsFrom != train {
		t.Errorf("examples are of %s", from.ShotsFrom)
	}
	for _, item := range items {
		if item.Before != "Question: g\nAnswer: y\n\n" {
			t.Errorf("before item %s stands %q", item.ID, item.Before)
		}
	}
	if _, _, err := Load("piqa", Source{Dir: dir, Shots: Shots{N: 2}}); err == nil || !strings.Contains(err.Error(), "2 shots, but only 1 examples can stand before item 0") {
		t.Error(err)
	}
	write(t, dir, "piqa/train.jsonl", "broken")
	if _, _, err := Load("piqa", Source{Dir: dir, Shots: Shots{N: 1}}); err == nil || !strings.Contains(err.Error(), "train.jsonl:1: ") {
		t.Error(err)
	}
}

// TestSampledShots: the draw is without replacement, depends on the seed, and
// not on how many items there are.
func TestSampledShots(t *testing.T) {
	all, from := shotItems(t, "world_walk1", Shots{N: 3, Sample: true, Seed: 7}, 0)
	few, _ := shotItems(t, "world_walk1", Shots{N: 3, Sample: true, Seed: 7}, 5)
	other, _ := shotItems(t, "world_walk1", Shots{N: 3, Sample: true, Seed: 8}, 0)
	if from.ShotsPick != "sampled, seed 7" {
		t.Errorf("%+v", from)
	}
	if !slices.EqualFunc(all[:5], few, func(a, b Item) bool { return a.Before == b.Before }) {
		t.Error("the limit changes the draw")
	}
	if all[0].Before == other[0].Before || all[0].Before == all[1].Before {
		t.Error("the seed or the item changes nothing")
	}
	for n := range 20 {
		drawn := Shots{N: n, Sample: true, Seed: 3}.draw(1, 19, func(i int) bool { return i != 1 })
		slices.Sort(drawn)
		if want := min(n, 18); len(slices.Compact(drawn)) != want || slices.Contains(drawn, 1) {
			t.Errorf("%d of 18: %v", n, drawn)
		}
	}
}

func TestTooManyShots(t *testing.T) {
	for _, n := range []int{-1, MaxShots + 1} {
		if err := (Shots{N: n}).Check(); err == nil {
			t.Errorf("%d shots are possible", n)
		}
	}
}
