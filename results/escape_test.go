package results

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"io"
	"regexp"
	"strings"
	"testing"
	"unicode"

	"plumb/internal/golden"
)

// payloads are names that some format would take for something else.
func payloads() []string {
	list := []string{
		`<script>alert(1)</script>`, `"><img src=x onerror=alert(1)>`, `</td></tr></table><svg onload=alert(1)>`, `' onmouseover='x`,
		`<!--`, `]]>`, `&lt;b&gt;`, `&#60;script&#62;`, `javascript:alert(1)`, `<a href="javascript:x">y</a>`, `</title><script>`, `</style>`,
		`=1+1`, `+1+1`, `-1+1`, `@SUM(A1)`, `=HYPERLINK("http://x","y")`, ` =1+1`, "\t=1", "\r=1", `'quoted`, `＝1+1`, `-2`, `1e5`, `+5`,
		`a|b`, `**bold**`, `_em_`, "`code`", `[x](http://evil)`, `![x](http://evil)`, `http://evil.example`, `www.evil.example`, `a@b.example`, `@user`, `#123`,
		`# heading`, `- list`, `~~gone~~`, `\`, `\\`, `a\|b`, `$x$`, `| --- |`, `<https://evil>`, `&amp;`,
		`\input{/etc/passwd}`, `\write18{ls}`, `a & b`, `100%`, `{`, `}`, `a_b`, `x^2`, `~`, `--flag`, `[opt]`, `\\[5pt]`, `\end{tabular}`, `"q"`, `?` + "`", `^^5c`,
		"\x1b[31mred", "\x1b]0;title\x07", "a\nb", "a\r\nb", "a\tb", "\x00", "\x7f", "\u0085", "\u202egnp.exe", "\u2066x", "\u200b", "\ufeff", "a\u2028b", "\x9b31m",
		"日本語", "é", "e\u0301", "🙂", "", " ", strings.Repeat("long ", 40),
	}
	for _, prefix := range []string{"=", "<b>", "|", "`", `\`, "%", "&", "_", "*", "[", "$", "{", "#", "~", "^"} {
		for _, middle := range []string{"x", "1+1", "\x1b[0m", "<i>", "a|b", "{y}", "*z*", "&amp;"} {
			list = append(list, prefix+middle+prefix)
		}
	}
	return list
}

// tableOf is a table with s in every field that a spec or a file can fill.
func tableOf(t *testing.T, s string) *Table {
	t.Helper()
	if s == "" {
		s = "empty"
	}
	s = strings.ToValidUTF8(s, "?")
	var records []Record
	for seed := range uint64(3) {
		ok := Record{Experiment: s, Trial: s, Seed: seed, Keys: map[string]string{"row" + s: s, "col": s + "2", "hidden": fmt.Sprint(s, seed)},
			Metric: s, Value: Number(0.5 + 0.01*float64(seed)), Unit: s, N: 10, Status: StatusOK, Note: s}
		bad := ok
		bad.Keys = map[string]string{"row" + s: s, "col": "other"}
		bad.Value, bad.Status = nil, StatusFailed
		records = append(records, ok, bad)
	}
	l := &layout{view: View{Title: s}, rows: []string{"row" + s}, cols: []string{"col"}, metrics: []string{s}, records: inOrder(records)}
	table, err := l.view.build(l, records, nil)
	if err != nil {
		t.Fatalf("%q: %v", s, err)
	}
	return table
}

func written(t *testing.T, table *Table, format string) string {
	t.Helper()
	var b bytes.Buffer
	if err := table.Write(&b, format, Style{}); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// TestNamesStayText puts hostile names into every field and reads every format
// back as its readers do.
func TestNamesStayText(t *testing.T) {
	checks := map[string]func(t *testing.T, s, out string){
		"text": checkText, "markdown": checkMarkdown, "html": checkHTML, "latex": checkLaTeX, "csv": checkCSV, "json": checkJSON,
	}
	for _, format := range Formats.Names() {
		check := checks[format]
		if check == nil {
			t.Fatalf("no check for the format %s; write one", format)
		}
		t.Run(format, func(t *testing.T) {
			for _, s := range payloads() {
				check(t, s, written(t, tableOf(t, s), format))
			}
		})
	}
}

func checkText(t *testing.T, s, out string) {
	for _, r := range out {
		if r != '\n' && !unicode.IsPrint(r) {
			t.Fatalf("%q: control character %U reaches the terminal", s, r)
		}
	}
}

// checkMarkdown looks at the table as GitHub's reader splits it, and for markup
// that is not escaped.
func checkMarkdown(t *testing.T, s, out string) {
	for _, line := range strings.Split(out, "\n") {
		if strings.HasPrefix(line, "|") && len(regexp.MustCompile(`(^|[^\\])\|`).FindAllString(strings.ReplaceAll(line, `\\`, ""), -1)) != 4 {
			t.Fatalf("%q: a row has not three cells: %s", s, line)
		}
	}
	text := out
	for _, ours := range []string{"<sup>", "</sup>", "**"} {
		text = strings.ReplaceAll(text, ours, "")
	}
	text = strings.ReplaceAll(text, `\\`, "")
	for _, pattern := range []string{`<`, "(^|[^\\\\])[`*\\[\\]~$]", `://`, `(?i)www\.`, `@`, `\x1b`} {
		if found := regexp.MustCompile(pattern).FindString(text); found != "" {
			t.Fatalf("%q: %q is live in\n%s", s, found, out)
		}
	}
}

// checkHTML parses the fragment strictly and lists its elements and attributes.
func checkHTML(t *testing.T, s, out string) {
	known := map[string]bool{"section": true, "h2": true, "div": true, "table": true, "thead": true, "tbody": true, "tr": true, "th": true, "td": true, "p": true, "sup": true, "b": true}
	decoder := xml.NewDecoder(strings.NewReader(out))
	for {
		token, err := decoder.Token()
		if err == io.EOF {
			return
		}
		if err != nil {
			t.Fatalf("%q: %v in\n%s", s, err, out)
		}
		element, ok := token.(xml.StartElement)
		if !ok {
			continue
		}
		if !known[element.Name.Local] {
			t.Fatalf("%q: an element %s", s, element.Name.Local)
		}
		for _, a := range element.Attr {
			if a.Name.Local != "class" && a.Name.Local != "style" {
				t.Fatalf("%q: an attribute %s", s, a.Name.Local)
			}
		}
	}
}

// checkLaTeX finds commands that are not ours and groups that do not close.
func checkLaTeX(t *testing.T, s, out string) {
	ours := map[string]bool{"begin": true, "end": true, "centering": true, "caption": true, "toprule": true, "midrule": true, "bottomrule": true,
		"textbf": true, "textsuperscript": true, "par": true, "medskip": true, "footnotesize": true,
		"textbackslash": true, "textasciitilde": true, "textasciicircum": true, "textless": true, "textgreater": true, "textbar": true, "textasciigrave": true,
		"pm": true, "times": true, "uparrow": true, "downarrow": true, "surd": true}
	for _, command := range regexp.MustCompile(`\\([a-zA-Z]+)`).FindAllStringSubmatch(strings.ReplaceAll(out, `\\`, ""), -1) {
		if !ours[command[1]] {
			t.Fatalf("%q: command \\%s in\n%s", s, command[1], out)
		}
	}
	bare := regexp.MustCompile(`\\[{}\\%&#$_]`).ReplaceAllString(out, "")
	if strings.Count(bare, "{") != strings.Count(bare, "}") || strings.Contains(bare, "%") || strings.Contains(bare, "#") || strings.Contains(bare, "^^") {
		t.Fatalf("%q: unbalanced or live characters in\n%s", s, out)
	}
	if begins := strings.Count(out, `\begin{`); begins != 2 || strings.Count(out, `\end{`) != 2 {
		t.Fatalf("%q: %d environments", s, begins)
	}
	for _, line := range strings.Split(out, "\n") {
		if strings.HasSuffix(line, ` \\`) && strings.Count(regexp.MustCompile(`\\&`).ReplaceAllString(line, ""), "&") != 2 {
			t.Fatalf("%q: a row has not three cells: %s", s, line)
		}
	}
}

// checkCSV reads the file back: no field is a formula, and the text is there.
func checkCSV(t *testing.T, s, out string) {
	lines, err := csv.NewReader(strings.NewReader(out)).ReadAll()
	if err != nil {
		t.Fatalf("%q: %v", s, err)
	}
	number := regexp.MustCompile(`^[-+]?[0-9.]+(e[-+]?[0-9]+)?$`)
	for _, line := range lines {
		for _, field := range line {
			if regexp.MustCompile(`^[ \t\r]*[=+\-@＝＋－＠]`).MatchString(field) && !number.MatchString(field) {
				t.Fatalf("%q: the field %q is a formula", s, field)
			}
		}
	}
	if s == "" {
		return
	}
	got := lines[1][1]
	if want := visible(strings.ToValidUTF8(s, "?")); got != want && got != "'"+want {
		t.Fatalf("%q came back as %q", s, got)
	}
}

func checkJSON(t *testing.T, s, out string) {
	for _, line := range strings.Split(strings.TrimSpace(out), "\n") {
		var cell cellJSON
		if err := json.Unmarshal([]byte(line), &cell); err != nil {
			t.Fatalf("%q: %v", s, err)
		}
		if want := strings.ToValidUTF8(s, "?"); s != "" && cell.Title != want {
			t.Fatalf("%q came back as %q", want, cell.Title)
		}
	}
}

func TestReport(t *testing.T) {
	records, items := sample()
	table, err := View{Metric: "winogrande/acc", Rows: "layers", Cols: "sharing"}.Table(records, items)
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	report := Report{Title: "Depth & <width>", About: []string{"What pays?"}, Sections: []Section{{Table: table, Figure: []byte(`<svg xmlns="http://www.w3.org/2000/svg"></svg>`)}}}
	if err := WriteReport(&b, report); err != nil {
		t.Fatal(err)
	}
	golden.Check(t, "testdata/report.golden", b.Bytes())
	for _, bad := range []string{"<p>", "<svg ><script>x</script></svg>"} {
		report.Sections[0].Figure = []byte(bad)
		if err := WriteReport(io.Discard, report); err == nil {
			t.Errorf("the figure %q was put into a page", bad)
		}
	}
	if regexp.MustCompile(`(?i)(src|href)\s*=|https?://[^w]`).Match(b.Bytes()) {
		t.Error("the page refers to something outside itself")
	}
}
