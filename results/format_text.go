package results

import (
	"fmt"
	"io"
	"strings"
	"unicode"

	"github.com/olekukonko/tablewriter"
	"github.com/olekukonko/tablewriter/renderer"
	"github.com/olekukonko/tablewriter/tw"
)

func init() { Formats.Add("text", writeText) }

// writeText is for terminals: the title, the table, the caption and the
// footnotes. Bold cells are bold when colour is asked for, and carry a star
// otherwise.
func writeText(w io.Writer, t *Table, style Style) error {
	emphasise := func(s string) string { return s + " *" }
	if style.Color {
		emphasise = func(s string) string { return "\x1b[1m" + s + "\x1b[0m" }
	}
	grid := t.grid(visible, emphasise, func(mark string) string { return " (" + mark + ")" })
	lines := renderer.NewBlueprint(tw.Rendition{
		Borders: tw.Border{Left: tw.Off, Right: tw.Off, Top: tw.On, Bottom: tw.On},
		Settings: tw.Settings{
			Separators: tw.Separators{BetweenColumns: tw.Off, BetweenRows: tw.Off},
		},
	})
	if _, err := fmt.Fprintf(w, "%s\n", visible(t.Title)); err != nil {
		return err
	}
	if err := render(w, grid, lines); err != nil {
		return err
	}
	_, err := io.WriteString(w, t.remarks(visible, "", "(%s) ", "\n", !style.Color))
	return err
}

// grid is the table as texts, the first row and column being the headings.
// Every text passes through escape; emphasise and mark add what it must not touch.
func (t *Table) grid(escape, emphasise, mark func(string) string) [][]string {
	head := []string{escape(t.Corner())}
	for j := range t.Cols {
		head = append(head, escape(t.ColLabel(j)))
	}
	grid := [][]string{head}
	for i := range t.Rows {
		line := []string{escape(t.RowLabel(i))}
		for _, c := range t.Cells[i] {
			text := escape(c.Text())
			if c.Bold() {
				text = emphasise(text)
			}
			if len(c.Marks) > 0 {
				text += mark(strings.Join(c.Marks, ","))
			}
			line = append(line, text)
		}
		grid = append(grid, line)
	}
	return grid
}

// remarks is the caption and the footnotes, one a line, each between start and
// end. The form of a mark is a format such as "(%s) ".
func (t *Table) remarks(escape func(string) string, start, mark, end string, starred bool) string {
	var b strings.Builder
	for _, line := range t.Caption {
		if starred {
			line = strings.Replace(line, "Bold: ", "*: ", 1)
		}
		b.WriteString(start + escape(line) + end)
	}
	for _, note := range t.Notes {
		b.WriteString(start)
		if note.Mark != "" {
			fmt.Fprintf(&b, mark, note.Mark)
		}
		b.WriteString(escape(note.Text) + end)
	}
	return b.String()
}

// render lets tablewriter lay out a grid, texts to the left and numbers to the right.
func render(w io.Writer, grid [][]string, form tw.Renderer) error {
	align := make([]tw.Align, len(grid[0]))
	for j := range align {
		align[j] = tw.AlignRight
	}
	align[0] = tw.AlignLeft
	table := tablewriter.NewTable(w, tablewriter.WithRenderer(form), tablewriter.WithConfig(tablewriter.Config{
		Header: tw.CellConfig{
			Formatting: tw.CellFormatting{AutoFormat: tw.Off, AutoWrap: tw.WrapNone},
			Alignment:  tw.CellAlignment{PerColumn: align},
		},
		Row: tw.CellConfig{
			Formatting: tw.CellFormatting{AutoFormat: tw.Off, AutoWrap: tw.WrapNone},
			Alignment:  tw.CellAlignment{PerColumn: align},
		},
	}))
	table.Header(grid[0])
	for _, row := range grid[1:] {
		if err := table.Append(row); err != nil {
			return err
		}
	}
	return table.Render()
}

// visible shows control characters and what would turn or hide the text as
// \u escapes, so that a name cannot steer a terminal.
func visible(s string) string {
	var b strings.Builder
	for _, r := range strings.ToValidUTF8(s, "\ufffd") {
		if r == ' ' || unicode.IsPrint(r) {
			b.WriteRune(r)
		} else {
			fmt.Fprintf(&b, "\\u%04x", r)
		}
	}
	return b.String()
}
