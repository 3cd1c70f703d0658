package experiments

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// A Problem is one mistake in a spec and where it stands.
type Problem struct {
	Source  string // the file, or the --set argument
	Line    int    // 1-based; 0 where Source is not a file
	Col     int    // 1-based, in bytes
	Path    string // key with the indices of lists, such as view.1.rows
	Message string

	points []string // of the sweep, where the value is impossible at some and not at others
}

// String is source:line:col: path: message.
func (p Problem) String() string {
	var b strings.Builder
	b.WriteString(p.Source)
	if p.Line > 0 {
		fmt.Fprintf(&b, ":%d:%d", p.Line, p.Col)
	}
	if p.Path != "" {
		b.WriteString(": " + p.Path)
	}
	b.WriteString(": " + p.Message)
	switch n := len(p.points); {
	case n == 1:
		fmt.Fprintf(&b, " (at %s)", p.points[0])
	case n > 1:
		fmt.Fprintf(&b, " (at %s and %d more)", p.points[0], n-1)
	}
	return b.String()
}

// same says whether two problems differ at most in where in the sweep they show.
func (p Problem) same(q Problem) bool {
	return p.Source == q.Source && p.Line == q.Line && p.Col == q.Col && p.Path == q.Path && p.Message == q.Message
}

// Problems are all mistakes of one spec, in the order of its lines. They are
// the error that Load returns.
type Problems []Problem

// Error lists the problems, one to a line.
func (p Problems) Error() string {
	lines := make([]string, len(p))
	for i, problem := range p {
		lines[i] = problem.String()
	}
	return strings.Join(lines, "\n")
}

// mostProblems is how many mistakes are named; what else is wrong shows when these
// are mended.
const mostProblems = 100

// report collects problems while a document is checked.
type report struct {
	doc   *document
	found Problems
	bad   map[string]bool // paths that have a problem already
	lost  []string        // settings that an axis would vary, had it values
}

func newReport(doc *document) *report {
	return &report{doc: doc, bad: map[string]bool{}}
}

// at adds a problem about the value at path. A second problem of the same
// value is dropped: it mostly follows from the first.
func (r *report) at(path, format string, args ...any) {
	where := r.doc.position(path)
	shown := path
	if where.as != "" {
		shown = where.as
	}
	r.bad[path] = true
	if len(r.found) > mostProblems {
		return
	}
	p := Problem{Source: where.source, Line: where.line, Col: where.col, Path: shown, Message: fmt.Sprintf(format, args...)}
	for _, known := range r.found {
		if known.Source == p.Source && known.Line == p.Line && known.Col == p.Col && known.Path == p.Path {
			return
		}
	}
	if len(r.found) == mostProblems {
		p = Problem{Source: r.doc.source, Message: fmt.Sprintf("more than %d mistakes; the others are not named", mostProblems)}
	}
	r.found = append(r.found, p)
}

// ok says that nothing at path, above it or below it has a problem so far.
func (r *report) ok(path string) bool {
	for bad := range r.bad {
		if bad == path || strings.HasPrefix(bad, path+".") || strings.HasPrefix(path, bad+".") {
			return false
		}
	}
	return true
}

// merge adds the problems that another report found at a point of the sweep.
func (r *report) merge(other *report, point string) {
	for path := range other.bad {
		r.bad[path] = true
	}
	for _, p := range other.found {
		i := slices.IndexFunc(r.found, p.same)
		if i < 0 {
			i = len(r.found)
			r.found = append(r.found, p)
		}
		r.found[i].points = append(r.found[i].points, point)
	}
}

// everywhere forgets where those problems show that no choice of the sweep
// avoids: of a swept value, those at every point that has it.
func (r *report) everywhere(points []point) {
	having := map[string]int{}
	for _, p := range points {
		for _, c := range p.chosen {
			having[c.at]++
		}
	}
	for i, p := range r.found {
		if n := cmp.Or(having[p.Path], len(points)); len(p.points) == n {
			r.found[i].points = nil
		}
	}
}

// err returns the problems in the order of their lines, or nil.
func (r *report) err() error {
	if len(r.found) == 0 {
		return nil
	}
	slices.SortStableFunc(r.found, func(a, b Problem) int {
		return cmp.Or(cmp.Compare(a.Source, b.Source), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Col, b.Col))
	})
	return r.found
}
