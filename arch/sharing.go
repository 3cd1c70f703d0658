package arch

import (
	"fmt"
	"strconv"
	"strings"

	"plumb/internal/registry"
)

// A Sharing says which block of weights each layer runs when blocks distinct
// blocks are run repeat times each. Layers number blocks × repeat, and every
// block is an index in [0, blocks). With repeat 1 every sharing is 0 1 2 ….
type Sharing func(blocks, repeat int) []int

// Sharings holds the ways of sharing by name. Three of them are those of
// MobileLLM (arXiv 2402.14905v2, figure 6); the paper says "immediate
// block-wise", "repeat-all-over" and "reverse".
var Sharings = registry.New[Sharing]("sharing")

// NoSharing is the name of the sharing that takes no repeat count.
const NoSharing = "none"

// ParseSharing splits what a spec writes, such as "none" or "immediate x2",
// into a known name and a repeat count, which is 1 for "none" and at least 2
// for all others.
func ParseSharing(s string) (name string, repeat int, err error) {
	words := strings.Fields(s)
	if len(words) == 0 {
		return "", 0, fmt.Errorf(`sharing is empty: write "none" or a name and a count such as "immediate x2"`)
	}
	name = words[0]
	if _, err := Sharings.Get(name); err != nil {
		return "", 0, err
	}
	if name == NoSharing {
		if len(words) > 1 {
			return "", 0, fmt.Errorf("sharing %q: none takes no repeat count, write \"none\"", s)
		}
		return name, 1, nil
	}
	if len(words) == 1 {
		return "", 0, fmt.Errorf("sharing %q has no repeat count: write \"%s x2\" to run every block twice", s, name)
	}
	count, hasX := strings.CutPrefix(words[1], "x")
	repeat, err = strconv.Atoi(count)
	if len(words) > 2 || !hasX || err != nil || repeat < 2 {
		return "", 0, fmt.Errorf("sharing %q: write the name and a repeat count of 2 or more, such as \"%s x2\"", s, name)
	}
	return name, repeat, nil
}

// FormatSharing is the inverse of ParseSharing: "none", "immediate x2".
func FormatSharing(name string, repeat int) string {
	if name == "" || name == NoSharing {
		return NoSharing
	}
	return fmt.Sprintf("%s x%d", name, repeat)
}
