package results

import (
	"io"
	"strconv"
)

func init() { Formats.Add("json", writeJSON) }

// cellJSON is one cell as JSON. Fields that are not known are absent.
type cellJSON struct {
	View     string            `json:"view"`
	Title    string            `json:"title"`
	Row      map[string]string `json:"row"`
	Col      map[string]string `json:"col"`
	Metric   string            `json:"metric"`
	Unit     string            `json:"unit"`
	Value    *float64          `json:"value"` // null when there is none
	Low      *float64          `json:"low,omitempty"`
	High     *float64          `json:"high,omitempty"`
	Interval Spread            `json:"interval"`
	StdErr   *float64          `json:"stderr,omitempty"`
	Chance   *float64          `json:"chance,omitempty"`
	Seeds    []uint64          `json:"seeds"`
	Values   []float64         `json:"values"` // one for each of seeds
	N        int               `json:"n"`
	Status   string            `json:"status"`            // ok, missing, diverged, failed, invalid, not available
	Origin   Origin            `json:"origin,omitempty"`  // measured, computed, inherited
	Verdict  Verdict           `json:"verdict,omitempty"` // of a timing: VALID, INVALID
	Lost     int               `json:"lost"`              // trials without a value; none of them is in the mean
	Best     bool              `json:"best"`
	Tied     bool              `json:"tied"`
	Versus   *versusJSON       `json:"versus_best,omitempty"`
	Notes    []string          `json:"notes"` // of the cell
	About    []string          `json:"about"` // of the table
}

type versusJSON struct {
	Diff     float64 `json:"diff"`
	SE       float64 `json:"se"`
	DF       float64 `json:"df"`
	P        float64 `json:"p"`
	Items    int     `json:"items"`
	Clusters int     `json:"clusters"`
	Seeds    int     `json:"seeds"`
	Method   string  `json:"method"`
}

// writeJSON writes one object a cell, row by row, each on a line.
func writeJSON(w io.Writer, t *Table, _ Style) error {
	for i := range t.Rows {
		for j := range t.Cols {
			if _, err := w.Write(append(encodeJSON(t.cellJSON(i, j)), '\n')); err != nil {
				return err
			}
		}
	}
	return nil
}

func (t *Table) cellJSON(i, j int) cellJSON {
	c := t.Cells[i][j]
	out := cellJSON{
		View: t.Name, Title: t.Title, Row: pairs(t.RowKeys, t.Rows[i]), Col: pairs(t.ColKeys, t.Cols[j]),
		Metric: c.Metric, Unit: c.Unit, Interval: c.Interval.Spread, StdErr: c.StdErr,
		Seeds: append([]uint64{}, c.Seeds...), Values: append([]float64{}, c.Values...), N: c.N, Status: c.status(), Lost: c.Lost,
		Origin: c.Origin, Verdict: c.Verdict, Best: c.Best, Tied: c.Tied, Notes: append([]string{}, t.notesOf(c)...), About: append([]string{}, t.Caption...),
	}
	for _, note := range t.Notes {
		if note.Mark == "" {
			out.About = append(out.About, note.Text)
		}
	}
	for _, h := range []Heading{t.Rows[i], t.Cols[j]} {
		if h.Metric == c.Metric && h.Chance != nil {
			out.Chance = h.Chance
		}
	}
	if out.Interval == "" {
		out.Interval = SpreadNone
	}
	if c.HasValue() {
		out.Value = Number(c.Interval.Mean)
		if c.Interval.Spread != SpreadNone {
			out.Low, out.High = Number(c.Interval.Low), Number(c.Interval.High)
		}
	}
	if v := c.Versus; v.Method != "" && v.Testable() {
		out.Versus = &versusJSON{rounded(v.Diff), rounded(v.SE), rounded(v.DF), rounded(v.P), v.Items, v.Clusters, v.Seeds, v.Method}
	}
	return out
}

// rounded keeps six digits, all that a test statistic is good for and that
// every processor agrees on.
func rounded(v float64) float64 {
	out, _ := strconv.ParseFloat(strconv.FormatFloat(v, 'g', 6, 64), 64)
	return out
}

func pairs(keys []string, h Heading) map[string]string {
	m := map[string]string{}
	for i, key := range keys {
		m[key] = h.Values[i]
	}
	return m
}
