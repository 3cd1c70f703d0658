package results

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"iter"
	"strings"
)

// A CorruptError says which line of which file is not what was once written.
// Nothing of the file has been used; the remedy is to delete it and to do the
// work again that it records.
type CorruptError struct {
	File   string
	Line   int // counted from 1; 0 when the file as a whole is meant
	Reason string
}

// Error names file, line and reason.
func (e *CorruptError) Error() string {
	if e.Line == 0 {
		return fmt.Sprintf("%s: %s", e.File, e.Reason)
	}
	return fmt.Sprintf("%s:%d: %s", e.File, e.Line, e.Reason)
}

// A sealed line is a JSON object whose last field is a checksum of the rest:
//
//	{"a":1,"check":"0123456789abcdef"}
//
// The checksum is the first 8 bytes of the SHA-256 of the object without that
// field, here of {"a":1}.
const (
	sealStart  = `"check":"`
	sealDigits = 16
	sealEnd    = `"}`
)

// seal returns v as one sealed line with its newline. It panics on what JSON
// cannot hold, which the callers' own checks exclude.
func seal(v any) []byte {
	body := encodeJSON(v)
	sum := checksum(body)
	line := body[: len(body)-1 : len(body)-1]
	if len(line) > 1 {
		line = append(line, ',')
	}
	line = append(line, sealStart...)
	line = append(line, sum...)
	return append(line, sealEnd+"\n"...)
}

// maxLine is the most bytes of a sealed line. The items of real tasks take a few
// hundred, an item of 256 choices 30,000.
const maxLine = 1 << 18

// writeSealed appends v as a sealed line to b.
func writeSealed(b *bytes.Buffer, v any) error {
	line := seal(v)
	if len(line) > maxLine {
		return fmt.Errorf("a line of %d bytes (%.60s...); at most %d can be stored", len(line), line, maxLine)
	}
	b.Write(line)
	return nil
}

// unseal checks a sealed line (without its newline) and decodes it into v,
// refusing fields that v does not have.
func unseal(line []byte, v any) error {
	if len(line) >= maxLine {
		return fmt.Errorf("a line of %d bytes; at most %d are allowed", len(line), maxLine)
	}
	tail := len(sealStart) + sealDigits + len(sealEnd)
	if len(line) < 1+tail || !bytes.HasSuffix(line, []byte(sealEnd)) {
		return fmt.Errorf("the line does not end with its checksum")
	}
	head, rest := line[:len(line)-tail], line[len(line)-tail:]
	if !bytes.HasPrefix(rest, []byte(sealStart)) {
		return fmt.Errorf("the line does not end with its checksum")
	}
	want := string(rest[len(sealStart) : len(sealStart)+sealDigits])
	body := append(bytes.TrimSuffix(bytes.Clone(head), []byte(",")), '}')
	if got := checksum(body); got != want {
		return fmt.Errorf("checksum %s, but the line has %s", want, got)
	}
	decoder := json.NewDecoder(bytes.NewReader(body))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(v); err != nil {
		return err
	}
	if _, err := decoder.Token(); err != io.EOF {
		return fmt.Errorf("more than one object in the line")
	}
	return nil
}

func checksum(body []byte) string {
	sum := sha256.Sum256(body)
	return hex.EncodeToString(sum[:])[:sealDigits]
}

// encodeJSON is json.Marshal without the escaping of <, > and &. Keys of maps
// are sorted and floats have the shortest digits that round-trip, so equal
// values give equal bytes.
func encodeJSON(v any) []byte {
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(v); err != nil {
		panic("results: " + err.Error())
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n"))
}

// sealedLines yields the lines of a file without their newlines, by their
// numbers from 0. whole is how many there are, torn how many bytes follow the
// last newline: an unfinished line, torn off by a crash.
func sealedLines(data []byte) (lines iter.Seq2[int, []byte], whole, torn int) {
	end := bytes.LastIndexByte(data, '\n') + 1
	lines = func(yield func(int, []byte) bool) {
		rest := data[:end]
		for i := 0; len(rest) > 0; i++ {
			line, after, _ := bytes.Cut(rest, []byte("\n"))
			if !yield(i, line) {
				return
			}
			rest = after
		}
	}
	return lines, bytes.Count(data[:end], []byte("\n")), len(data) - end
}

// validText says what is wrong with strings that are to be stored: JSON would
// silently replace bytes that are not UTF-8.
func validText(texts ...string) error {
	for _, s := range texts {
		if strings.ToValidUTF8(s, "") != s {
			return fmt.Errorf("%q is not valid UTF-8", s)
		}
	}
	return nil
}
