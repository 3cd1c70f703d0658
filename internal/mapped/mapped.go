// Package mapped shows files as memory, so that reading a large one takes no
// copy of it: the system brings in the pages that are looked at and drops them
// again when memory is short.
package mapped

import (
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"runtime/debug"
)

// A File is a file's content as it was when it was opened. It may be read by
// several goroutines at once.
type File struct {
	path   string
	handle *os.File // nil once closed, and for bytes at hand
	data   []byte
	unmap  func([]byte) error // nil once closed, and for an empty file
}

// Open maps the regular file at path for reading.
func Open(path string) (*File, error) {
	handle, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	f, err := open(path, handle)
	if err != nil {
		handle.Close()
		return nil, err
	}
	return f, nil
}

func open(path string, handle *os.File) (*File, error) {
	info, err := handle.Stat()
	switch {
	case err != nil:
		return nil, err
	case !info.Mode().IsRegular():
		return nil, fmt.Errorf("%s is not a regular file", path)
	case info.Size() > math.MaxInt:
		return nil, fmt.Errorf("%s: %d bytes are more than this machine can address", path, info.Size())
	case info.Size() == 0:
		return &File{path: path, handle: handle}, nil
	}
	data, err := view(handle, int(info.Size()))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return &File{path, handle, data, release}, nil
}

// Of shows data, which must not change, as if it were the content of the file at
// path.
func Of(path string, data []byte) *File {
	return &File{path: path, data: data[:len(data):len(data)]}
}

// Bytes is the content. It must not be written to, nor used after Close; what
// comes from a file that others may shorten is read inside Read.
func (f *File) Bytes() []byte { return f.data }

// Read runs read, which looks at Bytes. If the file has been shortened
// meanwhile, it returns an error in place of ending the process.
func (f *File) Read(read func()) (err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		fault := recover()
		if fault == nil {
			return
		}
		if _, ok := fault.(interface{ Addr() uintptr }); !ok {
			panic(fault)
		}
		err = fmt.Errorf("%s became shorter while it was read", f.path)
	}()
	read()
	if f.handle == nil && f.unmap == nil && f.data != nil {
		return nil // bytes at hand cannot become shorter
	}
	if info, err := f.handle.Stat(); err != nil || info.Size() < int64(len(f.data)) {
		return fmt.Errorf("%s became shorter while it was read", f.path) // the rest of its last page reads as zeros
	}
	return nil
}

// ReadAt implements io.ReaderAt.
func (f *File) ReadAt(dst []byte, offset int64) (n int, err error) {
	if offset < 0 || offset > int64(len(f.data)) {
		return 0, io.EOF
	}
	if err := f.Read(func() { n = copy(dst, f.data[offset:]) }); err != nil {
		return 0, err
	}
	if n < len(dst) {
		return n, io.EOF
	}
	return n, nil
}

// Forget tells the system that bytes from to to are not needed again soon. They
// can be read as before.
func (f *File) Forget(from, to int) {
	if page := os.Getpagesize(); f.unmap != nil && from >= 0 && to <= len(f.data) {
		if from = from / page * page; from < to {
			forget(f.data[from:to])
		}
	}
}

// Close ends the view.
func (f *File) Close() error {
	var err error
	if f.handle != nil {
		err = f.handle.Close()
	}
	if f.unmap != nil {
		err = errors.Join(err, f.unmap(f.data))
	}
	*f = File{path: f.path}
	return err
}
