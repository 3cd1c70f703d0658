package parquet

import (
	"errors"
	"fmt"
	"slices"
	"unicode/utf8"
)

// Physical types, as the format numbers them.
const (
	typeBool      = 0
	typeInt32     = 1
	typeInt64     = 2
	typeFloat     = 4
	typeDouble    = 5
	typeByteArray = 6
)

// How often a field is there.
const (
	required = 0
	optional = 1
	repeated = 2
)

// Of the older notes on a type, those that change how it is read.
const (
	convertedList   = 3
	convertedUint8  = 11
	convertedUint64 = 14
)

// A node is a field of the schema.
type node struct {
	name     string
	key      []byte // `"name":`
	repeats  int    // required, optional or repeated
	kind     int    // physical type of a leaf
	unsigned bool
	list     bool // children are those of the three-level form of a list
	children []*node
	first    int // number of its first leaf
	end      int // number of the leaf behind its last

	def, rep int // levels at which a value of it is there
}

func (n *node) leaf() bool { return len(n.children) == 0 }

// A rowGroup is where some rows are.
type rowGroup struct {
	rows   int
	chunks []chunk // of each leaf
}

// A chunk is where the values of one leaf are.
type chunk struct {
	kind, codec, values          int
	dictionary, data, compressed int // offsets in the file, and bytes
	elsewhere                    bool
	bytes                        []byte
}

// An element is a line of the schema: a field, after which its children stand.
type element struct {
	node
	children  int
	hasKind   bool
	converted int
}

func (f *file) readFooter(footer []byte) error {
	t := &thrift{data: footer}
	var elements []element
	chunks := 0
	t.fields(func(id int, kind byte) bool {
		switch {
		case id == 2 && kind == thriftList:
			t.each(func() {
				if elements = append(elements, readElement(t)); len(elements) > 4*maxColumns {
					t.fail()
				}
			})
		case id == 4 && kind == thriftList:
			t.each(func() {
				g := readRowGroup(t)
				if chunks += 1 + len(g.chunks); chunks > maxChunks {
					t.fail()
				}
				f.groups = append(f.groups, g)
			})
		default:
			return false
		}
		return true
	})
	if t.err != nil {
		return t.err
	}
	if err := f.makeSchema(elements); err != nil {
		return err
	}
	return f.locate()
}

func readElement(t *thrift) element {
	e := element{converted: -1}
	t.fields(func(id int, kind byte) bool {
		switch {
		case id == 1 && kind == thriftI32:
			e.kind, e.hasKind = t.int(), true
		case id == 3 && kind == thriftI32:
			e.repeats = t.int()
		case id == 4 && kind == thriftBinary:
			e.name = t.text()
		case id == 5 && kind == thriftI32:
			e.children = t.int()
		case id == 6 && kind == thriftI32:
			e.converted = t.int()
		case id == 10 && kind == thriftStruct:
			readLogical(t, &e)
		default:
			return false
		}
		return true
	})
	e.list = e.list || e.converted == convertedList
	e.unsigned = e.unsigned || convertedUint8 <= e.converted && e.converted <= convertedUint64
	return e
}

// readLogical reads the newer note on a type, of which exactly one member is set.
func readLogical(t *thrift, e *element) {
	t.fields(func(id int, kind byte) bool {
		switch {
		case id == 3:
			e.list = true
		case id == 10 && kind == thriftStruct: // INTEGER: bits, signed
			t.fields(func(id int, kind byte) bool {
				e.unsigned = e.unsigned || id == 2 && kind == thriftFalse
				return false
			})
			return true
		}
		return false
	})
}

func readRowGroup(t *thrift) rowGroup {
	var g rowGroup
	t.fields(func(id int, kind byte) bool {
		switch {
		case id == 1 && kind == thriftList:
			t.each(func() {
				if g.chunks = append(g.chunks, readChunk(t)); len(g.chunks) > maxColumns {
					t.fail()
				}
			})
		case id == 3 && kind == thriftI64:
			g.rows = t.int()
		default:
			return false
		}
		return true
	})
	return g
}

func readChunk(t *thrift) chunk {
	c := chunk{kind: -1}
	t.fields(func(id int, kind byte) bool {
		switch {
		case id == 1 && kind == thriftBinary:
			c.elsewhere = t.text() != ""
		case id == 3 && kind == thriftStruct:
			t.fields(c.readMetadata(t))
		default:
			return false
		}
		return true
	})
	return c
}

// readMetadata returns a reader of the fields of a column's description.
func (c *chunk) readMetadata(t *thrift) func(id int, kind byte) bool {
	numbers := map[int]*int{1: &c.kind, 4: &c.codec, 5: &c.values, 7: &c.compressed, 9: &c.data, 11: &c.dictionary}
	return func(id int, kind byte) bool {
		n := numbers[id]
		if n == nil || kind != thriftI32 && kind != thriftI64 {
			return false
		}
		*n = t.int()
		return true
	}
}

// makeSchema makes a tree of the elements, which stand in the order of a walk
// through it.
func (f *file) makeSchema(elements []element) error {
	if len(elements) == 0 {
		return errors.New("no schema")
	}
	elements[0].repeats, elements[0].list = required, false
	rest := elements
	root, err := f.makeNode(&rest, &node{}, 0)
	if err != nil {
		return err
	}
	f.root = root
	switch {
	case len(rest) > 0:
		return fmt.Errorf("%d fields of the schema belong to nothing", len(rest))
	case root.leaf():
		return errors.New("no columns")
	case len(f.leaves) > maxColumns:
		return fmt.Errorf("%d columns; at most %d are read", len(f.leaves), maxColumns)
	}
	return nil
}

// makeNode takes a field and all below it from rest.
func (f *file) makeNode(rest *[]element, parent *node, depth int) (*node, error) {
	if len(*rest) == 0 || depth > maxDepth {
		return nil, fmt.Errorf("the schema ends within a field, or has fields in fields more than %d deep", maxDepth)
	}
	e := (*rest)[0]
	*rest = (*rest)[1:]
	n := e.node
	n.def, n.rep, n.first = parent.def, parent.rep, len(f.leaves)
	switch n.repeats {
	case required:
	case repeated:
		n.def, n.rep = n.def+1, n.rep+1
	case optional:
		n.def++
	default:
		return nil, fmt.Errorf("field %.40q is neither required, optional nor repeated (%d)", n.name, n.repeats)
	}
	if !utf8.ValidString(n.name) {
		return nil, fmt.Errorf("the name %.40q is not UTF-8", n.name)
	}
	n.key = append(appendQuoted(nil, n.name), ':')
	if e.children == 0 && e.hasKind {
		f.leaves = append(f.leaves, &n)
		n.end = len(f.leaves)
		return &n, checkLeaf(&n)
	}
	if e.children <= 0 || e.children > len(*rest) || e.hasKind {
		return nil, fmt.Errorf("field %.40q has %d fields below it, of %d that follow", n.name, e.children, len(*rest))
	}
	for range e.children {
		child, err := f.makeNode(rest, &n, depth+1)
		if err != nil {
			return nil, err
		}
		if slices.ContainsFunc(n.children, func(c *node) bool { return c.name == child.name }) {
			return nil, fmt.Errorf("field %.40q is there twice", child.name)
		}
		n.children = append(n.children, child)
	}
	n.end = len(f.leaves)
	n.list = n.list && len(n.children) == 1 && n.children[0].repeats == repeated && n.repeats != repeated
	return &n, nil
}

// checkLeaf refuses types that have no place in a table of text.
func checkLeaf(n *node) error {
	n.list = false
	switch n.kind {
	case typeBool, typeInt32, typeInt64, typeFloat, typeDouble, typeByteArray:
		return nil
	}
	return fmt.Errorf("column %.40q has the type %d, which is not read (INT96 is 3, FIXED_LEN_BYTE_ARRAY is 7)", n.name, n.kind)
}

// locate checks where row groups say their values are.
func (f *file) locate() error {
	for i := range f.groups {
		g := &f.groups[i]
		if g.rows < 0 || len(g.chunks) != len(f.leaves) {
			return fmt.Errorf("row group %d has %d rows and %d columns, of %d", i, g.rows, len(g.chunks), len(f.leaves))
		}
		for j := range g.chunks {
			if err := f.locateChunk(&g.chunks[j], f.leaves[j]); err != nil {
				return fmt.Errorf("row group %d, column %.40q: %w", i, f.leaves[j].name, err)
			}
		}
	}
	return nil
}

func (f *file) locateChunk(c *chunk, leaf *node) error {
	start := c.data
	if c.dictionary > 0 && c.dictionary < start {
		start = c.dictionary
	}
	switch {
	case c.elsewhere:
		return errors.New("its values are in another file")
	case c.kind != leaf.kind:
		return fmt.Errorf("type %d, where the schema has %d", c.kind, leaf.kind)
	case c.values < 0:
		return fmt.Errorf("%d values", c.values)
	case start < len(magic) || start > len(f.data) || c.compressed < 0 || c.compressed > len(f.data)-start:
		return fmt.Errorf("%d bytes from %d on, in a file with %d bytes of values", c.compressed, start, len(f.data))
	}
	c.bytes = f.data[start : start+c.compressed]
	return nil
}
