package results

import (
	"path/filepath"
	"testing"
)

// The records of kept runs are as they were written.
func TestKeptRecordsAreWhole(t *testing.T) {
	files, err := filepath.Glob(filepath.Join("reference", "runs", "*", "records.jsonl"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no kept records: %v", err)
	}
	for _, file := range files {
		records, torn, err := ReadRecords(file)
		if err != nil || torn > 0 || len(records) == 0 {
			t.Errorf("%s: %d records, %d bytes torn off, %v", file, len(records), torn, err)
		}
		for _, r := range records {
			if r.Experiment != filepath.Base(filepath.Dir(file)) {
				t.Errorf("%s holds a record of %s", file, r.Experiment)
			}
		}
	}
}
