// Package corpus turns texts into rows of token ids to train on: files and
// folders become documents, documents become a stream of tokens kept in shards,
// and the stream becomes rows in an order that depends on a seed alone.
package corpus

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"os"
	"path/filepath"
	"strings"
	"unicode/utf8"
)

// A Document is a text that stands by itself. What comes before it and after it
// in a stream has nothing to do with it.
type Document struct {
	Name string // where it begins: file, or file:line
	Text string // UTF-8, never empty
}

// maxDocument bounds the bytes of a document, and of a line of a file.
const maxDocument = 256 << 20

// Documents reads the texts at path, a file or a folder with files in any depth,
// in the order of their names: .txt, and .jsonl with the text of each row in its
// field "text", both also as .gz and .zst. Other files of a folder are passed over.
//
// Each file, and each row of a .jsonl file, is cut into documents by split:
//
//	file           not at all
//	blank_lines    at lines that are blank
//	passages=N     at the first good place after N bytes: best the end of a
//	               paragraph, else of a sentence
//
// A failure ends the sequence; it names file and line. A sequence can be gone
// through again and reads the files anew.
func Documents(path, split string) iter.Seq2[Document, error] {
	return func(yield func(Document, error) bool) {
		cut, err := parseSplit(split)
		if err != nil {
			yield(Document{}, err)
			return
		}
		files, err := textFiles(path)
		if err != nil {
			yield(Document{}, err)
			return
		}
		for _, file := range files {
			err := readFile(file, cut, func(d Document) bool { return yield(d, nil) })
			if err == errStopped {
				return
			}
			if err != nil {
				yield(Document{}, err)
				return
			}
		}
	}
}

// errStopped says that the reader of a sequence wants no more.
var errStopped = errors.New("stopped")

// textFiles lists the files below path that can be read, in order.
func textFiles(path string) ([]string, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.IsDir() {
		if format(path) == "" {
			return nil, fmt.Errorf("%s: not a text that can be read (have %s)", path, formats)
		}
		return []string{path}, nil
	}
	var files []string
	err = filepath.WalkDir(path, func(file string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if hidden := strings.HasPrefix(d.Name(), ".") && file != path; hidden {
			if d.IsDir() {
				return filepath.SkipDir
			}
			return nil
		}
		if format(file) == "" {
			return nil
		}
		info, err := os.Stat(file) // what a link leads to counts
		if err == nil && info.Mode().IsRegular() {
			files = append(files, file)
		}
		return err
	})
	if err == nil && len(files) == 0 {
		err = fmt.Errorf("%s: no text in this folder (looked for %s)", path, formats)
	}
	return files, err
}

// Size returns about how many bytes of text Documents finds at path: those of the
// files, and three for each byte of a packed one.
func Size(path string) (int, error) {
	files, err := textFiles(path)
	total := 0
	for _, file := range files {
		info, err := os.Stat(file)
		if err != nil {
			return 0, err
		}
		size := int(info.Size())
		if ending := filepath.Ext(file); ending == ".gz" || ending == ".zst" {
			size *= 3
		}
		total += size
	}
	return total, err
}

const formats = ".txt, .jsonl, and either with .gz or .zst"

// format returns "txt" or "jsonl" by the name of a file, "" for others.
func format(file string) string {
	name := strings.TrimSuffix(strings.TrimSuffix(file, ".gz"), ".zst")
	switch filepath.Ext(name) {
	case ".txt":
		return "txt"
	case ".jsonl":
		return "jsonl"
	}
	return ""
}

// readFile gives the documents of a file to take, until it wants no more.
func readFile(file string, cut splitter, take func(Document) bool) error {
	source, err := open(file)
	if err != nil {
		return err
	}
	defer source.Close()
	if format(file) == "jsonl" {
		err = readRows(file, source, cut, take)
	} else {
		err = readText(file, source, cut, take)
	}
	if err != nil && err != errStopped && !strings.HasPrefix(err.Error(), file) {
		err = fmt.Errorf("%s: %w", file, err)
	}
	return err
}

func readText(file string, source io.Reader, cut splitter, take func(Document) bool) error {
	c := newCutter(cut, func(line int, text string) error {
		name := file
		if !cut.wholeFiles() {
			name = fmt.Sprintf("%s:%d", file, line)
		}
		return takeText(Document{name, text}, take)
	})
	err := eachLine(source, func(_ int, line []byte) error { return c.add(line) })
	if err != nil {
		return err
	}
	return c.end()
}

// readRows reads JSON lines.
func readRows(file string, source io.Reader, cut splitter, take func(Document) bool) error {
	return eachLine(source, func(n int, line []byte) error {
		if len(bytes.TrimSpace(line)) == 0 {
			return nil
		}
		name := fmt.Sprintf("%s:%d", file, n)
		if !utf8.Valid(line) {
			return fmt.Errorf("%s: the row is not UTF-8", name)
		}
		var row struct{ Text *string }
		if err := json.Unmarshal(line, &row); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		if row.Text == nil {
			return fmt.Errorf(`%s: no field "text"`, name)
		}
		c := newCutter(cut, func(_ int, text string) error {
			return takeText(Document{name, text}, take)
		})
		for line := range strings.SplitAfterSeq(*row.Text, "\n") {
			if err := c.add([]byte(line)); err != nil {
				return err
			}
		}
		return c.end()
	})
}

// takeText checks a document and hands it on.
func takeText(d Document, take func(Document) bool) error {
	if !utf8.ValidString(d.Text) {
		return fmt.Errorf("%s: the text is not UTF-8; convert it first, for example with iconv", d.Name)
	}
	if !take(d) {
		return errStopped
	}
	return nil
}

// eachLine calls do with every line, its end included, and its number from 1.
// The slice is valid during the call. A byte-order mark at the start is left out.
func eachLine(source io.Reader, do func(n int, line []byte) error) error {
	r := bufio.NewReaderSize(source, 1<<16)
	var long []byte // a line that is longer than the reader's buffer
	for n := 1; ; {
		part, err := r.ReadSlice('\n')
		if len(long)+len(part) > maxDocument {
			return fmt.Errorf("line %d has more than %d bytes", n, maxDocument)
		}
		if err == bufio.ErrBufferFull {
			long = append(long, part...)
			continue
		}
		if err != nil && err != io.EOF {
			return fmt.Errorf("line %d: %w", n, err)
		}
		line := part
		if len(long) > 0 {
			line = append(long, part...)
		}
		if n == 1 {
			line = bytes.TrimPrefix(line, []byte("\ufeff"))
		}
		if len(line) > 0 {
			if err := do(n, line); err != nil {
				return err
			}
		}
		if err == io.EOF {
			return nil
		}
		long = long[:0]
		n++
	}
}
