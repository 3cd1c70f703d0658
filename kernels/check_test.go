package kernels

import (
	"slices"
	"testing"
)

func TestCheckFindsAllImplementationsAlike(t *testing.T) {
	chosen, workers := Chosen(), Workers()
	var names []string
	for _, c := range Check() {
		names = append(names, c.Name)
		if len(c.Differ) > 0 || c.Cases == 0 || c.Chosen != (c.Name == chosen) || !(c.GFLOPs > 0 && c.Peak > 0) {
			t.Errorf("%+v", c)
		}
	}
	if !slices.Equal(names, Names()) {
		t.Errorf("checked %v of %v", names, Names())
	}
	if Chosen() != chosen || Workers() != workers {
		t.Errorf("left %s with %d workers, had %s with %d", Chosen(), Workers(), chosen, workers)
	}
}

// A kernel that is wrong in one bit is named.
func TestCheckNamesWhatDiffers(t *testing.T) {
	fastest := available()[0]
	if fastest == generic {
		return // this processor has nothing to compare
	}
	was := rmsNorms.on(fastest)
	defer rmsNorms.add(fastest, was)
	rmsNorms.add(fastest, func(dst, x, gain []float32, eps float32) {
		was(dst, x, gain, eps)
		dst[len(dst)-1] = -dst[len(dst)-1]
	})
	if differ := Check()[0].Differ; len(differ) != 6 || differ[0] != "rows of 1" {
		t.Errorf("differ: %v", differ)
	}
}
