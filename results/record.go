// Package results knows measurements: records with keys, values and units, the
// items they were computed from, loss curves, and the tables made from them. It
// knows nothing of models, so a new idea changes no table.
package results

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"

	"plumb/internal/atomicfile"
)

// A Status says what became of a measurement.
type Status string

// The statuses of a record. A value exists only when the status is StatusOK.
const (
	StatusOK       Status = "ok"
	StatusDiverged Status = "diverged" // NaN, Inf or an exploding loss
	StatusFailed   Status = "failed"   // the trial ended with an error
	StatusInvalid  Status = "invalid"  // measured, but not to be believed; the note says why

	StatusUnavailable Status = "not available" // nothing here could measure it; the note says what is lacking
)

// A Verdict says whether a timing can be quoted.
type Verdict string

// The verdicts on timings. An invalid one has a value all the same, and the note
// says what is wrong with it.
const (
	Valid   Verdict = "VALID"
	Invalid Verdict = "INVALID"
)

// An Origin says how a value came to be.
type Origin string

// The origins of a value.
const (
	Measured  Origin = "measured"  // by running the model
	Computed  Origin = "computed"  // counted from what is stored
	Inherited Origin = "inherited" // taken over from another measurement, of the same model
)

// A Record is one measurement of one trial.
type Record struct {
	Experiment string            `json:"experiment"`
	Trial      string            `json:"trial"` // names everything that could change Value
	Seed       uint64            `json:"seed"`
	Keys       map[string]string `json:"keys"`   // what was varied: layers, sharing, recipe, ...
	Metric     string            `json:"metric"` // such as "winogrande/acc"
	Value      *float64          `json:"value"`  // nil when Status is not ok
	Unit       string            `json:"unit"`   // "share", "nats/token", "bits/byte", "bytes"
	StdErr     *float64          `json:"stderr,omitempty"`
	Low        *float64          `json:"low,omitempty"` // of a timing, whose value is a median: the quartiles of its repetitions
	High       *float64          `json:"high,omitempty"`
	N          int               `json:"n"`                 // items, tokens or runs behind Value
	Items      string            `json:"items,omitempty"`   // hash of the items file it was computed from
	Tokens     string            `json:"tokens,omitempty"`  // hash of the token stream that was scored
	Status     Status            `json:"status"`            // ok, diverged, failed, invalid
	Origin     Origin            `json:"origin,omitempty"`  // measured, computed or inherited; empty where nobody asks
	Verdict    Verdict           `json:"verdict,omitempty"` // of a timing
	Note       string            `json:"note,omitempty"`    // why it is not ok, what was truncated, ...
}

// Number returns v as the pointer that Record.Value wants.
func Number(v float64) *float64 { return &v }

// Check says what keeps r from being stored: a value that is not a number, a
// value beside a status other than ok, or a missing name.
func (r Record) Check() error {
	switch r.Status {
	case StatusOK:
		if r.Value == nil {
			return r.wrong("status ok without a value; a measurement that did not work is diverged, failed or invalid")
		}
	case StatusDiverged, StatusFailed, StatusInvalid, StatusUnavailable:
		if r.Value != nil {
			return r.wrong("a value beside status %s; only ok has one", r.Status)
		}
	default:
		return r.wrong("status %q is none of ok, diverged, failed, invalid, not available", string(r.Status))
	}
	for _, v := range []*float64{r.Value, r.StdErr, r.Low, r.High} {
		if v != nil && !finite(*v) {
			return r.wrong("%v is no finite number; say it by the status diverged", *v)
		}
	}
	if r.StdErr != nil && *r.StdErr < 0 {
		return r.wrong("standard error %v is negative", *r.StdErr)
	}
	if (r.Low == nil) != (r.High == nil) || r.Low != nil && *r.Low > *r.High {
		return r.wrong("quartiles come in pairs, the lower one first")
	}
	if r.Verdict != "" && r.Verdict != Valid && r.Verdict != Invalid {
		return r.wrong("verdict %q is neither %s nor %s", string(r.Verdict), Valid, Invalid)
	}
	if r.Metric == "" || r.Trial == "" || r.N < 0 {
		return r.wrong("metric and trial must be named and n (%d) be at least 0", r.N)
	}
	return r.checkText()
}

func (r Record) checkText() error {
	texts := []string{r.Experiment, r.Trial, r.Metric, r.Unit, r.Items, r.Tokens, r.Note}
	for key, value := range r.Keys {
		texts = append(texts, key, value)
	}
	if err := validText(texts...); err != nil {
		return r.wrong("%v", err)
	}
	return nil
}

func (r Record) wrong(format string, args ...any) error {
	return fmt.Errorf("record of %q, trial %q: %s", r.Metric, r.Trial, fmt.Sprintf(format, args...))
}

func finite(v float64) bool { return !math.IsNaN(v) && !math.IsInf(v, 0) }

// Encode returns records as they stand in a file: one JSON object a line, whose
// last field, check, is a checksum of the rest. Equal records give equal bytes.
func Encode(records ...Record) ([]byte, error) {
	var b bytes.Buffer
	for _, r := range records {
		if err := r.Check(); err != nil {
			return nil, err
		}
		if err := writeSealed(&b, r); err != nil {
			return nil, err
		}
	}
	return b.Bytes(), nil
}

// WriteRecords puts a whole file of records at path, or leaves path as it was.
func WriteRecords(path string, records []Record) error {
	data, err := Encode(records...)
	if err != nil {
		return err
	}
	return atomicfile.Write(path, data)
}

// Append adds records to the file at path, which it creates where there is
// none, and returns when they are on the disk. An unfinished last line that a
// crash left is cut off first. One process at a time may append to a file.
func Append(path string, records ...Record) error {
	data, err := Encode(records...)
	if err != nil {
		return err
	}
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return err
	}
	if err := appendDurably(f, data); err != nil {
		f.Close()
		return fmt.Errorf("%s cannot be written: %w", path, err)
	}
	if err := f.Close(); err != nil {
		return err
	}
	return syncFolder(filepath.Dir(path))
}

// appendDurably writes data behind the last whole line of f. Where that fails,
// it cuts f back to what it was.
func appendDurably(f *os.File, data []byte) error {
	end, err := wholeLines(f)
	if err != nil {
		return err
	}
	if err := f.Truncate(end); err != nil {
		return err
	}
	if _, err := f.WriteAt(data, end); err != nil {
		return errors.Join(err, f.Truncate(end))
	}
	return f.Sync()
}

// wholeLines returns the offset behind the last newline of f.
func wholeLines(f *os.File) (int64, error) {
	info, err := f.Stat()
	if err != nil {
		return 0, err
	}
	const step = 4096
	for end := info.Size(); end > 0; {
		start := max(0, end-step)
		block := make([]byte, end-start)
		if _, err := f.ReadAt(block, start); err != nil {
			return 0, err
		}
		if i := bytes.LastIndexByte(block, '\n'); i >= 0 {
			return start + int64(i) + 1, nil
		}
		end = start
	}
	return 0, nil
}

func syncFolder(path string) error {
	folder, err := os.Open(path)
	if err != nil {
		return err
	}
	defer folder.Close()
	return folder.Sync()
}

// ReadRecords reads a file of records. torn is the number of bytes of an
// unfinished last line, which a crash left and which is not among the records;
// Append cuts it off. A line that is complete but does not fit its checksum, or
// has fields that a Record lacks, is a *CorruptError that names file and line,
// and then no record is returned.
func ReadRecords(path string) (records []Record, torn int, err error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, 0, err
	}
	return parseRecords(path, data)
}

// parseRecords reads the bytes of the file called path.
func parseRecords(path string, data []byte) (records []Record, torn int, err error) {
	lines, _, torn := sealedLines(data)
	for i, line := range lines {
		var r Record
		err := unseal(line, &r)
		if err == nil {
			err = r.Check()
		}
		if err != nil {
			return nil, torn, &CorruptError{File: path, Line: i + 1, Reason: err.Error()}
		}
		records = append(records, r)
	}
	return records, torn, nil
}
