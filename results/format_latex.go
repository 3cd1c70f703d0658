package results

import (
	"io"
	"strings"
)

func init() { Formats.Add("latex", writeLaTeX) }

// writeLaTeX writes a table environment for the package booktabs, with the
// title as its caption and everything else below in \footnotesize.
func writeLaTeX(w io.Writer, t *Table, _ Style) error {
	grid := t.grid(escapeLaTeX,
		func(s string) string { return `\textbf{` + s + `}` },
		func(mark string) string { return `\textsuperscript{` + mark + `}` })
	var b strings.Builder
	b.WriteString("\\begin{table}\n\\centering\n")
	b.WriteString("\\caption{" + escapeLaTeX(t.Title) + "}\n")
	b.WriteString("\\begin{tabular}{l" + strings.Repeat("r", len(t.Cols)) + "}\n\\toprule\n")
	for i, row := range grid {
		b.WriteString(strings.Join(row, " & ") + ` \\` + "\n")
		if i == 0 {
			b.WriteString("\\midrule\n")
		}
	}
	b.WriteString("\\bottomrule\n\\end{tabular}\n")
	b.WriteString("\\par\\medskip\\footnotesize\n")
	b.WriteString(t.remarks(escapeLaTeX, "", `\textsuperscript{%s} `, "\\par\n", false))
	b.WriteString("\\end{table}\n")
	_, err := io.WriteString(w, b.String())
	return err
}

// latexSpecials are the characters that TeX does not print as they are, and
// some that its default fonts lack.
var latexSpecials = map[rune]string{
	'\\': `\textbackslash{}`, '{': `\{`, '}': `\}`, '$': `\$`, '&': `\&`, '#': `\#`, '%': `\%`, '_': `\_`,
	'~': `\textasciitilde{}`, '^': `\textasciicircum{}`, '<': `\textless{}`, '>': `\textgreater{}`, '|': `\textbar{}`,
	'"': `{''}`, '`': `\textasciigrave{}`, '[': `{[}`, ']': `{]}`,
	'±': `$\pm$`, '×': `$\times$`, '↑': `$\uparrow$`, '↓': `$\downarrow$`, '–': `--`, '²': `$^2$`, '√': `$\surd$`,
}

// escapeLaTeX makes s plain text in LaTeX. Brackets are braced, since the
// \\ of a row would take them for its optional argument.
func escapeLaTeX(s string) string {
	var b strings.Builder
	last := rune(0)
	for _, r := range visible(s) {
		if (r == '-' || r == '\'' || r == ',') && r == last {
			b.WriteString("{}") // no ligature: a flag keeps its two dashes
		}
		last = r
		if special, ok := latexSpecials[r]; ok {
			b.WriteString(special)
		} else {
			b.WriteRune(r)
		}
	}
	return b.String()
}
