package parquet

import (
	"bytes"
	"fmt"
	"io"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/snappy"
	"github.com/klauspost/compress/zstd"
)

// Compressions, as the format numbers them.
const (
	uncompressed = 0
	snappyCodec  = 1
	gzipCodec    = 2
	zstdCodec    = 6
)

var otherCodecs = map[int]string{3: "LZO", 4: "Brotli", 5: "LZ4", 7: "LZ4_RAW"}

// decompress returns what body stands for, which must have size bytes, and how
// many bytes it took from the budget for what is held.
func (c *column) decompress(body []byte, size int) (content []byte, held int, err error) {
	if c.codec == uncompressed {
		if len(body) != size {
			return nil, 0, fmt.Errorf("a page of %d bytes that should have %d", len(body), size)
		}
		return body, 0, nil
	}
	if err := c.file.spend(&c.file.total, size, "bytes of pages"); err != nil {
		return nil, 0, err
	}
	if err := c.file.spend(&c.file.held, size, "bytes in one page"); err != nil {
		return nil, 0, err
	}
	switch c.codec {
	case snappyCodec:
		content, err = unsnappy(body, size)
	case gzipCodec:
		content, err = ungzip(body, size)
	case zstdCodec:
		content, err = c.file.unzstd(body, size)
	default:
		name := otherCodecs[c.codec]
		err = fmt.Errorf("compression %s (%d) is not read; write the file again with zstd, snappy or gzip", name, c.codec)
	}
	if err == nil && len(content) != size {
		err = fmt.Errorf("a page decompresses to %d bytes, not %d", len(content), size)
	}
	return content, size, err
}

func (f *file) unzstd(body []byte, size int) (content []byte, err error) {
	if f.zstd == nil {
		f.zstd, err = zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true),
			zstd.WithDecoderMaxMemory(uint64(slack+heldFactor*len(f.data))))
		if err != nil {
			return nil, err
		}
	}
	return f.zstd.DecodeAll(body, make([]byte, 0, size))
}

func unsnappy(body []byte, size int) ([]byte, error) {
	if n, err := snappy.DecodedLen(body); err != nil || n != size {
		return nil, fmt.Errorf("a page decompresses to %d bytes, not %d (%v)", n, size, err)
	}
	return snappy.Decode(make([]byte, size), body)
}

func ungzip(body []byte, size int) ([]byte, error) {
	r, err := gzip.NewReader(bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	content := make([]byte, size)
	if _, err := io.ReadFull(r, content); err != nil {
		return nil, err
	}
	if n, err := r.Read(make([]byte, 1)); n != 0 || err != io.EOF {
		return nil, fmt.Errorf("a page decompresses to more than %d bytes, or has a wrong checksum", size)
	}
	return content, nil
}
