package tasks

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// IsSpace reports whether Python's str.strip would remove r. It is Unicode's
// white space and the four ASCII separators 0x1C to 0x1F, which Go's
// unicode.IsSpace does not count.
func IsSpace(r rune) bool {
	return unicode.IsSpace(r) || 0x1C <= r && r <= 0x1F
}

// strip removes white space at both ends, as Python's str.strip does.
func strip(s string) string { return strings.TrimFunc(s, IsSpace) }

// capitalize is Python's str.capitalize: the first character in title case and
// all others in lower case. The few characters that change their number in the
// other case, such as ß, keep Go's one-to-one mapping.
func capitalize(s string) string {
	first, size := utf8.DecodeRuneInString(s)
	if size == 0 {
		return ""
	}
	return string(unicode.ToTitle(first)) + strings.ToLower(s[size:])
}

// decode reads one JSON object strictly enough to score it: trailing text is an
// error, unknown fields are not, since data sets carry many.
func decode(from Row, row any) error {
	if from.Plain || !bytes.HasPrefix(bytes.TrimSpace(from.Line), []byte("{")) {
		return fmt.Errorf("not a JSON object: %.40q", from.Line)
	}
	return json.Unmarshal(from.Line, row)
}

// text is the line of a file of plain text, or the field called name.
func (from Row) text(name string) (string, error) {
	if from.Plain {
		return string(from.Line), nil
	}
	var row map[string]json.RawMessage
	if err := decode(from, &row); err != nil {
		return "", err
	}
	var text *string
	if raw, ok := row[name]; ok {
		if err := json.Unmarshal(raw, &text); err != nil {
			return "", fmt.Errorf("field %q: %w", name, err)
		}
	}
	return field(name, text)
}

// field returns a required text field, or an error that names it.
func field(name string, value *string) (string, error) {
	if value == nil {
		return "", fmt.Errorf("no field %q", name)
	}
	return *value, nil
}

// fields returns several required text fields, or an error that names all that
// are missing.
func fields(names []string, values ...*string) ([]string, error) {
	texts := make([]string, len(values))
	errs := make([]error, len(values))
	for i, value := range values {
		texts[i], errs[i] = field(names[i], value)
	}
	return texts, errors.Join(errs...)
}

// ownLabel is the label that a row has, or else the one that stands for it in
// the file of labels.
func (from Row) ownLabel(own json.RawMessage) json.RawMessage {
	if len(own) == 0 && from.Label != "" {
		return json.RawMessage(strconv.Quote(from.Label))
	}
	return own
}

// labelIndex reads a label that is a whole number, written as a JSON number or
// as a string, and returns its distance from first. It must be below first+n.
func labelIndex(name string, raw json.RawMessage, first, n int) (int, error) {
	if len(raw) == 0 || string(raw) == "null" {
		return 0, fmt.Errorf("no field %q", name)
	}
	label, err := strconv.Atoi(strings.Trim(string(raw), `"`))
	if err != nil || label < first || label >= first+n {
		return 0, fmt.Errorf("%s %s is not a whole number from %d to %d", name, raw, first, first+n-1)
	}
	return label - first, nil
}
