package bench

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
)

// Bounds of a report as a file.
const (
	mostLines    = 10_000
	mostLineText = 1 << 20 // bytes
)

// Write writes r as JSON, one object a line: the header, whose kind is "bench",
// and the lines, whose kind is "line".
func (r Report) Write(w io.Writer) error {
	encoder := json.NewEncoder(w)
	encoder.SetEscapeHTML(false)
	err := encoder.Encode(struct {
		Kind string `json:"kind"`
		Header
	}{"bench", r.Header})
	for _, l := range r.Lines {
		err = errors.Join(err, encoder.Encode(struct {
			Kind string `json:"kind"`
			Line
		}{"line", l}))
	}
	return err
}

// ReadFile reads a report that Write wrote to the file at path.
func ReadFile(path string) (Report, error) {
	f, err := os.Open(path)
	if err != nil {
		return Report{}, err
	}
	defer f.Close()
	r, err := Read(f)
	if err != nil {
		return r, fmt.Errorf("%s: %w", path, err)
	}
	return r, nil
}

// Read reads what Write wrote.
func Read(from io.Reader) (Report, error) {
	var r Report
	text := bufio.NewScanner(from)
	text.Buffer(nil, mostLineText)
	for number := 1; text.Scan(); number++ {
		if number > mostLines {
			return Report{}, fmt.Errorf("more than %d lines: this is no report of plumb bench", mostLines)
		}
		if err := r.readLine(text.Bytes()); err != nil {
			return Report{}, fmt.Errorf("line %d: %w", number, err)
		}
	}
	switch err := text.Err(); {
	case errors.Is(err, bufio.ErrTooLong):
		return Report{}, fmt.Errorf("a line is longer than %d bytes: this is no report of plumb bench", mostLineText)
	case err != nil:
		return Report{}, err
	case r.Format == "":
		return Report{}, errors.New("empty: write a report with plumb bench --json")
	}
	return r, nil
}

// readLine takes in one line, the header first.
func (r *Report) readLine(text []byte) error {
	var is struct {
		Kind string `json:"kind"`
	}
	if err := json.Unmarshal(text, &is); err != nil {
		return fmt.Errorf("no JSON object (%w): write a report with plumb bench --json", err)
	}
	switch {
	case is.Kind == "bench" && r.Format == "":
		if err := json.Unmarshal(text, &r.Header); err != nil {
			return err
		}
		if r.Format != Format {
			return fmt.Errorf("format %q, need %q: measure again with this program", r.Format, Format)
		}
		return nil
	case is.Kind == "line" && r.Format != "":
		var l Line
		if err := json.Unmarshal(text, &l); err != nil {
			return err
		}
		if err := l.check(); err != nil {
			return err
		}
		r.Lines = append(r.Lines, l)
		return nil
	case is.Kind == "change" && r.Format != "": // from a report before that one
		return nil
	}
	return fmt.Errorf("an object of kind %q is out of place: write a report with plumb bench --json", is.Kind)
}

// check reports what a measured line cannot hold.
func (l Line) check() error {
	if !(l.Work > 0) || math.IsInf(l.Work, 0) {
		return fmt.Errorf("%s did work of %v", l.Name, l.Work)
	}
	for _, seconds := range [][]float64{l.CPUSeconds, l.WallSeconds} {
		if len(seconds) > MostRepetitions {
			return fmt.Errorf("%s has %d repetitions, more than %d", l.Name, len(seconds), MostRepetitions)
		}
		for _, s := range seconds {
			if !(s > 0) || math.IsInf(s, 0) {
				return fmt.Errorf("%s took %v seconds", l.Name, s)
			}
		}
	}
	return nil
}
