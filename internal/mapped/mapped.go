// Package mapped shows files as memory, so that reading a large one takes no
// copy of it: the system brings in the pages that are looked at and drops them
// again when memory is short.
package mapped

import (
	"fmt"
	"math"
	"os"
	"runtime/debug"
)

// A File is a file's content as it was when it was opened. It may be read by
// several goroutines at once.
type File struct {
	path  string
	data  []byte
	unmap func([]byte) error // nil once closed, and for an empty file
}

// Open maps the regular file at path for reading.
func Open(path string) (*File, error) {
	handle, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer handle.Close()
	info, err := handle.Stat()
	switch {
	case err != nil:
		return nil, err
	case !info.Mode().IsRegular():
		return nil, fmt.Errorf("%s is not a regular file", path)
	case info.Size() > math.MaxInt:
		return nil, fmt.Errorf("%s: %d bytes are more than this machine can address", path, info.Size())
	case info.Size() == 0:
		return &File{path: path}, nil
	}
	data, err := view(handle, int(info.Size()))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return &File{path, data, release}, nil
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
	return nil
}

// Close ends the view.
func (f *File) Close() error {
	if f.unmap == nil {
		return nil
	}
	unmap, data := f.unmap, f.data
	f.unmap, f.data = nil, nil
	return unmap(data)
}
