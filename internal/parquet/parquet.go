// Package parquet reads the rows of Parquet files as JSON objects, for tables of
// text: strings, numbers, bools, lists and structs of them. Files are hostile
// until read: no number of the file is believed before it is compared with the
// bytes there are, and memory and work are bounded by the size of the file.
//
// The format is that of https://parquet.apache.org/docs/file-format. Encrypted
// files, the types INT96 and FIXED_LEN_BYTE_ARRAY, and the compressions LZO, LZ4
// and Brotli are refused by name.
package parquet

import (
	"encoding/binary"
	"errors"
	"fmt"
	"iter"

	"github.com/klauspost/compress/zstd"
)

// Limits, for a file of n bytes. Text is seldom compressed by more than a tenth.
const (
	maxFooter  = 16 << 20
	maxColumns = 1024
	maxChunks  = 1 << 16 // columns times row groups
	maxDepth   = 16      // of lists and structs
	maxRow     = 1 << 20 // bytes of a row's JSON object

	slack        = 8 << 20 // bytes allowed to any file
	heldFactor   = 8       // pages that are open at a time: slack + 8n bytes
	totalFactor  = 64      // all pages: slack + 64n bytes
	outputFactor = 16      // all rows: slack + 16n bytes
	cellSlack    = 1 << 16
	cellFactor   = 16 // values and gaps: cellSlack + 16n
)

const magic = "PAR1"

// Rows yields each row of the Parquet file whose content is data, as a JSON
// object with its columns in the order of the file. An error is the last thing
// that it yields. A row is valid until the next.
func Rows(data []byte) iter.Seq2[[]byte, error] {
	return func(yield func([]byte, error) bool) {
		if err := read(data, func(row []byte) bool { return yield(row, nil) }); err != nil {
			yield(nil, err)
		}
	}
}

// read calls yield for each row until it returns false.
func read(data []byte, yield func(row []byte) bool) error {
	f, err := open(data)
	if err != nil {
		return err
	}
	defer f.close()
	for i, group := range f.groups {
		more, err := f.readGroup(group, yield)
		if err != nil {
			return fmt.Errorf("row group %d: %w", i, err)
		}
		if !more {
			return nil
		}
	}
	return nil
}

// A file is a Parquet file and what may still be spent on it.
type file struct {
	data   []byte // up to the footer
	root   *node
	leaves []*node
	groups []rowGroup
	zstd   *zstd.Decoder // nil until it is needed

	held, total, output, cells int // bytes and values that are left
}

// open reads and checks the footer.
func open(data []byte) (*file, error) {
	n := len(data)
	if n < 12 || string(data[:4]) != magic || string(data[n-4:]) != magic {
		if n >= 4 && string(data[n-4:]) == "PARE" {
			return nil, errors.New("the file is encrypted; write it again without encryption")
		}
		return nil, fmt.Errorf("no Parquet file: it does not begin and end with %s", magic)
	}
	size := int(binary.LittleEndian.Uint32(data[n-8:]))
	if size > n-12 || size > maxFooter {
		return nil, fmt.Errorf("the footer is said to have %d bytes, in a file of %d", size, n)
	}
	f := &file{data: data[:n-8-size]}
	f.held, f.total, f.output = slack+heldFactor*n, slack+totalFactor*n, slack+outputFactor*n
	f.cells = cellSlack + cellFactor*n
	if err := f.readFooter(data[n-8-size : n-8]); err != nil {
		return nil, fmt.Errorf("footer: %w", err)
	}
	return f, nil
}

func (f *file) close() {
	if f.zstd != nil {
		f.zstd.Close()
	}
}

// readGroup yields the rows of one row group. It reports whether yield wants more.
func (f *file) readGroup(group rowGroup, yield func(row []byte) bool) (more bool, err error) {
	columns := make([]*column, len(f.leaves))
	for i, leaf := range f.leaves {
		columns[i] = &column{file: f, leaf: leaf, rest: group.chunks[i].bytes, left: group.chunks[i].values, codec: group.chunks[i].codec}
		defer columns[i].close()
	}
	a := assembler{columns: columns}
	for row := range group.rows {
		object, err := a.row(f.root)
		if err == nil {
			err = f.spend(&f.output, len(object), "bytes of rows")
		}
		if err != nil {
			return false, fmt.Errorf("row %d: %w", row, err)
		}
		if !yield(object) {
			return false, nil
		}
	}
	return true, a.end()
}

// spend takes n from what is left of a budget.
func (f *file) spend(budget *int, n int, of string) error {
	if n > *budget {
		return fmt.Errorf("more %s than a file of %d bytes should hold; write it again in smaller parts or without compression", of, len(f.data))
	}
	*budget -= n
	return nil
}
