package results

import (
	"bytes"
	"html"
	"io"
	"strings"

	"github.com/olekukonko/tablewriter/renderer"
)

func init() { Formats.Add("html", writeHTML) }

// writeHTML writes a fragment: a section with a heading, the table, caption and
// footnotes. WriteReport makes a page of such fragments.
func writeHTML(w io.Writer, t *Table, _ Style) error {
	grid := t.grid(escapeHTML,
		func(s string) string { return "<b>" + s + "</b>" },
		func(mark string) string { return "<sup>" + mark + "</sup>" })
	var table bytes.Buffer
	if err := render(&table, grid, renderer.NewHTML(renderer.HTMLConfig{EscapeContent: false, TableClass: "results"})); err != nil {
		return err
	}
	parts := []string{
		"<section>\n<h2>", escapeHTML(t.Title), "</h2>\n",
		"<div class=\"wide\">\n", strings.TrimRight(table.String(), "\n"), "\n</div>\n",
		t.remarks(escapeHTML, `<p class="note">`, "<sup>%s</sup> ", "</p>\n", false),
		"</section>\n",
	}
	_, err := io.WriteString(w, strings.Join(parts, ""))
	return err
}

// escapeHTML makes s plain text in HTML, inside and outside of attributes.
func escapeHTML(s string) string {
	return strings.ReplaceAll(html.EscapeString(visible(s)), "`", "&#96;")
}
