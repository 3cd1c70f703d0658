package main

import (
	"fmt"
	"io"
	"strconv"
	"strings"
	"unicode/utf8"

	"plumb/results"
)

// harness names the format of lm-eval, the Language Model Evaluation Harness,
// whose tables and keys readers and scripts know.
const harness = "lm-eval"

func init() { scoreFormats.Add(harness, writeScoreHarness) }

// writeScoreHarness prints the line and the table of lm-eval.
func writeScoreHarness(_ *app, w io.Writer, scores []score, o evalOptions) error {
	limit := "None"
	if o.source.limit > 0 {
		limit = fmt.Sprintf("%.1f", float64(o.source.limit))
	}
	shots := "None"
	if o.source.shots.N > 0 {
		shots = strconv.Itoa(o.source.shots.N)
	}
	if _, err := fmt.Fprintf(w, "plumb (pretrained=%s), gen_kwargs: (None), limit: %s, num_fewshot: %s, batch_size: %d\n", scores[0].Model, limit, shots, o.batch); err != nil {
		return err
	}
	var rows [][]string
	for i, s := range scores {
		row := s.harnessCells()
		if i > 0 && s.Task == scores[i-1].Task {
			row[0], row[1] = "", "" // said in the row above
		}
		rows = append(rows, row)
	}
	return writeAligned(w, []string{"Tasks", "#Version", "Filter", "#n-shot", "Metric", "", "#Value", "", "#Stderr"}, rows)
}

// harnessCells are those of a row of lm-eval's table.
func (s score) harnessCells() []string {
	row := []string{s.Task, s.Version, "none", strconv.Itoa(s.Shots), s.Metric, "↑", "nan", "±", "N/A"}
	if results.Better(s.Task+"/"+s.Metric, s.Unit) == "lower" {
		row[5] = "↓"
	}
	if s.Value != nil {
		row[6] = fmt.Sprintf("%.4f", *s.Value)
	}
	if s.StdErr != nil {
		row[8] = fmt.Sprintf("%.4f", *s.StdErr)
	}
	return row
}

// writeAligned writes a Markdown table with columns padded to equal width, as
// lm-eval does. Columns whose header starts with "#" stand right.
func writeAligned(w io.Writer, header []string, rows [][]string) error {
	widths, names, rules := make([]int, len(header)), make([]string, len(header)), make([]string, len(header))
	for i, name := range header {
		names[i] = strings.TrimPrefix(name, "#")
		widths[i] = max(1, utf8.RuneCountInString(names[i]))
		for _, row := range rows {
			widths[i] = max(widths[i], utf8.RuneCountInString(row[i]))
		}
		rules[i] = strings.Repeat("-", widths[i])
		if numeric(name) {
			rules[i] = rules[i][1:] + ":"
		}
	}
	var text strings.Builder
	for _, row := range append([][]string{names, rules}, rows...) {
		for i, cell := range row {
			text.WriteString("|" + pad(cell, widths[i], numeric(header[i])))
		}
		text.WriteString("|\n")
	}
	_, err := io.WriteString(w, text.String())
	return err
}

// numeric says whether the column under this header holds numbers.
func numeric(header string) bool { return strings.HasPrefix(header, "#") }

// pad fills cell with spaces up to width, on the left if it stands right.
func pad(cell string, width int, right bool) string {
	spaces := strings.Repeat(" ", width-utf8.RuneCountInString(cell))
	if right {
		return spaces + cell
	}
	return cell + spaces
}

// harnessResults is the object that lm-eval writes, with its keys.
func harnessResults(scores []score, o evalOptions) any {
	found, versions, shots := map[string]map[string]any{}, map[string]string{}, map[string]int{}
	samples := map[string]map[string]int{}
	for _, s := range scores {
		if found[s.Task] == nil {
			found[s.Task] = map[string]any{"alias": s.Task}
		}
		found[s.Task][s.Metric+",none"] = s.Value
		found[s.Task][s.Metric+"_stderr,none"] = s.StdErr
		versions[s.Task], shots[s.Task] = s.Version, s.Shots
		samples[s.Task] = map[string]int{"original": s.N + s.Unscored, "effective": s.N}
	}
	var limit any
	if o.source.limit > 0 {
		limit = o.source.limit
	}
	return map[string]any{
		"results": found, "versions": versions, "n-shot": shots, "n-samples": samples,
		"config": map[string]any{"model": "plumb", "model_args": "pretrained=" + scores[0].Model, "batch_size": o.batch, "limit": limit, "bos": scores[0].BOS},
	}
}
