package parquet

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"strconv"
	"unicode/utf8"
)

// An assembler puts the entries of columns together to rows. It follows the
// levels: an entry's definition level says how much of the path to the leaf is
// there, its repetition level which list it continues (Melnik et al. 2010,
// "Dremel", section 4).
type assembler struct {
	columns []*column
	out     []byte
}

var errLevels = errors.New("the levels of columns contradict each other")

// row returns the next row as a JSON object.
func (a *assembler) row(root *node) ([]byte, error) {
	a.out = a.out[:0]
	for _, c := range a.columns {
		if _, rep, err := c.peek(); err != nil || rep != 0 {
			return nil, c.named(orError(err, errors.New("it has no values for this row")))
		}
	}
	err := a.content(root)
	return a.out, err
}

// end checks that nothing is left behind the last row.
func (a *assembler) end() error {
	for _, c := range a.columns {
		if _, rep, err := c.peek(); err != nil || rep >= 0 {
			return c.named(orError(err, errors.New("it has values behind the last row")))
		}
	}
	return nil
}

// orError returns err or, where that is nil, other.
func orError(err, other error) error {
	if err != nil {
		return err
	}
	return other
}

// value appends the value of n: null and an empty list where there is none.
func (a *assembler) value(n *node) error {
	def, _, err := a.columns[n.first].peek()
	if err != nil {
		return err
	}
	if n.repeats == repeated {
		return a.list(n, n, def)
	}
	if def < n.def {
		a.out = append(a.out, "null"...)
		return a.gap(n, n.def)
	}
	if n.list {
		inner := n.children[0]
		return a.list(inner, elementOf(n, inner), def)
	}
	return a.content(n)
}

// elementOf returns what a list holds: the one field of its repeated group in
// the form that is written today, the group or the leaf itself in older ones.
func elementOf(list, inner *node) *node {
	if len(inner.children) != 1 || inner.name == "array" || inner.name == list.name+"_tuple" {
		return inner
	}
	return inner.children[0]
}

// list appends the values of element, which repeat as n does.
func (a *assembler) list(n, element *node, def int) error {
	a.out = append(a.out, '[')
	if def < n.def {
		a.out = append(a.out, ']')
		return a.gap(n, n.def)
	}
	for more := true; more; {
		var err error
		if element == n {
			err = a.content(n)
		} else {
			err = a.value(element)
		}
		if err != nil {
			return err
		}
		if len(a.out) > maxRow {
			return fmt.Errorf("more than %d bytes", maxRow)
		}
		if more, err = a.repeats(n); err != nil {
			return err
		}
		if more {
			a.out = append(a.out, ',')
		}
	}
	a.out = append(a.out, ']')
	return nil
}

// repeats says whether another value of n follows in the same list. All leaves
// of n must say the same.
func (a *assembler) repeats(n *node) (more bool, err error) {
	for i, c := range a.columns[n.first:n.end] {
		def, rep, err := c.peek()
		if err != nil {
			return false, err
		}
		again := rep == n.rep
		if i > 0 && again != more || rep > n.rep || again && def < n.def {
			return false, c.named(errLevels)
		}
		more = again
	}
	return more, nil
}

// gap takes the one entry that each leaf of n has for a missing n.
func (a *assembler) gap(n *node, missing int) error {
	if !n.leaf() {
		for _, child := range n.children {
			if err := a.gap(child, missing); err != nil {
				return err
			}
		}
		return nil
	}
	c := a.columns[n.first]
	def, rep, err := c.peek()
	if err != nil || rep < 0 || def >= missing {
		return c.named(orError(err, errLevels))
	}
	_, err = c.next()
	return err
}

// content appends a value of n that is there.
func (a *assembler) content(n *node) error {
	if n.leaf() {
		return a.scalar(n)
	}
	a.out = append(a.out, '{')
	for i, child := range n.children {
		if i > 0 {
			a.out = append(a.out, ',')
		}
		a.out = append(a.out, child.key...)
		if err := a.value(child); err != nil {
			return err
		}
		if len(a.out) > maxRow {
			return fmt.Errorf("more than %d bytes", maxRow)
		}
	}
	a.out = append(a.out, '}')
	return nil
}

// scalar appends a number, a bool or a text.
func (a *assembler) scalar(n *node) error {
	c := a.columns[n.first]
	def, rep, err := c.peek()
	if err != nil || rep < 0 || def != n.def {
		return c.named(orError(err, errLevels))
	}
	v, err := c.next()
	if err != nil {
		return err
	}
	switch n.kind {
	case typeBool:
		a.out = strconv.AppendBool(a.out, v[0] != 0)
	case typeInt32:
		a.integer(int64(int32(binary.LittleEndian.Uint32(v))), uint64(binary.LittleEndian.Uint32(v)), n.unsigned)
	case typeInt64:
		u := binary.LittleEndian.Uint64(v)
		a.integer(int64(u), u, n.unsigned)
	case typeFloat:
		return a.float(float64(math.Float32frombits(binary.LittleEndian.Uint32(v))), 32)
	case typeDouble:
		return a.float(math.Float64frombits(binary.LittleEndian.Uint64(v)), 64)
	default:
		return c.named(a.text(v))
	}
	return nil
}

func (a *assembler) integer(signed int64, unsigned uint64, isUnsigned bool) {
	if isUnsigned {
		a.out = strconv.AppendUint(a.out, unsigned, 10)
		return
	}
	a.out = strconv.AppendInt(a.out, signed, 10)
}

// float appends v; what JSON has no number for becomes null.
func (a *assembler) float(v float64, bits int) error {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		a.out = append(a.out, "null"...)
		return nil
	}
	a.out = strconv.AppendFloat(a.out, v, 'g', -1, bits)
	return nil
}

func (a *assembler) text(v []byte) error {
	if len(v) > maxRow {
		return fmt.Errorf("a text of %d bytes; a row may have %d", len(v), maxRow)
	}
	if !utf8.Valid(v) {
		return fmt.Errorf("%.20q is not UTF-8 text", v)
	}
	a.out = appendQuoted(a.out, string(v))
	return nil
}
