package experiments

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"testing"

	"plumb/internal/golden"
)

// The nightly's records are the same bits on every machine and every night. A
// change of any of them is either a mistake or a new version of the numerics
// (Numerics in stage.go); GOLDEN=update keeps the new ones.
func TestNightlyRecordsAreTheKeptOnes(t *testing.T) {
	t.Parallel()
	text, err := Shipped.Get("nightly")
	if err != nil {
		t.Fatal(err)
	}
	spec, err := Parse("nightly", text)
	if err != nil {
		t.Fatal(err)
	}
	out := t.TempDir()
	summary, err := Run(context.Background(), spec, Options{Out: out, Jobs: 2})
	if err != nil || !summary.Complete() {
		t.Fatalf("%+v, %v", summary, err)
	}
	files, err := filepath.Glob(filepath.Join(out, spec.Name, "*", recordsFile))
	if err != nil {
		t.Fatal(err)
	}
	var records bytes.Buffer
	for _, file := range files { // named by hashes, so in an order that repeats
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		records.Write(data)
	}
	golden.Check(t, filepath.Join("..", "results", "reference", "runs", "nightly", recordsFile), records.Bytes())
}
