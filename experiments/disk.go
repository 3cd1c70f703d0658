package experiments

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"plumb/internal/atomicfile"
)

// A disk does every change to the files of a run, so that a test can make any
// one of them fail.
type disk struct {
	fault func(op, path string) error // asked before each operation; nil for none
}

// do runs an operation that writes at path, unless a fault is due.
func (d disk) do(op, path string, act func() error) error {
	if d.fault != nil {
		if err := d.fault(op, path); err != nil {
			return &fs.PathError{Op: op, Path: path, Err: err}
		}
	}
	err := act()
	if errors.Is(err, syscall.ENOTDIR) { // a file stands where a folder should
		return &EnvironmentError{err}
	}
	return err
}

func (d disk) mkdir(path string) error {
	return d.do("mkdir", path, func() error { return os.MkdirAll(path, 0o777) })
}

// write replaces the file at path whole, and returns when it is on the disk.
func (d disk) write(path string, data []byte) error {
	return d.do("write", path, func() error { return atomicfile.Write(path, data) })
}

func (d disk) rename(from, to string) error {
	return d.do("rename", from, func() error { return os.Rename(from, to) })
}

func (d disk) removeAll(path string) error {
	return d.do("remove", path, func() error { return os.RemoveAll(path) })
}

// clear removes what is in folder except the names in keep.
func (d disk) clear(folder string, keep ...string) error {
	entries, err := os.ReadDir(folder)
	for _, entry := range entries {
		if kept := matches(entry.Name(), keep); !kept {
			err = errors.Join(err, d.removeAll(filepath.Join(folder, entry.Name())))
		}
	}
	return err
}

// An EnvironmentError is what the disk or the system refuses: no trial can
// mend it, so a run stops.
type EnvironmentError struct{ Err error }

// Error says what was refused.
func (e *EnvironmentError) Error() string { return e.Err.Error() }

// Unwrap returns the refusal.
func (e *EnvironmentError) Unwrap() error { return e.Err }

// environment wraps errors of the system that concern all trials alike.
func environment(err error) error {
	for _, refusal := range []error{syscall.ENOSPC, syscall.EDQUOT, syscall.EROFS, syscall.EACCES, syscall.EPERM, syscall.EIO, syscall.EMFILE, syscall.ENOMEM} {
		var known *EnvironmentError
		if errors.Is(err, refusal) && !errors.As(err, &known) {
			return &EnvironmentError{err}
		}
	}
	return err
}
