package tasks

import (
	"path"
	"slices"
	"testing"
)

// What is fetched is where its task looks for it.
func TestOriginsLandWhereTheyAreLookedFor(t *testing.T) {
	for _, name := range Origins() {
		o, err := OriginOf(name)
		if err != nil {
			t.Fatal(err)
		}
		task, err := All.Get(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range o.Splits {
			if ok, err := path.Match(o.Pattern(s), o.Config+"/"+s.Split+"/0000.parquet"); !ok || err != nil {
				t.Errorf("%s: pattern %s: %v", name, o.Pattern(s), err)
			}
			looked := task.Files
			if s.Train {
				looked = task.Train
			}
			if !slices.Contains(looked, s.File) {
				t.Errorf("%s is not looked for in %s", name, s.File)
			}
		}
	}
}

// Every task that is read from files says where they come from, but for those
// whose data the hub has in another form.
func TestEveryTaskHasAnOrigin(t *testing.T) {
	without := []string{"race_middle", "race_middle@2", "wikitext@gpt2", "wikitext@gptq", "wikitext@llama.cpp"}
	for _, name := range fileTasks() {
		if _, err := OriginOf(name); (err != nil) != slices.Contains(without, name) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestOriginOf(t *testing.T) {
	if o, err := OriginOf("hellaswag@llama.cpp"); err != nil || o.Dataset != "Rowan/hellaswag" {
		t.Errorf("%+v, %v", o, err)
	}
	for _, name := range []string{"world_walk1", "hellaswagg"} {
		if o, err := OriginOf(name); err == nil {
			t.Errorf("%s comes from %+v", name, o)
		}
	}
}
