package main

import (
	"go/build"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"plumb/internal/golden"
)

// floors lists every package of the module, the roof first. A package imports
// only from floors below its own; packages of one floor do not know each other.
var floors = []struct {
	name     string
	packages []string
}{
	{"roof", []string{"cmd/plumb"}},
	{"floor 3", []string{"experiments", "bench"}},
	{"floor 2", []string{"train", "compress"}},
	{"floor 1", []string{"model", "eval", "plots", "internal/corpus"}},
	{"ground", []string{"kernels", "arch", "tasks", "results", "internal/tokenizer"}},
	{"cellar", []string{
		"internal/safetensors", "internal/gguf", "internal/world", "internal/machine", "internal/hub", "internal/parquet",
		"kernels/gen", // writes assembly; nothing of the program imports it
	}},
	{"bedrock", []string{"internal/registry", "internal/golden", "internal/atomicfile", "internal/mapped", "internal/hostile"}}, // what the cellar stands on
}

func TestImportsOnlyGoDown(t *testing.T) {
	floorOf := map[string]int{}
	for i, floor := range floors {
		for _, p := range floor.packages {
			floorOf[p] = i
		}
	}
	packages := modulePackages(t)
	for _, path := range packages {
		floor, ok := floorOf[path]
		if !ok {
			t.Errorf("package %s is missing from the list of floors", path)
			continue
		}
		for _, imported := range moduleImports(t, path) {
			below, ok := floorOf[imported]
			switch {
			case !ok:
				t.Errorf("%s imports %s, which is on no floor", path, imported)
			case below == floor:
				t.Errorf("%s imports %s: both are on the %s", path, imported, floors[floor].name)
			case below < floor:
				t.Errorf("%s (%s) imports %s (%s): imports only go down", path, floors[floor].name, imported, floors[below].name)
			}
		}
	}
	for _, floor := range floors {
		for _, p := range floor.packages {
			if !slices.Contains(packages, p) {
				t.Errorf("the list of floors has %s, which does not exist", p)
			}
		}
	}
}

// modulePackages lists the folders of the module that hold Go files, as slash
// paths from its root.
func modulePackages(t *testing.T) []string {
	t.Helper()
	root := golden.ModuleRoot(t)
	var packages []string
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name := entry.Name()
		if entry.IsDir() && path != root && (strings.HasPrefix(name, ".") || name == "testdata" || name == "runs") {
			return fs.SkipDir
		}
		if !entry.IsDir() && strings.HasSuffix(name, ".go") {
			dir, _ := filepath.Rel(root, filepath.Dir(path))
			if dir = filepath.ToSlash(dir); !slices.Contains(packages, dir) {
				packages = append(packages, dir)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return packages
}

// moduleImports lists what the package and its tests import from this module,
// for this machine's build tags.
func moduleImports(t *testing.T, path string) []string {
	t.Helper()
	p, err := build.ImportDir(filepath.Join(golden.ModuleRoot(t), path), 0)
	if err != nil {
		t.Fatal(err)
	}
	var imports []string
	for _, i := range slices.Concat(p.Imports, p.TestImports, p.XTestImports) {
		if local, ok := strings.CutPrefix(i, "plumb/"); ok && local != path {
			imports = append(imports, local)
		}
	}
	slices.Sort(imports)
	return slices.Compact(imports)
}
