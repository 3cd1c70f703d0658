package tasks

import (
	"io"
	"iter"
	"path/filepath"
	"strings"

	"plumb/internal/parquet"
)

// isTable says whether the file at path is one of Parquet.
func isTable(path string) bool { return filepath.Ext(path) == ".parquet" }

// asTables lists the names under which files of JSON Lines may be there as
// Parquet.
func asTables(paths []string) (tables []string) {
	for _, path := range paths {
		if stem, ok := strings.CutSuffix(path, ".jsonl"); ok {
			tables = append(tables, stem+".parquet")
		}
	}
	return tables
}

// tableRows yields the rows of a Parquet file as JSON objects, by their number
// from 1.
func tableRows(r io.Reader) iter.Seq2[int, readRow] {
	return func(yield func(int, readRow) bool) {
		data, err := io.ReadAll(r)
		if err != nil {
			yield(1, readRow{err: err})
			return
		}
		number := 0
		for line, err := range parquet.Rows(data) {
			number++
			if !yield(number, readRow{Row: Row{Line: line}, err: err}) {
				return
			}
		}
	}
}
