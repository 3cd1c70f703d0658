package experiments

import (
	"context"
	"maps"
	"slices"
	"testing"
)

// One trial at a time or two, layers kept or computed again: all files of the
// stages are the same.
func TestJobsAndRecomputationChangeNoRecord(t *testing.T) {
	var want map[string]string
	for _, test := range []struct {
		name string
		jobs int
		set  []string
	}{
		{"one job", 1, nil},
		{"two jobs", 2, nil},
		{"two jobs, layers computed again", 2, []string{"train.recompute=true"}},
	} {
		spec, err := Parse("tiny.toml", []byte(tiny), append(test.set, "seeds=[1]", "train.tokens=2e3")...)
		if err != nil {
			t.Fatal(err)
		}
		out := t.TempDir()
		summary, err := Run(context.Background(), spec, Options{Out: out, Jobs: test.jobs})
		if err != nil || !summary.Complete() {
			t.Fatalf("%s: %+v, %v", test.name, summary, err)
		}
		got := contents(t, summary.Folder)
		delete(got, summaryFile) // repeats what the command line set
		if want == nil {
			want = got
		}
		if !maps.Equal(got, want) {
			t.Errorf("%s: other files than %v", test.name, slices.Sorted(maps.Keys(want)))
		}
	}
}
