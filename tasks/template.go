package tasks

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"plumb/internal/registry"
)

// A template is text with fields of a row in it: {field}, {a.b} for a field
// inside a field, {list.0} for an element, {field|strip|lower} for what the
// functions make of it. {{ and }} are the braces themselves.
type template []part

// A part is plain text, or a field and what is done to it.
type part struct {
	text      string
	path      string // "" for plain text
	functions []func(string) string
}

// textFunctions are those that templates may use.
var textFunctions = registry.New[func(string) string]("function")

func init() {
	textFunctions.Add("strip", strip)
	textFunctions.Add("lower", strings.ToLower)
	textFunctions.Add("capitalize", capitalize) // as Python does: the rest in small letters
}

func parseTemplates(texts []string) ([]template, error) {
	templates := make([]template, len(texts))
	var errs []error
	for i, text := range texts {
		var err error
		if templates[i], err = parseTemplate(text); err != nil {
			errs = append(errs, fmt.Errorf("template %q: %w", text, err))
		}
	}
	return templates, errors.Join(errs...)
}

func parseTemplate(text string) (template, error) {
	var t template
	var plain strings.Builder
	for len(text) > 0 {
		at := strings.IndexAny(text, "{}")
		if at < 0 {
			plain.WriteString(text)
			break
		}
		plain.WriteString(text[:at])
		brace := text[at]
		if at+1 < len(text) && text[at+1] == brace {
			plain.WriteByte(brace)
			text = text[at+2:]
			continue
		}
		inside, rest, closed := strings.Cut(text[at+1:], "}")
		if brace == '}' || !closed || strings.Contains(inside, "{") {
			return nil, fmt.Errorf("a single %c; write it twice to mean itself", brace)
		}
		field, err := parseField(inside)
		if err != nil {
			return nil, err
		}
		t = append(t, part{text: plain.String()}, field)
		plain.Reset()
		text = rest
	}
	return append(t, part{text: plain.String()}), nil
}

func parseField(inside string) (part, error) {
	words := strings.Split(inside, "|")
	p := part{path: strings.TrimSpace(words[0])}
	if p.path == "" {
		return part{}, errors.New("braces without a field")
	}
	for _, word := range words[1:] {
		f, err := textFunctions.Get(strings.TrimSpace(word))
		if err != nil {
			return part{}, err
		}
		p.functions = append(p.functions, f)
	}
	return p, nil
}

// fill puts the fields of row into templates.
func fill(templates []template, row map[string]any) ([]string, error) {
	texts, total := make([]string, len(templates)), 0
	for i, t := range templates {
		var b strings.Builder
		for _, p := range t {
			text, err := p.fill(row)
			if err != nil {
				return nil, err
			}
			if total += len(text); total > MaxLineBytes {
				return nil, fmt.Errorf("texts of more than %d bytes", MaxLineBytes)
			}
			b.WriteString(text)
		}
		texts[i] = b.String()
	}
	return texts, nil
}

func (p part) fill(row map[string]any) (string, error) {
	if p.path == "" {
		return p.text, nil
	}
	text, err := textAt(row, p.path)
	for _, f := range p.functions {
		text = f(text)
	}
	return text, err
}

// textAt is the text of the field at path: of a string itself, of a number or a
// truth value what JSON writes.
func textAt(row map[string]any, path string) (string, error) {
	value, err := valueAt(row, path)
	if err != nil {
		return "", err
	}
	return textOf(value, path)
}

func textOf(value any, path string) (string, error) {
	switch v := value.(type) {
	case string:
		return v, nil
	case json.Number:
		return v.String(), nil
	case bool:
		return strconv.FormatBool(v), nil
	}
	return "", fmt.Errorf("field %q is no text", path)
}

// textsAt is the list of texts at path. A list on the way stands for its
// elements: choices.text is the text of each element of choices.
func textsAt(row map[string]any, path string) ([]string, error) {
	value, err := valueAt(row, path)
	if err != nil {
		return nil, err
	}
	list, ok := value.([]any)
	if !ok {
		return nil, fmt.Errorf("field %q is no list", path)
	}
	texts := make([]string, len(list))
	for i, element := range list {
		if texts[i], err = textOf(element, path); err != nil {
			return nil, err
		}
	}
	return texts, nil
}

// valueAt follows path, words with dots between, into a row.
func valueAt(row map[string]any, path string) (any, error) {
	var value any = row
	for _, word := range strings.Split(path, ".") {
		next, ok := step(value, word)
		if !ok {
			return nil, fmt.Errorf("no field %q", path)
		}
		value = next
	}
	return value, nil
}

// step is the field called word of an object, the element of that number of a
// list, or else that field of each element.
func step(value any, word string) (any, bool) {
	switch v := value.(type) {
	case map[string]any:
		field, ok := v[word]
		return field, ok
	case []any:
		if i, err := strconv.Atoi(word); err == nil {
			if i < 0 || i >= len(v) {
				return nil, false
			}
			return v[i], true
		}
		fields := make([]any, len(v))
		for i, element := range v {
			object, ok := element.(map[string]any)
			if !ok || object[word] == nil {
				return nil, false
			}
			fields[i] = object[word]
		}
		return fields, true
	}
	return nil, false
}
