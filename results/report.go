package results

import (
	"bytes"
	"crypto/sha256"
	_ "embed" // the style and the script of the page
	"encoding/base64"
	"fmt"
	"io"
	"strings"
)

//go:embed report.js
var reportScript string

//go:embed report.css
var reportStyle string

// A Report is a page of tables and figures in one file, which needs nothing
// from a network.
type Report struct {
	Title    string
	About    []string // paragraphs below the title
	Sections []Section
}

// A Section is a table, and the figure drawn from it where there is one.
type Section struct {
	Table  *Table
	Figure []byte // SVG as package plots makes it; it goes into the page as it is
}

// WriteReport writes r as HTML. Tables can be sorted by clicking a heading. The
// page's own rules allow its one script and its one style and nothing else, so
// that not even a fault in the escaping of a name could run anything.
func WriteReport(w io.Writer, r Report) error {
	var b bytes.Buffer
	b.WriteString("<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n")
	fmt.Fprintf(&b, "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-%s'; base-uri 'none'; form-action 'none'\">\n", scriptHash())
	b.WriteString("<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n")
	fmt.Fprintf(&b, "<title>%s</title>\n<style>\n%s</style>\n</head>\n<body>\n<h1>%s</h1>\n", escapeHTML(r.Title), reportStyle, escapeHTML(r.Title))
	for _, paragraph := range r.About {
		fmt.Fprintf(&b, "<p>%s</p>\n", escapeHTML(paragraph))
	}
	for _, s := range r.Sections {
		if err := s.write(&b); err != nil {
			return err
		}
	}
	fmt.Fprintf(&b, "<script>%s</script>\n</body>\n</html>\n", reportScript)
	_, err := w.Write(b.Bytes())
	return err
}

// write puts the figure behind the section's table.
func (s Section) write(b *bytes.Buffer) error {
	if s.Table != nil {
		if err := writeHTML(b, s.Table, Style{}); err != nil {
			return err
		}
	}
	if len(s.Figure) > 0 {
		if !bytes.HasPrefix(s.Figure, []byte("<svg ")) || bytes.Contains(bytes.ToLower(s.Figure), []byte("<script")) {
			return fmt.Errorf("a figure of the report is not a drawing by package plots: it begins with %.20q", s.Figure)
		}
		fmt.Fprintf(b, "<figure>\n%s\n</figure>\n", strings.TrimSpace(string(s.Figure)))
	}
	return nil
}

// scriptHash is how the page's rules name the one script that may run.
func scriptHash() string {
	sum := sha256.Sum256([]byte(reportScript))
	return base64.StdEncoding.EncodeToString(sum[:])
}
