package results

import (
	"bytes"
	"strings"
	"testing"

	"plumb/internal/hostile"
)

// No file of 1 MiB takes 64 MiB to read, sealed by a program or not.
func TestMemory(t *testing.T) {
	record := seal(Record{Experiment: "e", Trial: "t", Metric: "m", Unit: "share", Status: StatusFailed, Note: "n"})
	keys := map[string]string{}
	for i := range 20_000 {
		keys[string(rune('a'+i))] = ""
	}
	item := func(i Item) string { return string(seal(i)) }
	choices := make([]Choice, 40_000)
	header := func(n int) string { return string(seal(itemsHeader{Format: itemsFormat, Task: "t", Count: n})) }
	full := func(header func(n int) string, line string) []byte {
		n := (hostile.Size - 400) / len(line)
		return append([]byte(header(n)), strings.Repeat(line, n)...)
	}
	one := item(Item{ID: "a", Choices: []Choice{{Sum: -1, Tokens: 1, Length: 1}, {Sum: -2, Tokens: 1, Length: 1}}})
	curve := func(n int) string {
		c := sampleCurve()
		c.Points = nil
		return string(seal(curveHeader{Format: curveFormat, Curve: c, Count: n}))
	}
	point := string(seal(Point{}))
	files := func() map[string][]byte {
		return map[string][]byte{
			"empty lines":       hostile.Fill("", "\n", ""),
			"empty objects":     hostile.Fill("", "{}\n", ""),
			"records":           hostile.Fill("", string(record), ""),
			"many keys":         seal(Record{Experiment: "e", Trial: "t", Keys: keys, Metric: "m", Status: StatusFailed, Note: "n"}),
			"a nested record":   resealed(hostile.Fill(`{"keys":`, "[", "")),
			"lists of keys":     resealed(hostile.Fill(`{"keys":[`, "[],", `[]]`)),
			"items":             full(header, one),
			"lines of nothing":  full(header, "\n"),
			"bare choices":      append([]byte(header(1)), resealed(hostile.Fill(`{"id":"a","choices":[`, "{},", "{}]"))...),
			"a quarter as many": append([]byte(header(1)), resealed([]byte(`{"id":"a","choices":[`+strings.Repeat("{},", 85_000)+"{}]"))...),
			"items promised":    []byte(header(1 << 60)),
			"many choices":      append([]byte(header(1)), item(Item{ID: "a", Choices: choices})...),
			"points":            full(curve, point),
			"points promised":   seal(curveHeader{Format: curveFormat, Count: 1 << 60}),
		}
	}
	readers := map[string]func(data []byte) error{
		"records": func(data []byte) error { _, _, err := parseRecords("f", data); return err },
		"items":   func(data []byte) error { _, err := parseItems("f", data); return err },
		"curve":   func(data []byte) error { _, err := parseCurve("f", data); return err },
	}
	for name, read := range readers {
		t.Run(name, func(t *testing.T) { hostile.Bounded(t, files(), read) })
	}
}

// resealed ends body, an object without its closing brace, as a sealed line does.
func resealed(body []byte) []byte {
	sum := checksum(append(bytes.Clone(body), '}'))
	return append(append(bytes.Clone(body), ","+sealStart...), sum+sealEnd+"\n"...)
}
