package results

import (
	"encoding/csv"
	"io"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

func init() { Formats.Add("csv", writeCSV) }

// csvColumns are the columns behind those of the row and column keys. Numbers
// have all their digits.
var csvColumns = []string{"metric", "unit", "value", "low", "high", "interval", "stderr", "seeds", "n", "status", "lost", "bold", "p_versus_best", "origin", "verdict", "notes"}

// writeCSV writes one line a cell, so that no number shares a field with another.
// A missing cell has status missing and no value. Text that a spreadsheet would
// take for a formula gets an apostrophe in front, as does text that begins
// with one.
func writeCSV(w io.Writer, t *Table, _ Style) error {
	out := csv.NewWriter(w)
	keys := slices.DeleteFunc(slices.Concat(t.RowKeys, t.ColKeys), func(k string) bool { return k == "metric" })
	head := []string{"title"}
	for _, key := range append(keys, csvColumns...) {
		head = append(head, EscapeCSV(key))
	}
	out.Write(head)
	for i := range t.Rows {
		for j := range t.Cols {
			out.Write(t.csvLine(i, j))
		}
	}
	out.Flush()
	return out.Error()
}

func (t *Table) csvLine(i, j int) []string {
	c := t.Cells[i][j]
	line := []string{EscapeCSV(t.Title)}
	metric := c.Metric
	for k, value := range slices.Concat(t.Rows[i].Values, t.Cols[j].Values) {
		if slices.Concat(t.RowKeys, t.ColKeys)[k] == "metric" {
			metric = value
			continue
		}
		line = append(line, EscapeCSV(value))
	}
	value, low, high, p := "", "", "", ""
	if c.HasValue() {
		value = full(c.Interval.Mean)
		if c.Interval.Spread != SpreadNone {
			low, high = full(c.Interval.Low), full(c.Interval.High)
		}
		if c.Versus.Method != "" && c.Versus.Testable() {
			p = strconv.FormatFloat(c.Versus.P, 'g', 6, 64)
		}
	}
	return append(line, EscapeCSV(metric), EscapeCSV(c.Unit), value, low, high, string(c.Interval.Spread), optional(c.StdErr),
		strconv.Itoa(len(c.Seeds)), strconv.Itoa(c.N), c.status(), strconv.Itoa(c.Lost), strconv.FormatBool(c.Bold()), p, string(c.Origin), string(c.Verdict), EscapeCSV(strings.Join(t.notesOf(c), "; ")))
}

// status is ok where there is a value, else what became of the trials, or missing.
func (c Cell) status() string {
	switch {
	case c.HasValue():
		return string(StatusOK)
	case c.Word != "":
		return c.Word
	}
	return "missing"
}

// notesOf are the texts of a cell's footnotes.
func (t *Table) notesOf(c Cell) (texts []string) {
	for _, note := range t.Notes {
		if note.Mark != "" && slices.Contains(c.Marks, note.Mark) {
			texts = append(texts, note.Text)
		}
	}
	return texts
}

func full(v float64) string { return strconv.FormatFloat(v, 'g', -1, 64) }

func optional(v *float64) string {
	if v == nil {
		return ""
	}
	return full(*v)
}

// EscapeCSV keeps a spreadsheet from reading text as a formula. Numbers stay
// numbers, and nothing stays invisible.
func EscapeCSV(s string) string {
	s = visible(s)
	if s == "" {
		return s
	}
	if _, err := strconv.ParseFloat(s, 64); err == nil {
		return s
	}
	first, _ := utf8.DecodeRuneInString(strings.TrimLeft(s, " "))
	if strings.ContainsRune("=+-@'＝＋－＠", first) {
		return "'" + s
	}
	return s
}
