package kernels

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestUpperHalvesAreCleared reads the assembly for amd64: a RET without
// VZEROUPPER before it would slow down all scalar code that runs after.
func TestUpperHalvesAreCleared(t *testing.T) {
	files, err := filepath.Glob("*_amd64.s")
	if err != nil || len(files) == 0 {
		t.Fatalf("no assembly found: %v", err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		before := ""
		for number, line := range strings.Split(string(text), "\n") {
			line = strings.TrimSpace(line)
			if line == "RET" && before != "VZEROUPPER" {
				t.Errorf("%s:%d: RET after %q", file, number+1, before)
			}
			if line != "" && !strings.HasPrefix(line, "//") {
				before = line
			}
		}
	}
}
