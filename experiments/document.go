package experiments

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/pelletier/go-toml/v2"
	"github.com/pelletier/go-toml/v2/unstable"
)

// A document is a TOML file as a tree of values, with the place of each value.
// Paths join keys and list indices with dots: view.1.rows.
type document struct {
	source string
	root   map[string]any
	places map[string]position
}

// A position is where a value was written.
type position struct {
	source    string
	line, col int
	as        string // path to show when it differs: a swept value stands under [sweep]
}

// parse reads a TOML 1.0 document. A syntax error is the only problem it can have.
func parse(source string, text []byte) (*document, error) {
	d := &document{source: source, root: map[string]any{}, places: map[string]position{}}
	if err := toml.Unmarshal(text, &d.root); err != nil {
		return nil, Problems{syntaxProblem(source, err)}
	}
	if deeper(d.root, mostNested) {
		return nil, Problems{{Source: source, Message: fmt.Sprintf("tables and lists are nested more than %d deep", mostNested)}}
	}
	d.locate(text)
	return d, nil
}

// mostNested is how deep the tables and lists of a spec may lie in each other.
const mostNested = 16

// deeper says that tables and lists are nested more than depth deep in value.
func deeper(value any, depth int) bool {
	switch v := value.(type) {
	case map[string]any:
		for _, inner := range v {
			if depth == 0 || deeper(inner, depth-1) {
				return true
			}
		}
	case []any:
		for _, inner := range v {
			if depth == 0 || deeper(inner, depth-1) {
				return true
			}
		}
	}
	return false
}

func syntaxProblem(source string, err error) Problem {
	p := Problem{Source: source, Message: strings.TrimPrefix(err.Error(), "toml: ")}
	var syntax *toml.DecodeError
	if errors.As(err, &syntax) {
		p.Line, p.Col = syntax.Position()
		p.Path = strings.Join(syntax.Key(), ".")
	}
	return p
}

// locate notes the line and column of every key and list element. The text has
// passed toml.Unmarshal, so the parser meets no error.
func (d *document) locate(text []byte) {
	var parser unstable.Parser
	parser.Reset(text)
	counts := map[string]int{} // elements of each array of tables so far
	table := ""
	for parser.NextExpression() {
		node := parser.Expression()
		switch node.Kind {
		case unstable.Table, unstable.ArrayTable:
			table = d.locateHeader(&parser, node, counts)
		case unstable.KeyValue:
			d.locateKeyValue(&parser, node, table)
		}
	}
}

// locateHeader notes [a.b] or [[a.b]] and returns the path that the following
// keys belong to. A name of an array of tables stands for its last element.
func (d *document) locateHeader(parser *unstable.Parser, node *unstable.Node, counts map[string]int) string {
	path := ""
	keys := node.Key()
	for keys.Next() {
		key := keys.Node()
		path = join(path, string(key.Data))
		d.note(path, parser, key)
		if keys.IsLast() && node.Kind == unstable.ArrayTable {
			counts[path]++
		}
		if n := counts[path]; n > 0 {
			path = join(path, strconv.Itoa(n-1))
			d.note(path, parser, key)
		}
	}
	return path
}

func (d *document) locateKeyValue(parser *unstable.Parser, node *unstable.Node, table string) {
	path := table
	var key *unstable.Node
	keys := node.Key()
	for keys.Next() {
		key = keys.Node()
		path = join(path, string(key.Data))
		d.note(path, parser, key)
	}
	d.locateValue(parser, node.Value(), key, path)
}

// locateValue notes what is inside a list or an inline table; near is the
// closest node with a known place.
func (d *document) locateValue(parser *unstable.Parser, value, near *unstable.Node, path string) {
	switch value.Kind {
	case unstable.Array:
		children, i := value.Children(), 0
		for children.Next() {
			child := children.Node()
			if child.Kind == unstable.Comment {
				continue
			}
			if child.Raw.Length > 0 {
				near = child
			}
			element := join(path, strconv.Itoa(i))
			d.note(element, parser, near)
			d.locateValue(parser, child, near, element)
			i++
		}
	case unstable.InlineTable:
		children := value.Children()
		for children.Next() {
			if child := children.Node(); child.Kind == unstable.KeyValue {
				d.locateKeyValue(parser, child, path)
			}
		}
	}
}

// note keeps the first place of a path.
func (d *document) note(path string, parser *unstable.Parser, node *unstable.Node) {
	if _, known := d.places[path]; known || node == nil {
		return
	}
	start := parser.Shape(node.Raw).Start
	d.places[path] = position{source: d.source, line: start.Line, col: start.Column}
}

// position returns where path was written, or the closest place above it.
func (d *document) position(path string) position {
	for {
		if p, ok := d.places[path]; ok {
			return p
		}
		cut := strings.LastIndexByte(path, '.')
		if cut < 0 {
			return position{source: d.source, line: 1, col: 1}
		}
		path = path[:cut]
	}
}

// has says whether the document gives a value at path.
func (d *document) has(path string) bool {
	_, ok := lookup(d.root, strings.Split(path, "."))
	return ok
}

func lookup(value any, keys []string) (any, bool) {
	for _, key := range keys {
		switch v := value.(type) {
		case map[string]any:
			next, ok := v[key]
			if !ok {
				return nil, false
			}
			value = next
		case []any:
			i, err := strconv.Atoi(key)
			if err != nil || i < 0 || i >= len(v) {
				return nil, false
			}
			value = v[i]
		default:
			return nil, false
		}
	}
	return value, true
}

// set replaces or adds the value at path, whose place becomes where. It fails
// where the path leads through something that is no table.
func (d *document) set(path string, value any, where position) error {
	root, err := assign(d.root, strings.Split(path, "."), value)
	if err != nil {
		return err
	}
	for old := range d.places {
		if old == path || strings.HasPrefix(old, path+".") {
			delete(d.places, old)
		}
	}
	d.root = root.(map[string]any)
	d.places[path] = where
	for i, c := range path { // tables that were not there before
		if _, known := d.places[path[:i]]; c == '.' && !known {
			d.places[path[:i]] = position{source: where.source, line: where.line, col: where.col}
		}
	}
	return nil
}

// assign returns tree with value at keys; the parts of tree on the way are
// copied, so documents that share them are unharmed.
func assign(tree any, keys []string, value any) (any, error) {
	if len(keys) == 0 {
		return value, nil
	}
	switch t := tree.(type) {
	case nil:
		return assign(map[string]any{}, keys, value)
	case map[string]any:
		t = maps.Clone(t)
		inner, err := assign(t[keys[0]], keys[1:], value)
		t[keys[0]] = inner
		return t, err
	case []any:
		i, err := strconv.Atoi(keys[0])
		if err != nil || i < 0 || i >= len(t) {
			return nil, fmt.Errorf("no element %s in a list of %d", keys[0], len(t))
		}
		t = slices.Clone(t)
		t[i], err = assign(t[i], keys[1:], value)
		return t, err
	}
	return nil, fmt.Errorf("%s is not below a table", keys[0])
}

// clone returns a copy that can be changed by set without touching d.
func (d *document) clone() *document {
	return &document{source: d.source, root: d.root, places: maps.Clone(d.places)}
}

func join(path, key string) string {
	switch {
	case path == "":
		return key
	case key == "":
		return path
	}
	return path + "." + key
}
