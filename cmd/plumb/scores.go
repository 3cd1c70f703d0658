package main

import (
	"crypto/sha256"
	"encoding/csv"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"time"

	"plumb/internal/registry"
	"plumb/results"
)

// A score is one number that eval found: a line of its table.
type score struct {
	Model     string         `json:"model"`
	Task      string         `json:"task"` // "text" for --text
	Version   string         `json:"version"`
	Split     string         `json:"split,omitempty"`
	Shots     int            `json:"shots"`                // solved examples shown before each item
	ShotsFrom string         `json:"shots_from,omitempty"` // where they are from
	ShotsPick string         `json:"shots_pick,omitempty"` // which of those
	Metric    string         `json:"metric"`
	Value     *float64       `json:"value"` // null when Status is not ok
	Unit      string         `json:"unit"`
	StdErr    *float64       `json:"stderr"` // null where it is not known
	N         int            `json:"n"`      // items, tokens or bytes
	Clusters  int            `json:"clusters,omitempty"`
	Chance    *float64       `json:"chance,omitempty"`
	Truncated int            `json:"truncated"`                  // items whose context was cut
	Shifted   int            `json:"shifted"`                    // choices with a token across the border of context and continuation
	Unscored  int            `json:"unscored"`                   // items that could not be scored
	Requested int64          `json:"tokens_requested,omitempty"` // that the requests would take each by itself
	Computed  int64          `json:"tokens_computed,omitempty"`  // that they took
	Protocol  string         `json:"protocol,omitempty"`         // how items were scored
	BOS       string         `json:"bos"`
	Context   int            `json:"context"` // of the model, in tokens
	Data      string         `json:"data"`    // what was read
	DataHash  string         `json:"data_sha256,omitempty"`
	TokenHash string         `json:"tokens_sha256,omitempty"`
	Items     string         `json:"items,omitempty"` // hash of the items file
	Status    results.Status `json:"status"`
	Note      string         `json:"note,omitempty"`
}

// invalid returns a score without a value for each metric.
func (s score) invalid(metrics []string, reason string) []score {
	var scores []score
	for _, m := range metrics {
		s.Metric, s.Status, s.Note = m, results.StatusInvalid, joinNotes(reason, s.Note)
		scores = append(scores, s)
	}
	return scores
}

// scoreFormats holds the ways to write scores by name.
var scoreFormats = registry.New[func(a *app, w io.Writer, scores []score, o evalOptions) error]("format")

func init() {
	scoreFormats.Add("text", writeScoreText)
	scoreFormats.Add("markdown", writeScoreMarkdown)
	scoreFormats.Add("csv", writeScoreCSV)
	scoreFormats.Add("json", writeScoreJSON)
}

// writeScores prints scores as the flags ask for: --json means JSON whatever
// the format, and the JSON of lm-eval for that one.
func writeScores(a *app, scores []score, o evalOptions) error {
	switch {
	case a.json && o.format == harness:
		return a.emit(harnessResults(scores, o))
	case a.json:
		return writeScoreJSON(a, a.out, scores, o)
	}
	write, err := scoreFormats.Get(o.format)
	if err != nil {
		return err
	}
	return write(a, a.out, scores, o)
}

func writeScoreJSON(a *app, _ io.Writer, scores []score, _ evalOptions) error {
	for _, s := range scores {
		if err := a.emit(s); err != nil {
			return err
		}
	}
	return nil
}

// scoreHeader names the columns of tables for people.
var scoreHeader = []string{"task", "version", "shots", "metric", "#value", "", "#stderr", "#n", "#chance", "#computed"}

// cells are those of a table for people; mark is that of a footnote.
func (s score) cells(mark string) []string {
	metric := s.Metric
	if mark != "" {
		metric += " (" + mark + ")"
	}
	row := []string{s.Task, s.Version, strconv.Itoa(s.Shots), metric, string(s.Status), "", "", grouped(s.N), "", ""}
	if s.Value != nil {
		row[4] = fmt.Sprintf("%.4f", *s.Value)
	}
	if s.StdErr != nil {
		row[5], row[6] = "±", fmt.Sprintf("%.4f", *s.StdErr)
	}
	if s.Chance != nil {
		row[8] = fmt.Sprintf("%.4f", *s.Chance)
	}
	if s.Requested > 0 && s.Computed > 0 {
		row[9] = fmt.Sprintf("%.0f %%", 100*float64(s.Computed)/float64(s.Requested))
	}
	return row
}

// footnotes marks the distinct notes of scores: which mark each score has, and
// the lines below the table.
func footnotes(scores []score) (marks, lines []string) {
	known := map[string]string{}
	for _, s := range scores {
		mark := known[s.Note]
		if s.Note != "" && mark == "" {
			mark = string(rune('a' + len(known)%26))
			known[s.Note] = mark
			lines = append(lines, fmt.Sprintf("(%s) %s", mark, s.Note))
		}
		marks = append(marks, mark)
	}
	return marks, lines
}

// about says in one line what all scores of a call have in common.
func about(scores []score) string {
	s := scores[0]
	return fmt.Sprintf("%s, context of %d tokens, bos %s", s.Model, s.Context, s.BOS)
}

func writeScoreText(a *app, w io.Writer, scores []score, _ evalOptions) error {
	if _, err := fmt.Fprintf(w, "%s\n\n", about(scores)); err != nil {
		return err
	}
	g := grid{header: scoreHeader}
	marks, lines := footnotes(scores)
	for i, s := range scores {
		g.add(s.cells(marks[i])...)
	}
	if err := g.write(w); err != nil || len(lines) == 0 {
		return err
	}
	_, err := fmt.Fprintf(w, "\n%s\n", strings.Join(lines, "\n"))
	return err
}

func writeScoreMarkdown(_ *app, w io.Writer, scores []score, _ evalOptions) error {
	marks, lines := footnotes(scores)
	rows := [][]string{}
	for i, s := range scores {
		rows = append(rows, s.cells(marks[i]))
	}
	if err := writePipes(w, scoreHeader, rows); err != nil {
		return err
	}
	below := []string{results.EscapeMarkdown(about(scores))}
	for _, line := range lines {
		below = append(below, results.EscapeMarkdown(line))
	}
	_, err := fmt.Fprintf(w, "\n%s\n", strings.Join(below, "  \n"))
	return err
}

// writePipes writes a Markdown table. Columns whose header starts with "#" stand
// right.
func writePipes(w io.Writer, header []string, rows [][]string) error {
	names, rules := make([]string, len(header)), make([]string, len(header))
	for i, name := range header {
		names[i], rules[i] = name, "---"
		if numeric, ok := strings.CutPrefix(name, "#"); ok {
			names[i], rules[i] = numeric, "---:"
		}
	}
	lines := [][]string{names, rules}
	for _, row := range rows {
		cells := make([]string, len(row))
		for i, cell := range row {
			cells[i] = results.EscapeMarkdown(cell)
		}
		lines = append(lines, cells)
	}
	for _, line := range lines {
		if _, err := fmt.Fprintf(w, "| %s |\n", strings.Join(line, " | ")); err != nil {
			return err
		}
	}
	return nil
}

func writeScoreCSV(_ *app, w io.Writer, scores []score, _ evalOptions) error {
	table := csv.NewWriter(w)
	table.Write([]string{"model", "task", "version", "shots", "metric", "value", "unit", "stderr", "n", "chance", "truncated", "unscored", "bos", "context", "status", "note", "protocol", "tokens_requested", "tokens_computed"})
	for _, s := range scores {
		table.Write([]string{
			results.EscapeCSV(s.Model), s.Task, s.Version, strconv.Itoa(s.Shots), s.Metric, floatText(s.Value), s.Unit, floatText(s.StdErr), strconv.Itoa(s.N),
			floatText(s.Chance), strconv.Itoa(s.Truncated), strconv.Itoa(s.Unscored), s.BOS, strconv.Itoa(s.Context), string(s.Status), results.EscapeCSV(s.Note),
			s.Protocol, strconv.FormatInt(s.Requested, 10), strconv.FormatInt(s.Computed, 10),
		})
	}
	table.Flush()
	return table.Error()
}

func floatText(v *float64) string {
	if v == nil {
		return ""
	}
	return strconv.FormatFloat(*v, 'g', -1, 64)
}

// scoringStatus is the line of progress while a task is scored.
func scoringStatus(what, unit string, done, total int, elapsed time.Duration) standing {
	object := struct {
		Task    string  `json:"task"`
		Done    int     `json:"done"`
		Total   int     `json:"total"`
		Unit    string  `json:"unit"`
		Rate    float64 `json:"per_second,omitempty"`
		Seconds float64 `json:"seconds_left,omitempty"`
	}{Task: what, Done: done, Total: total, Unit: unit}
	line := fmt.Sprintf("%s  %s of %s %s", what, grouped(done), grouped(total), unit)
	if seconds := elapsed.Seconds(); done > 0 && seconds > 0 {
		object.Rate = float64(done) / seconds
		object.Seconds = float64(total-done) / object.Rate
		line += fmt.Sprintf("  %s %s/s  %s left", countText(object.Rate), unit, timeText(time.Duration(object.Seconds*float64(time.Second))))
	}
	return standing{line, object}
}

// hashFile is the SHA-256 of a file in hexadecimal.
func hashFile(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}
