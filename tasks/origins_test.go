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
		for _, s := range o.Splits {
			if ok, err := path.Match(o.Pattern(s), o.Config+"/"+s.Split+"/0000.parquet"); !ok || err != nil {
				t.Errorf("%s: pattern %s: %v", name, o.Pattern(s), err)
			}
			if err == nil && !s.Train && !slices.Contains(task.Files, s.File) {
				t.Errorf("%s is not looked for in %s", name, s.File)
			}
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
