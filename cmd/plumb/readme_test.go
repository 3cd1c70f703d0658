package main

import (
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"plumb/internal/golden"
)

func readme(t *testing.T) string {
	t.Helper()
	return mustRead(t, filepath.Join(golden.ModuleRoot(t), "README.md"))
}

// Every command that the README shows is one that the program understands: its
// words and flags are parsed as they stand, and --help keeps it from running.
func TestREADMECommandsParse(t *testing.T) {
	commands := regexp.MustCompile("(?:go run \\./cmd/plumb|`plumb) ([^#`\n]*)").FindAllStringSubmatch(readme(t), -1)
	if len(commands) < 10 {
		t.Fatalf("the README shows %d commands", len(commands))
	}
	for _, c := range commands {
		args := strings.Fields(c[1])
		root := newRoot(newApp(nil, io.Discard, io.Discard))
		root.SetArgs(append(args, "--help"))
		root.SetOut(io.Discard)
		if err := root.Execute(); err != nil {
			t.Errorf("plumb %s: %v", strings.Join(args, " "), err)
		}
	}
}

// The README's tree names every package of the floors.
func TestREADMENamesEveryPackage(t *testing.T) {
	text := readme(t)
	for _, floor := range floors {
		for _, p := range floor.packages {
			if !strings.Contains(text, "`"+p+"`") {
				t.Errorf("the README does not name `%s`", p)
			}
		}
	}
}

// Tables of kept runs stand where they are shown as the program wrote them: those
// called readme-… in the README, others in the page of docs that they begin with.
func TestTablesInTextAreThoseOfKeptRuns(t *testing.T) {
	root := golden.ModuleRoot(t)
	tables, err := filepath.Glob(filepath.Join(root, "results", "reference", "runs", "*", "*-*.md"))
	if err != nil || len(tables) == 0 {
		t.Fatalf("no kept tables: %v", err)
	}
	for _, path := range tables {
		page, _, _ := strings.Cut(filepath.Base(path), "-")
		shown := filepath.Join(root, "docs", page+".md")
		if page == "readme" {
			shown = filepath.Join(root, "README.md")
		}
		table, text := mustRead(t, path), mustRead(t, shown)
		if !strings.Contains(text, strings.TrimSpace(table)) {
			t.Errorf("%s does not hold %s as it is", filepath.Base(shown), filepath.Base(path))
		}
	}
}

func mustRead(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
