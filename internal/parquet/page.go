package parquet

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
)

// Kinds of pages.
const (
	pageData       = 0
	pageIndex      = 1
	pageDictionary = 2
	pageDataV2     = 3
)

// A header is what stands before a page.
type header struct {
	kind, uncompressed, compressed int
	crc                            uint32
	hasCRC                         bool
	values, encoding               int
	defLevels, repLevels           int // their encodings
	defBytes, repBytes             int // of pages of version 2
	plainBody                      bool
}

// readHeader reads the header at the beginning of data and returns what follows.
func readHeader(data []byte) (header, []byte, error) {
	h := header{kind: -1, values: -1, encoding: -1, defLevels: encodingRLE, repLevels: encodingRLE}
	t := &thrift{data: data}
	t.fields(func(id int, kind byte) bool {
		switch {
		case id == 1 && kind == thriftI32:
			h.kind = t.int()
		case id == 2 && kind == thriftI32:
			h.uncompressed = t.int()
		case id == 3 && kind == thriftI32:
			h.compressed = t.int()
		case id == 4 && kind == thriftI32:
			h.crc, h.hasCRC = uint32(t.int()), true
		case (id == 5 || id == 7) && kind == thriftStruct:
			t.fields(h.read(t, map[int]*int{1: &h.values, 2: &h.encoding, 3: &h.defLevels, 4: &h.repLevels}))
		case id == 8 && kind == thriftStruct:
			t.fields(h.read(t, map[int]*int{1: &h.values, 4: &h.encoding, 5: &h.defBytes, 6: &h.repBytes}))
		default:
			return false
		}
		return true
	})
	return h, t.data, t.err
}

// read returns a reader of the fields of one kind of page.
func (h *header) read(t *thrift, numbers map[int]*int) func(id int, kind byte) bool {
	return func(id int, kind byte) bool {
		if id == 7 && kind == thriftFalse {
			h.plainBody = true
		}
		n := numbers[id]
		if n == nil || kind != thriftI32 {
			return false
		}
		*n = t.int()
		return true
	}
}

// A column reads the entries of one leaf in one row group. An entry is a value
// or a gap where there is none, with its levels.
type column struct {
	file  *file
	leaf  *node
	codec int
	rest  []byte // pages that are left
	left  int    // entries in them

	dictionary *dictionary
	inPage     int // entries left in the open page
	def, rep   *hybrid
	values     source
	held       int // bytes of the open page

	peeked         bool // the next entry's levels are known
	atDef, atRep   int
	dictionaryHeld int
}

// peek returns the levels of the next entry; rep is -1 at the end.
func (c *column) peek() (def, rep int, err error) {
	if c.peeked {
		return c.atDef, c.atRep, nil
	}
	for c.inPage == 0 {
		if c.left == 0 {
			return 0, -1, nil
		}
		if err := c.open(); err != nil {
			return 0, 0, c.named(err)
		}
	}
	if c.atRep, err = level(c.rep, c.leaf.rep); err != nil {
		return 0, 0, c.named(err)
	}
	if c.atDef, err = level(c.def, c.leaf.def); err != nil {
		return 0, 0, c.named(err)
	}
	c.inPage--
	c.peeked = true
	return c.atDef, c.atRep, nil
}

// level reads a level of at most most.
func level(h *hybrid, most int) (int, error) {
	if most == 0 {
		return 0, nil
	}
	v, err := h.next()
	if err == nil && v > uint32(most) {
		err = fmt.Errorf("a level of %d where %d is the most", v, most)
	}
	return int(v), err
}

// next takes the entry that peek has shown. A value is valid until the next.
func (c *column) next() (value []byte, err error) {
	c.peeked = false
	if c.atDef < c.leaf.def {
		return nil, nil
	}
	value, err = c.values.next()
	return value, c.named(err)
}

func (c *column) named(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("column %.40q: %w", c.leaf.name, err)
}

// close gives back what the column holds.
func (c *column) close() {
	c.file.held += c.held + c.dictionaryHeld
	c.held, c.dictionaryHeld = 0, 0
}

// open opens the next page.
func (c *column) open() error {
	if len(c.rest) == 0 {
		return fmt.Errorf("its pages end %d values too early", c.left)
	}
	h, rest, err := readHeader(c.rest)
	if err != nil {
		return err
	}
	if h.compressed < 0 || h.compressed > len(rest) || h.uncompressed < 0 || h.uncompressed > 1<<31 {
		return fmt.Errorf("a page of %d bytes where %d are left", h.compressed, len(rest))
	}
	body := rest[:h.compressed]
	c.rest = rest[h.compressed:]
	if h.hasCRC && crc32.ChecksumIEEE(body) != h.crc {
		return errors.New("the checksum of a page is wrong: the file is damaged")
	}
	switch h.kind {
	case pageDictionary:
		return c.openDictionary(h, body)
	case pageData, pageDataV2:
		return c.openData(h, body)
	case pageIndex:
		return nil
	}
	return fmt.Errorf("a page of unknown kind %d", h.kind)
}

func (c *column) openDictionary(h header, body []byte) error {
	if c.dictionary != nil {
		return errors.New("a second dictionary")
	}
	if h.encoding != encodingPlain && h.encoding != encodingPlainDictionary {
		return fmt.Errorf("a dictionary in encoding %d", h.encoding)
	}
	content, held, err := c.decompress(body, h.uncompressed)
	c.dictionaryHeld = held
	if err != nil {
		return err
	}
	offsets := 0
	if c.leaf.kind == typeByteArray && h.values > 0 {
		offsets = 4 * min(h.values+1, len(content)/4+1)
	}
	if err := c.file.spend(&c.file.held, offsets, "bytes of dictionaries"); err != nil {
		return err
	}
	c.dictionaryHeld += offsets
	c.dictionary, err = newDictionary(content, h.values, c.leaf.kind)
	return err
}

func (c *column) openData(h header, body []byte) error {
	c.file.held += c.held
	c.held, c.values = 0, nil
	if h.values < 0 || h.values > c.left {
		return fmt.Errorf("a page of %d values where %d are left", h.values, c.left)
	}
	if err := c.file.spend(&c.file.cells, h.values, "values"); err != nil {
		return err
	}
	c.left -= h.values
	c.inPage = h.values
	var levels []byte
	if h.kind == pageDataV2 {
		if h.defBytes < 0 || h.repBytes < 0 || h.defBytes > len(body) || h.repBytes > len(body)-h.defBytes ||
			h.uncompressed < h.defBytes+h.repBytes {
			return errRuns
		}
		n := h.defBytes + h.repBytes
		levels, body, h.uncompressed = body[:n], body[n:], h.uncompressed-n
	}
	content, err := body, error(nil)
	if h.kind == pageData || !h.plainBody {
		content, c.held, err = c.decompress(body, h.uncompressed)
	}
	if err != nil {
		return err
	}
	if h.kind == pageDataV2 {
		c.rep = &hybrid{data: levels[:h.repBytes], width: width(c.leaf.rep)}
		c.def = &hybrid{data: levels[h.repBytes:], width: width(c.leaf.def)}
	} else if content, err = c.openLevels(content, h); err != nil {
		return err
	}
	c.values, err = c.newSource(content, h)
	return err
}

// openLevels takes the levels from the beginning of a page of version 1.
func (c *column) openLevels(content []byte, h header) (rest []byte, err error) {
	if c.leaf.def > 0 && h.defLevels != encodingRLE || c.leaf.rep > 0 && h.repLevels != encodingRLE {
		return nil, errors.New("levels in an encoding that is out of use")
	}
	take := func(most int) *hybrid {
		if most == 0 || err != nil {
			return nil
		}
		if len(content) < 4 || uint64(binary.LittleEndian.Uint32(content)) > uint64(len(content)-4) {
			err = errRuns
			return nil
		}
		n := 4 + int(binary.LittleEndian.Uint32(content))
		h := &hybrid{data: content[4:n], width: width(most)}
		content = content[n:]
		return h
	}
	c.rep = take(c.leaf.rep)
	c.def = take(c.leaf.def)
	return content, err
}

// width is the number of bits that hold most.
func width(most int) int {
	n := 0
	for ; most > 0; most >>= 1 {
		n++
	}
	return n
}
