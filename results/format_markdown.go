package results

import (
	"io"
	"strings"
	"unicode"

	"github.com/olekukonko/tablewriter/renderer"
)

func init() { Formats.Add("markdown", writeMarkdown) }

// writeMarkdown writes a GitHub table with its title as a bold line above and
// the caption and footnotes below.
func writeMarkdown(w io.Writer, t *Table, _ Style) error {
	grid := t.grid(EscapeMarkdown,
		func(s string) string { return "**" + s + "**" },
		func(mark string) string { return " <sup>" + mark + "</sup>" })
	if _, err := io.WriteString(w, "**"+EscapeMarkdown(t.Title)+"**\n\n"); err != nil {
		return err
	}
	if err := render(w, grid, renderer.NewMarkdown()); err != nil {
		return err
	}
	_, err := io.WriteString(w, "\n"+t.remarks(EscapeMarkdown, "", "<sup>%s</sup> ", "  \n", false))
	return err
}

// EscapeMarkdown makes s plain text in GitHub's Markdown: no markup, no second
// column, no HTML, no link that makes itself, no mention.
func EscapeMarkdown(s string) string {
	runes := []rune(visible(s))
	var b strings.Builder
	for i, r := range runes {
		if i == 0 && (r == '-' || r == '+' || r == '=') {
			b.WriteByte('\\') // no list, no underlining
		}
		switch r {
		case '<':
			b.WriteString("&lt;")
		case '>':
			b.WriteString("&gt;")
		case '&':
			b.WriteString("&amp;")
		case '@', '#':
			b.WriteString(map[rune]string{'@': "&#64;", '#': "&#35;"}[r])
		case ':':
			if i+1 < len(runes) && runes[i+1] == '/' {
				b.WriteString("&#58;")
			} else {
				b.WriteRune(r)
			}
		case '.':
			if i >= 3 && strings.EqualFold(string(runes[i-3:i]), "www") {
				b.WriteString("&#46;")
			} else {
				b.WriteRune(r)
			}
		case '_':
			if !inWord(runes, i) {
				b.WriteByte('\\')
			}
			b.WriteRune(r)
		case '\\', '|', '`', '*', '[', ']', '~', '$':
			b.WriteByte('\\')
			b.WriteRune(r)
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}

// inWord says whether the rune at i stands between letters or digits, where
// an underscore is no markup.
func inWord(runes []rune, i int) bool {
	wordy := func(r rune) bool { return unicode.IsLetter(r) || unicode.IsDigit(r) }
	return i > 0 && i+1 < len(runes) && wordy(runes[i-1]) && wordy(runes[i+1])
}
