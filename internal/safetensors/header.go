package safetensors

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"math/bits"
	"slices"
	"strconv"
	"unicode/utf8"
)

// metadataKey is the header's only key that names no tensor.
const metadataKey = "__metadata__"

// parseHeader reads the JSON object token by token, because decoding into maps
// would keep the last of two equal names without a word.
func parseHeader(header []byte) (map[string]string, map[string]entry, error) {
	if len(header) == 0 || header[0] != '{' {
		return nil, nil, errors.New("the header does not begin with {; this is no safetensors file")
	}
	if !utf8.Valid(header) {
		return nil, nil, errors.New("the header is not UTF-8")
	}
	p := &parser{json.NewDecoder(bytes.NewReader(header))}
	p.UseNumber()
	metadata, tensors := map[string]string{}, map[string]entry{}
	seen := map[string]bool{}
	err := p.object(func(name string) (err error) {
		if seen[name] {
			return fmt.Errorf("tensor %q is there twice", clip(name))
		}
		seen[name] = true
		if name == metadataKey {
			metadata, err = p.metadata()
			return err
		}
		if len(seen) > maxTensors {
			return fmt.Errorf("more than %d tensors", maxTensors)
		}
		if len(name) > maxName {
			return fmt.Errorf("tensor %q: a name of %d bytes; at most %d are allowed", clip(name), len(name), maxName)
		}
		if tensors[name], err = p.tensor(); err != nil {
			return fmt.Errorf("tensor %q: %w", name, err)
		}
		return nil
	})
	if err != nil {
		return nil, nil, err
	}
	return metadata, tensors, p.end()
}

// clip shortens a name for a message.
func clip(name string) string {
	if len(name) > 64 {
		return name[:64] + "..."
	}
	return name
}

// A parser adds to the JSON tokens what the header may be made of.
type parser struct{ *json.Decoder }

func (p *parser) token() (json.Token, error) {
	t, err := p.Token()
	if err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	if err != nil {
		return nil, fmt.Errorf("not valid JSON: %w", err)
	}
	return t, nil
}

func (p *parser) expect(delim json.Delim) error {
	t, err := p.token()
	if err == nil && t != delim {
		err = fmt.Errorf("%v where %v belongs", t, delim)
	}
	return err
}

// object calls member for every key of an object; member reads the value.
func (p *parser) object(member func(key string) error) error {
	if err := p.expect('{'); err != nil {
		return err
	}
	for p.More() {
		key, err := p.text()
		if err != nil {
			return err
		}
		if err := member(key); err != nil {
			return err
		}
	}
	return p.expect('}')
}

func (p *parser) text() (string, error) {
	t, err := p.token()
	if err != nil {
		return "", err
	}
	s, ok := t.(string)
	if !ok {
		return "", fmt.Errorf("%v where a string belongs", t)
	}
	return s, nil
}

func (p *parser) metadata() (map[string]string, error) {
	metadata := map[string]string{}
	err := p.object(func(key string) (err error) {
		if _, twice := metadata[key]; twice {
			return fmt.Errorf("%s key %q is there twice", metadataKey, clip(key))
		}
		metadata[key], err = p.text()
		if err != nil {
			return fmt.Errorf("%s key %q: %w", metadataKey, clip(key), err)
		}
		return nil
	})
	return metadata, err
}

func (p *parser) tensor() (entry, error) {
	var e entry
	var shape, offsets []uint64
	seen := map[string]bool{}
	err := p.object(func(key string) (err error) {
		if seen[key] {
			return fmt.Errorf("%s is there twice", clip(key))
		}
		seen[key] = true
		switch key {
		case "dtype":
			e.dtype, err = p.text()
		case "shape":
			shape, err = p.numbers(maxRank)
		case "data_offsets":
			offsets, err = p.numbers(2)
		default:
			err = fmt.Errorf("unknown key %q (have data_offsets, dtype, shape)", clip(key))
		}
		return err
	})
	switch {
	case err != nil:
		return entry{}, err
	case len(seen) != 3:
		return entry{}, errors.New("needs dtype, shape and data_offsets")
	case len(offsets) != 2:
		return entry{}, fmt.Errorf("%d data_offsets, want 2", len(offsets))
	}
	e.begin, e.end = offsets[0], offsets[1]
	size, err := byteSize(e.dtype, shape)
	if err != nil {
		return entry{}, err
	}
	if e.begin > e.end || e.end-e.begin != size {
		return entry{}, fmt.Errorf("data_offsets [%d, %d] do not hold the %d bytes of %s %d", e.begin, e.end, size, e.dtype, shape)
	}
	e.shape = make([]int, len(shape))
	for i, n := range shape {
		e.shape[i] = int(n)
	}
	return e, nil
}

// numbers reads an array of at most most natural numbers.
func (p *parser) numbers(most int) ([]uint64, error) {
	if err := p.expect('['); err != nil {
		return nil, err
	}
	var list []uint64
	for p.More() {
		if len(list) == most {
			return nil, fmt.Errorf("more than %d numbers in a list", most)
		}
		t, err := p.token()
		if err != nil {
			return nil, err
		}
		number, ok := t.(json.Number)
		if !ok {
			return nil, fmt.Errorf("%v where a natural number belongs", t)
		}
		n, err := strconv.ParseUint(number.String(), 10, 64)
		if err != nil || n > math.MaxInt {
			return nil, fmt.Errorf("%s is no natural number below 2^63", clip(number.String()))
		}
		list = append(list, n)
	}
	return list, p.expect(']')
}

// end wants nothing but spaces after the object.
func (p *parser) end() error {
	if _, err := p.Token(); err != io.EOF {
		return errors.New("the text goes on after its closing brace")
	}
	return nil
}

// byteSize multiplies a shape out. A size that int64 cannot hold is an error.
func byteSize(dtype string, shape []uint64) (uint64, error) {
	size, ok := elementBytes[dtype]
	if !ok {
		return 0, fmt.Errorf("unknown data type %q (have %v)", clip(dtype), slices.Sorted(maps.Keys(elementBytes)))
	}
	for _, n := range shape {
		high, low := bits.Mul64(size, n)
		if high != 0 || low > math.MaxInt64 {
			return 0, fmt.Errorf("shape %d is too large", shape)
		}
		size = low
	}
	return size, nil
}

// checkLayout wants the tensors to fill the size bytes of data exactly, one
// after the other.
func checkLayout(tensors map[string]entry, size uint64) error {
	order := slices.SortedFunc(maps.Keys(tensors), func(a, b string) int {
		x, y := tensors[a], tensors[b]
		return cmp.Or(cmp.Compare(x.begin, y.begin), cmp.Compare(x.end, y.end), cmp.Compare(a, b))
	})
	var end uint64
	for _, name := range order {
		e := tensors[name]
		switch {
		case e.begin > end:
			return fmt.Errorf("tensor %q begins at %d and leaves a hole after %d", name, e.begin, end)
		case e.begin < end:
			return fmt.Errorf("tensor %q begins at %d and overlaps data up to %d", name, e.begin, end)
		case e.end > size:
			return fmt.Errorf("tensor %q ends at %d, but the file has %d bytes of data; it is cut short", name, e.end, size)
		}
		end = e.end
	}
	if end != size {
		return fmt.Errorf("the file has %d bytes of data, but its tensors end at %d", size, end)
	}
	return nil
}
