package corpus

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// A splitter says between which lines a text is cut. endsBefore is asked after
// each line but the last whether a document of size bytes whose last line is
// last ends before the line next. Its zero value never cuts.
type splitter struct {
	endsBefore func(size int, last, next []byte) bool
}

func (s splitter) wholeFiles() bool { return s.endsBefore == nil }

func parseSplit(split string) (splitter, error) {
	kind, argument, _ := strings.Cut(split, "=")
	switch {
	case split == "file":
		return splitter{}, nil
	case split == "blank_lines":
		return splitter{func(_ int, _, next []byte) bool { return blank(next) }}, nil
	case kind == "passages":
		n, err := strconv.Atoi(argument)
		if err != nil || n < 1 || n > maxDocument {
			return splitter{}, fmt.Errorf("split %q: the size of passages must be from 1 to %d bytes, as in passages=600", split, maxDocument)
		}
		return passages(n), nil
	}
	return splitter{}, fmt.Errorf("no split named %q (have blank_lines, file, passages=N)", split)
}

// wrapWidth is the width in bytes that hard-wrapped lines stay below. A longer
// line is a paragraph.
const wrapWidth = 120

// passages ends a document of n bytes or more where a paragraph ends: before a
// blank or an indented line, or after a line that is too long to be part of one.
// Some books mark their paragraphs in none of these ways; from 1.5 n bytes on
// the end of a sentence will do, and from 4 n the end of any line.
func passages(n int) splitter {
	return splitter{func(size int, last, next []byte) bool {
		switch {
		case size < n:
			return false
		case blank(next) || next[0] == ' ' || next[0] == '\t' || len(last) > wrapWidth:
			return true
		case endsSentence(last):
			return size >= n+n/2
		}
		return size >= 4*n
	}}
}

func blank(line []byte) bool { return len(bytes.TrimSpace(line)) == 0 }

// endsSentence reports whether the last character of a line, quotes and
// brackets aside, is a full stop, an exclamation or a question mark.
func endsSentence(line []byte) bool {
	line = bytes.TrimRightFunc(line, func(r rune) bool {
		return unicode.IsSpace(r) || strings.ContainsRune(`"'”’)]»_`, r)
	})
	r, _ := utf8.DecodeLastRune(line)
	return strings.ContainsRune(".!?…", r) && r != utf8.RuneError
}

// A cutter puts lines together to documents.
type cutter struct {
	splitter
	take  func(line int, text string) error
	text  []byte
	last  int // where in text the last line begins
	line  int // number of lines added
	start int // number of the line that text begins with
}

func newCutter(s splitter, take func(line int, text string) error) *cutter {
	return &cutter{splitter: s, take: take}
}

// add appends a line, its end included. Unless files stay whole, blank lines
// never begin a document.
func (c *cutter) add(line []byte) error {
	if len(line) == 0 {
		return nil
	}
	c.line++
	if !c.wholeFiles() && len(c.text) > 0 && c.endsBefore(len(c.text), c.text[c.last:], line) {
		if err := c.end(); err != nil {
			return err
		}
	}
	if len(c.text) == 0 {
		if !c.wholeFiles() && blank(line) {
			return nil
		}
		c.start = c.line
	}
	if len(c.text)+len(line) > maxDocument {
		return fmt.Errorf("a document of more than %d bytes; split it by passages=N", maxDocument)
	}
	c.last = len(c.text)
	c.text = append(c.text, line...)
	return nil
}

// end hands on what has been put together, without the line ends after it
// unless files stay whole.
func (c *cutter) end() error {
	text := c.text
	if !c.wholeFiles() {
		text = bytes.TrimRight(text, "\r\n")
	}
	c.text, c.last = c.text[:0], 0
	if blank(text) {
		return nil
	}
	return c.take(c.start, string(text))
}
