package corpus

import (
	"compress/gzip"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/klauspost/compress/zstd"
)

// Text packs to a fifth, seldom to a tenth. A file that unpacks to more than
// maxRatio times its size, beyond the first freeSize bytes, is made to fill disks.
const (
	maxRatio = 200
	freeSize = 64 << 20
)

// open opens a file and unpacks .gz and .zst while it is read.
func open(path string) (io.ReadCloser, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	info, err := file.Stat()
	if err != nil {
		file.Close()
		return nil, err
	}
	unpacked, closeUnpacked, err := unpack(path, file)
	if err != nil {
		file.Close()
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if unpacked == nil {
		return file, nil
	}
	limit := freeSize + maxRatio*info.Size()
	return &packedFile{&limited{unpacked, limit, limit}, func() { closeUnpacked(); file.Close() }}, nil
}

// unpack returns nil for a file that is not packed.
func unpack(path string, file io.Reader) (io.Reader, func(), error) {
	switch filepath.Ext(path) {
	case ".gz":
		r, err := gzip.NewReader(file)
		if err != nil {
			return nil, nil, err
		}
		return r, func() { r.Close() }, nil
	case ".zst":
		r, err := zstd.NewReader(file, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(128<<20))
		if err != nil {
			return nil, nil, err
		}
		return r, r.Close, nil
	}
	return nil, nil, nil
}

type packedFile struct {
	io.Reader
	close func()
}

func (p *packedFile) Close() error {
	p.close()
	return nil
}

// A limited reader fails once more than limit bytes have come.
type limited struct {
	io.Reader
	left, limit int64
}

func (l *limited) Read(p []byte) (int, error) {
	n, err := l.Reader.Read(p)
	l.left -= int64(n)
	if l.left < 0 {
		return 0, fmt.Errorf("unpacks to more than %d bytes, which no text of its size does", l.limit)
	}
	return n, err
}
