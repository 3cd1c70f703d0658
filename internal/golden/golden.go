// Package golden serves tests: golden files that a reviewer can read, and the
// folder of shared reference material.
package golden

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
)

// Check compares got with the file and fails the test where they differ.
// GOLDEN=update in the environment writes the file instead.
func Check(t *testing.T, file string, got []byte) {
	t.Helper()
	if os.Getenv("GOLDEN") == "update" {
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, got, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatalf("%v (GOLDEN=update go test writes it)", err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s differs at byte %d\n--- got\n%s\n--- want\n%s", file, firstDifference(got, want), got, want)
	}
}

func firstDifference(a, b []byte) int {
	for i := range min(len(a), len(b)) {
		if a[i] != b[i] {
			return i
		}
	}
	return min(len(a), len(b))
}

// Shared returns the path of something inside the folder of reference
// material, which PLUMB_SHARED names and which otherwise is ../shared beside
// the module root. The test is skipped where the folder is absent.
func Shared(t testing.TB, elem ...string) string {
	t.Helper()
	root := os.Getenv("PLUMB_SHARED")
	if root == "" {
		root = filepath.Join(ModuleRoot(t), "..", "shared")
	}
	resolved, err := filepath.EvalSymlinks(root)
	if err != nil {
		t.Skipf("no shared reference material at %s (set PLUMB_SHARED)", root)
	}
	return filepath.Join(append([]string{resolved}, elem...)...)
}

// ModuleRoot returns the folder that holds go.mod.
func ModuleRoot(t testing.TB) string {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			t.Fatal("golden: no go.mod above the test")
		}
		dir = parent
	}
}
