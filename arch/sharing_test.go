package arch

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// TestSharingContract puts every registered sharing through what the rest of
// the program relies on.
func TestSharingContract(t *testing.T) {
	for _, name := range Sharings.Names() {
		share, _ := Sharings.Get(name)
		for _, blocks := range []int{1, 2, 3, 5, 16} {
			for _, repeat := range []int{1, 2, 3, 4} {
				if name == NoSharing && repeat > 1 {
					continue
				}
				t.Run(fmt.Sprintf("%s/%d blocks x%d", name, blocks, repeat), func(t *testing.T) {
					checkSharing(t, share(blocks, repeat), blocks, repeat)
					if !slices.Equal(share(blocks, repeat), share(blocks, repeat)) {
						t.Error("two calls differ")
					}
				})
			}
		}
	}
}

// checkSharing demands that each block runs repeat times, that blocks first
// appear in their order, and that one pass is 0 1 2 ….
func checkSharing(t *testing.T, order []int, blocks, repeat int) {
	t.Helper()
	runs, next := make([]int, blocks), 0
	for _, block := range order {
		if block < 0 || block >= blocks {
			t.Fatalf("%v runs block %d of %d", order, block, blocks)
		}
		if runs[block]++; runs[block] == 1 {
			if block != next {
				t.Fatalf("%v first runs block %d where %d was next", order, block, next)
			}
			next++
		}
	}
	for block, n := range runs {
		if n != repeat {
			t.Errorf("%v runs block %d %d times, want %d", order, block, n, repeat)
		}
	}
	if len(order) != blocks*repeat {
		t.Errorf("%d layers, want %d", len(order), blocks*repeat)
	}
}

func TestSharingOrders(t *testing.T) {
	tests := []struct {
		sharing string
		layers  int
		want    []int
	}{
		{"none", 3, []int{0, 1, 2}},
		{"immediate x2", 6, []int{0, 0, 1, 1, 2, 2}},
		{"immediate x3", 6, []int{0, 0, 0, 1, 1, 1}},
		{"cyclic x2", 6, []int{0, 1, 2, 0, 1, 2}},
		{"reverse x2", 6, []int{0, 1, 2, 2, 1, 0}},
		{"reverse x3", 9, []int{0, 1, 2, 2, 1, 0, 0, 1, 2}},
	}
	for _, test := range tests {
		t.Run(test.sharing, func(t *testing.T) {
			c := tinyLlama()
			var err error
			if c.Sharing, c.Repeat, err = ParseSharing(test.sharing); err != nil {
				t.Fatal(err)
			}
			c.Layers = test.layers
			if err := c.Validate(); err != nil {
				t.Fatal(err)
			}
			if got := c.Blocks(); !slices.Equal(got, test.want) {
				t.Errorf("layers run blocks %v, want %v", got, test.want)
			}
			if got := FormatSharing(c.Sharing, c.Repeat); got != test.sharing {
				t.Errorf("formats as %q", got)
			}
		})
	}
}

func TestParseSharingRefuses(t *testing.T) {
	tests := []struct{ name, input, want string }{
		{"empty", "  ", "sharing is empty"},
		{"unknown", "imediate x2", `did you mean "immediate"?`},
		{"count for none", "none x2", "none takes no repeat count"},
		{"no count", "cyclic", `"cyclic x2"`},
		{"count of one", "cyclic x1", "2 or more"},
		{"no x", "cyclic 2", "2 or more"},
		{"not a number", "cyclic xx", "2 or more"},
		{"too much", "cyclic x2 x3", "2 or more"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if _, _, err := ParseSharing(test.input); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error %v, want one with %q", err, test.want)
			}
		})
	}
}

// tinyLlama is a valid shape that tests change.
func tinyLlama() Config {
	c := llama(4, 64, 4, 2, 16, 176)
	c.Vocab, c.Context, c.RotaryTheta, c.TiedHead = 256, 128, 1e4, true
	return c
}
