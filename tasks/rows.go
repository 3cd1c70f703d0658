package tasks

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"os"
	"path/filepath"
	"strings"
)

// A readRow is a row, or why there is none.
type readRow struct {
	Row
	err error
}

// rows yields the rows of the file at path by the number of the line each
// begins on. Files of plain text end in .txt, .raw or .tokens, those of Parquet
// in .parquet; in all others a line is a JSON object. Empty lines are skipped.
func (t Task) rows(path string, r io.Reader) iter.Seq2[int, readRow] {
	if isTable(path) {
		return tableRows(r)
	}
	plain := isPlain(path)
	if plain && t.Pieces != nil {
		return t.pieces(r)
	}
	return func(yield func(int, readRow) bool) {
		lines := bufio.NewScanner(r)
		lines.Buffer(make([]byte, 0, 1<<16), MaxLineBytes)
		number := 0
		for lines.Scan() {
			number++
			line := lines.Bytes()
			if number == 1 {
				line = bytes.TrimPrefix(line, byteOrderMark)
			}
			if len(bytes.TrimSpace(line)) > 0 && !yield(number, readRow{Row: Row{Line: line, Plain: plain}}) {
				return
			}
		}
		switch err := lines.Err(); {
		case errors.Is(err, bufio.ErrTooLong):
			yield(number+1, readRow{err: fmt.Errorf("line longer than %d bytes", MaxLineBytes)})
		case err != nil:
			yield(number+1, readRow{err: err})
		}
	}
}

var byteOrderMark = []byte("\ufeff")

func isPlain(path string) bool {
	switch filepath.Ext(path) {
	case ".txt", ".raw", ".tokens":
		return true
	}
	return false
}

// pieces yields what a task cuts a file of plain text into.
func (t Task) pieces(r io.Reader) iter.Seq2[int, readRow] {
	return func(yield func(int, readRow) bool) {
		text, err := io.ReadAll(r)
		if err != nil {
			yield(1, readRow{err: err})
			return
		}
		line := 1
		for _, piece := range t.Pieces(string(bytes.TrimPrefix(text, byteOrderMark))) {
			if !yield(line, readRow{Row: Row{Line: []byte(piece), Plain: true}}) {
				return
			}
			line += 1 + strings.Count(piece, "\n")
		}
	}
}

// labelFile is where the labels of the rows of the file at path stand.
func labelFile(path string) string {
	return strings.TrimSuffix(path, filepath.Ext(path)) + "-labels.lst"
}

// labels reads the labels of the file at path, a line each; nil where a task
// has none or they are not there.
func (t Task) labels(path string) ([]string, error) {
	if !t.Labelled {
		return nil, nil
	}
	path = labelFile(path)
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	if info.Size() > MaxLineBytes {
		return nil, fmt.Errorf("%s has %d bytes, more than the %d a file of labels may have", path, info.Size(), MaxLineBytes)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	return strings.Fields(string(text)), nil
}
