package tasks

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

// maxNesting is how deep lists and dictionaries of a literal may be nested.
const maxNesting = 16

// pythonList turns a Python literal of lists, dictionaries and strings, as str()
// writes them, into JSON.
func pythonList(text string) ([]byte, error) {
	p := &literal{text: text}
	if err := p.value(0); err != nil {
		return nil, fmt.Errorf("at byte %d of a Python literal: %w", p.at, err)
	}
	if p.space(); p.at != len(text) {
		return nil, fmt.Errorf("at byte %d of a Python literal: more text than one value", p.at)
	}
	return p.json.Bytes(), nil
}

// A literal is read from left to right.
type literal struct {
	text string
	at   int
	json bytes.Buffer
}

func (p *literal) space() {
	for p.at < len(p.text) && strings.IndexByte(" \t\r\n", p.text[p.at]) >= 0 {
		p.at++
	}
}

// next returns the next byte that is no space, or 0 at the end.
func (p *literal) next() byte {
	if p.space(); p.at == len(p.text) {
		return 0
	}
	return p.text[p.at]
}

func (p *literal) value(depth int) error {
	switch c := p.next(); {
	case depth > maxNesting:
		return errors.New("nested too deeply")
	case c == '[':
		return p.sequence(']', depth, false)
	case c == '{':
		return p.sequence('}', depth, true)
	case c == '\'' || c == '"':
		return p.quoted()
	}
	return errors.New("expected a list, a dictionary or a string")
}

// sequence copies what stands between brackets, with commas between.
func (p *literal) sequence(end byte, depth int, keyed bool) error {
	p.json.WriteByte(p.text[p.at])
	p.at++
	for n := 0; p.next() != end; n++ {
		if n > 0 {
			if p.next() != ',' {
				return fmt.Errorf("expected , or %c", end)
			}
			p.at++
			if p.next() == end {
				break
			}
			p.json.WriteByte(',')
		}
		if keyed {
			if err := p.key(); err != nil {
				return err
			}
		}
		if err := p.value(depth + 1); err != nil {
			return err
		}
	}
	p.at++
	p.json.WriteByte(end)
	return nil
}

func (p *literal) key() error {
	if c := p.next(); c != '\'' && c != '"' {
		return errors.New("expected a string as a key")
	}
	if err := p.quoted(); err != nil {
		return err
	}
	if p.next() != ':' {
		return errors.New("expected : behind a key")
	}
	p.at++
	p.json.WriteByte(':')
	return nil
}

// pythonEscapes are the escapes of one letter that str() writes.
var pythonEscapes = map[byte]byte{'n': '\n', 't': '\t', 'r': '\r', '\\': '\\', '\'': '\'', '"': '"'}

// quoted copies a string in either kind of quotes.
func (p *literal) quoted() error {
	quote := p.text[p.at]
	var b strings.Builder
	for p.at++; p.at < len(p.text); p.at++ {
		c := p.text[p.at]
		if c == quote {
			p.at++
			text, err := json.Marshal(b.String())
			p.json.Write(text)
			return err
		}
		if c != '\\' {
			b.WriteByte(c)
			continue
		}
		if err := p.escape(&b); err != nil {
			return err
		}
	}
	return errors.New("a string without its end")
}

// escape copies what a backslash stands for, up to its last byte.
func (p *literal) escape(b *strings.Builder) error {
	if p.at++; p.at == len(p.text) {
		return errors.New("a string without its end")
	}
	c := p.text[p.at]
	if plain, ok := pythonEscapes[c]; ok {
		b.WriteByte(plain)
		return nil
	}
	digits := map[byte]int{'x': 2, 'u': 4, 'U': 8}[c]
	if digits == 0 || p.at+digits >= len(p.text) {
		return fmt.Errorf("unknown escape \\%c", c)
	}
	code, err := strconv.ParseUint(p.text[p.at+1:p.at+1+digits], 16, 32)
	if err != nil || code > utf8.MaxRune {
		return fmt.Errorf("escape \\%s is no character", p.text[p.at:p.at+1+digits])
	}
	b.WriteRune(rune(code))
	p.at += digits
	return nil
}
