package parquet

import (
	"encoding/binary"
	"errors"
)

// Types of Thrift's compact protocol, in which footers and page headers are
// written (thrift/doc/specs/thrift-compact-protocol.md).
const (
	thriftTrue   = 1
	thriftFalse  = 2
	thriftByte   = 3
	thriftI16    = 4
	thriftI32    = 5
	thriftI64    = 6
	thriftDouble = 7
	thriftBinary = 8
	thriftList   = 9
	thriftSet    = 10
	thriftMap    = 11
	thriftStruct = 12
)

var errThrift = errors.New("the description of the content is damaged")

// A thrift reads one value after the other. After the first error all values
// are zero and err stays.
type thrift struct {
	data  []byte // what is left
	depth int
	err   error
}

func (t *thrift) fail() {
	t.err = errThrift
	t.data = nil
}

func (t *thrift) byte() byte {
	if len(t.data) == 0 {
		t.fail()
		return 0
	}
	b := t.data[0]
	t.data = t.data[1:]
	return b
}

func (t *thrift) uvarint() uint64 {
	v, n := binary.Uvarint(t.data)
	if n <= 0 {
		t.fail()
		return 0
	}
	t.data = t.data[n:]
	return v
}

// int reads a whole number of any width.
func (t *thrift) int() int {
	v := t.uvarint()
	return int(v>>1) ^ -int(v&1)
}

func (t *thrift) text() string {
	n := t.uvarint()
	if n > uint64(len(t.data)) {
		t.fail()
		return ""
	}
	s := string(t.data[:n])
	t.data = t.data[n:]
	return s
}

// list reads the head of a list: how many elements of which type follow. Each
// has at least one byte.
func (t *thrift) list() (n int, kind byte) {
	head := t.byte()
	size := uint64(head >> 4)
	if size == 15 {
		size = t.uvarint()
	}
	if size > uint64(len(t.data)) {
		t.fail()
		return 0, 0
	}
	return int(size), head & 15
}

// each calls do for each element of a list of structs.
func (t *thrift) each(do func()) {
	n, kind := t.list()
	if n > 0 && kind != thriftStruct {
		t.fail()
	}
	for range n {
		if t.err != nil {
			return
		}
		do()
	}
}

// fields reads a struct. It calls do for each field, with its number and type;
// do returns false for one that it has not read, which is then skipped.
func (t *thrift) fields(do func(id int, kind byte) bool) {
	if t.depth++; t.depth > maxDepth {
		t.fail()
	}
	id := 0
	for t.err == nil {
		head := t.byte()
		if head == 0 {
			break
		}
		if step := int(head >> 4); step > 0 {
			id += step
		} else {
			id = t.int()
		}
		if t.err == nil && !do(id, head&15) {
			t.skip(head & 15)
		}
	}
	t.depth--
}

// skip reads a value of the given type without a use for it.
func (t *thrift) skip(kind byte) {
	switch kind {
	case thriftTrue, thriftFalse: // the type is the value
	case thriftByte:
		t.byte()
	case thriftI16, thriftI32, thriftI64:
		t.uvarint()
	case thriftDouble:
		for range 8 {
			t.byte()
		}
	case thriftBinary:
		t.text()
	case thriftList, thriftSet:
		n, element := t.list()
		for range n {
			t.skipElement(element)
		}
	case thriftStruct:
		t.fields(func(int, byte) bool { return false })
	default: // maps are in no field of the format
		t.fail()
	}
}

// skipElement skips an element of a list, where a bool has a byte of its own.
func (t *thrift) skipElement(kind byte) {
	if t.depth++; t.depth > maxDepth {
		t.fail()
	}
	if kind == thriftTrue || kind == thriftFalse {
		kind = thriftByte
	}
	if t.err == nil {
		t.skip(kind)
	}
	t.depth--
}
