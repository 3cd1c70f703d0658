package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestFilesAreCurrent(t *testing.T) {
	all := allFiles()
	for name, want := range all {
		got, err := os.ReadFile(filepath.Join("..", name))
		if err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s is not what gen writes now; run go generate ./kernels (%v)", name, err)
		}
	}
	assembly, err := filepath.Glob("../*.s")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range assembly {
		if _, ok := all[filepath.Base(file)]; !ok {
			t.Errorf("%s is written by no emitter", file)
		}
	}
}

// Dirty upper halves of vectors slow down all scalar code that follows.
func TestEveryReturnClearsUpperHalves(t *testing.T) {
	for name, text := range allFiles() {
		if !strings.HasSuffix(name, "_amd64.s") {
			continue
		}
		lines := strings.Split(string(text), "\n")
		for i, line := range lines {
			if strings.TrimSpace(line) == "RET" && strings.TrimSpace(lines[i-1]) != "VZEROUPPER" {
				t.Errorf("%s:%d: RET without VZEROUPPER before it", name, i+1)
			}
		}
	}
}
