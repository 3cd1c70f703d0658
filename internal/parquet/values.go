package parquet

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// Encodings, as the format numbers them.
const (
	encodingPlain           = 0
	encodingPlainDictionary = 2
	encodingRLE             = 3
	encodingDelta           = 5
	encodingDeltaLength     = 6
	encodingDeltaBytes      = 7
	encodingRLEDictionary   = 8
)

var errValues = errors.New("the values of a page end too early")

// A source yields the values of a page one after the other: little-endian
// numbers, one byte for a bool, the bytes of a text.
type source interface {
	next() ([]byte, error)
}

// newSource returns the values of a page.
func (c *column) newSource(content []byte, h header) (source, error) {
	switch {
	case h.encoding == encodingPlain:
		return plain(content, c.leaf.kind), nil
	case h.encoding == encodingPlainDictionary || h.encoding == encodingRLEDictionary:
		return c.newIndexed(content)
	case h.encoding == encodingRLE && c.leaf.kind == typeBool:
		if len(content) < 4 {
			return nil, errValues
		}
		return &runs{hybrid: hybrid{data: content[4:], width: 1}}, nil
	case h.encoding == encodingDelta && (c.leaf.kind == typeInt32 || c.leaf.kind == typeInt64):
		d, err := newDelta(content)
		return &differences{delta: d, width: numberBytes(c.leaf.kind)}, err
	case h.encoding == encodingDeltaLength && c.leaf.kind == typeByteArray:
		return newLengths(content, h.values)
	case h.encoding == encodingDeltaBytes && c.leaf.kind == typeByteArray:
		return newFrontCoded(content, h.values)
	}
	return nil, fmt.Errorf("encoding %d is not read; write the file again with plain or dictionary encoding", h.encoding)
}

// numberBytes is the size of a number in plain encoding.
func numberBytes(kind int) int {
	if kind == typeInt64 || kind == typeDouble {
		return 8
	}
	return 4
}

// plain returns the source of values that stand one after the other.
func plain(content []byte, kind int) source {
	switch kind {
	case typeByteArray:
		return &texts{content}
	case typeBool:
		return &packedBools{data: content}
	}
	return &numbers{content, numberBytes(kind)}
}

// numbers are of a fixed size.
type numbers struct {
	data []byte
	size int
}

func (s *numbers) next() ([]byte, error) {
	if len(s.data) < s.size {
		return nil, errValues
	}
	v := s.data[:s.size]
	s.data = s.data[s.size:]
	return v, nil
}

// texts stand each behind its length.
type texts struct{ data []byte }

func (s *texts) next() ([]byte, error) {
	if len(s.data) < 4 {
		return nil, errValues
	}
	n := uint64(binary.LittleEndian.Uint32(s.data))
	if n > uint64(len(s.data)-4) {
		return nil, errValues
	}
	v := s.data[4 : 4+n]
	s.data = s.data[4+n:]
	return v, nil
}

// packedBools are a bit each.
type packedBools struct {
	data []byte
	bit  int
	out  [1]byte
}

func (s *packedBools) next() ([]byte, error) {
	if s.bit >= 8*len(s.data) {
		return nil, errValues
	}
	s.out[0] = byte(bits(s.data, s.bit, 1))
	s.bit++
	return s.out[:], nil
}

// runs are bools as runs.
type runs struct {
	hybrid
	out [1]byte
}

func (s *runs) next() ([]byte, error) {
	v, err := s.hybrid.next()
	s.out[0] = byte(v)
	return s.out[:], err
}

// differences are whole numbers.
type differences struct {
	*delta
	width int
	out   [8]byte
}

func (s *differences) next() ([]byte, error) {
	v, err := s.delta.next()
	binary.LittleEndian.PutUint64(s.out[:], uint64(v))
	return s.out[:s.width], err
}

// lengths are texts that stand behind the lengths of all of them.
type lengths struct {
	*delta
	data []byte
}

func newLengths(content []byte, values int) (*lengths, error) {
	d, data, err := splitDelta(content, values)
	return &lengths{d, data}, err
}

// splitDelta returns the numbers at the beginning of content, and what is
// behind them. There must not be more than values.
func splitDelta(content []byte, values int) (*delta, []byte, error) {
	skipped, err := newDelta(content)
	if err != nil {
		return nil, nil, err
	}
	if skipped.left > values {
		return nil, nil, errDelta
	}
	d := *skipped
	for skipped.left > 0 {
		if _, err := skipped.next(); err != nil {
			return nil, nil, err
		}
	}
	return &d, skipped.data, nil
}

func (s *lengths) next() ([]byte, error) {
	n, err := s.delta.next()
	if err != nil || n < 0 || n > int64(len(s.data)) {
		return nil, errValues
	}
	v := s.data[:n]
	s.data = s.data[n:]
	return v, nil
}

// frontCoded texts each begin with as many bytes of the one before as a number
// says, and go on with a text of their own.
type frontCoded struct {
	shared *delta
	own    *lengths
	last   []byte
}

func newFrontCoded(content []byte, values int) (source, error) {
	shared, content, err := splitDelta(content, values)
	if err != nil {
		return nil, err
	}
	own, err := newLengths(content, values)
	return &frontCoded{shared: shared, own: own}, err
}

func (s *frontCoded) next() ([]byte, error) {
	n, err := s.shared.next()
	if err != nil || n < 0 || n > int64(len(s.last)) {
		return nil, errValues
	}
	rest, err := s.own.next()
	s.last = append(s.last[:n], rest...)
	return s.last, err
}

// A dictionary is the distinct values of a column.
type dictionary struct {
	content []byte
	count   int
	size    int      // of a number
	offsets []uint32 // of texts: where each begins, behind its length
}

func newDictionary(content []byte, count, kind int) (*dictionary, error) {
	d := &dictionary{content: content, count: count, size: numberBytes(kind)}
	if kind == typeBool || count < 0 || count > len(content)/4 || kind != typeByteArray && count > len(content)/d.size {
		return nil, fmt.Errorf("a dictionary of %d values in %d bytes", count, len(content))
	}
	if kind != typeByteArray {
		return d, nil
	}
	s := texts{content}
	d.offsets = make([]uint32, 0, count)
	for range count {
		d.offsets = append(d.offsets, uint32(len(content)-len(s.data)))
		if _, err := s.next(); err != nil {
			return nil, err
		}
	}
	return d, nil
}

// at returns value i.
func (d *dictionary) at(i uint32) ([]byte, error) {
	if int64(i) >= int64(d.count) {
		return nil, fmt.Errorf("entry %d of a dictionary of %d", i, d.count)
	}
	if d.offsets == nil {
		return d.content[int(i)*d.size:][:d.size], nil
	}
	s := texts{d.content[d.offsets[i]:]}
	return s.next()
}

// indexed values are places in a dictionary.
type indexed struct {
	hybrid
	from *dictionary
}

func (c *column) newIndexed(content []byte) (source, error) {
	if c.dictionary == nil {
		return nil, errors.New("places in a dictionary that is not there")
	}
	if len(content) == 0 { // a page of gaps only
		return &indexed{from: c.dictionary}, nil
	}
	if content[0] > 32 {
		return nil, errRuns
	}
	return &indexed{hybrid{data: content[1:], width: int(content[0])}, c.dictionary}, nil
}

func (s *indexed) next() ([]byte, error) {
	i, err := s.hybrid.next()
	if err != nil {
		return nil, err
	}
	return s.from.at(i)
}
