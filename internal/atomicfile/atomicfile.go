// Package atomicfile replaces files whole: after a crash, a full disk or a
// failed write a reader finds either the old bytes or the new ones, never a mixture.
package atomicfile

import (
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// Write puts data at path. The bytes go to a new file beside it, are synced to
// disk and then take the name. If any step before the renaming fails, path is
// as it was and the new file is gone.
func Write(path string, data []byte) error {
	f, err := Create(path)
	if err != nil {
		return err
	}
	if _, err := f.Write(data); err != nil {
		f.Abort()
		return err
	}
	return f.Commit()
}

// A File is written bit by bit and becomes visible under its name only when
// Commit succeeds. It is used by one goroutine at a time.
type File struct {
	path, temp string
	disk       disk
	handle     handle
	err        error // the first failure; later calls repeat it
}

// Create starts a new content for path, whose folder must exist. What path
// held stays until Commit.
func Create(path string) (*File, error) {
	return create(osDisk{}, path)
}

func create(d disk, path string) (*File, error) {
	temp := filepath.Join(filepath.Dir(path), fmt.Sprintf(".%s%s%016x", filepath.Base(path), mark, rand.Uint64()))
	h, err := d.create(temp)
	if err != nil {
		return nil, fmt.Errorf("%s cannot be written: %w", path, err)
	}
	return &File{path: path, temp: temp, disk: d, handle: h}, nil
}

// Write appends p to the new content.
func (f *File) Write(p []byte) (int, error) {
	if f.err != nil {
		return 0, f.err
	}
	n, err := f.handle.Write(p)
	if err != nil {
		f.fail(err)
	}
	return n, f.err
}

// Commit syncs the new content and gives it its name. After an error the old
// content still has the name, except when only the sync of the folder failed:
// then the new content has it, whole, but a power cut may bring back the old.
func (f *File) Commit() error {
	if f.err != nil {
		return f.err
	}
	if err := f.handle.Sync(); err != nil {
		return f.fail(err)
	}
	h := f.handle
	f.handle = nil
	if err := h.Close(); err != nil {
		return f.fail(err)
	}
	if err := f.disk.rename(f.temp, f.path); err != nil {
		return f.fail(err)
	}
	f.err = errDone
	if err := f.disk.syncFolder(filepath.Dir(f.path)); err != nil {
		return fmt.Errorf("%s is written but its folder could not be synced: %w", f.path, err)
	}
	return nil
}

// Abort drops the new content; path stays as it was. After Commit, or after a
// failure, it does nothing, so it can be deferred.
func (f *File) Abort() {
	if f.err == nil {
		f.fail(errAborted)
	}
}

var (
	errDone    = errors.New("atomicfile: the file has been committed")
	errAborted = errors.New("atomicfile: the file was aborted")
)

// fail removes the new content and keeps the reason. The removal is the last
// thing that can be tried; its own failure would only hide the cause.
func (f *File) fail(cause error) error {
	if f.handle != nil {
		f.handle.Close()
		f.handle = nil
	}
	f.disk.remove(f.temp)
	f.err = fmt.Errorf("%s cannot be written: %w", f.path, cause)
	return f.err
}

// mark stands in the name of every file that has not been committed.
const mark = ".uncommitted-"

// Clean removes from folder (not from folders below it) what writers that were
// killed left behind. Only one who knows that nobody else writes there, by a
// lock for example, may call it.
func Clean(folder string) error {
	entries, err := os.ReadDir(folder)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), ".") && strings.Contains(e.Name(), mark) {
			if err := os.Remove(filepath.Join(folder, e.Name())); err != nil {
				return err
			}
		}
	}
	return nil
}

// A disk is what can fail. Tests make each of its operations fail in turn.
type disk interface {
	create(path string) (handle, error)
	rename(from, to string) error
	syncFolder(path string) error
	remove(path string) error
}

// A handle is an open file.
type handle interface {
	Write(p []byte) (int, error)
	Sync() error
	Close() error
}

type osDisk struct{}

func (osDisk) create(path string) (handle, error) {
	return os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
}

func (osDisk) rename(from, to string) error { return os.Rename(from, to) }

func (osDisk) remove(path string) error { return os.Remove(path) }

// syncFolder makes a renaming last. File systems that cannot sync a folder
// say so; there is nothing more to ask of them.
func (osDisk) syncFolder(path string) error {
	folder, err := os.Open(path)
	if err != nil {
		return err
	}
	defer folder.Close()
	err = folder.Sync()
	if errors.Is(err, errors.ErrUnsupported) || errors.Is(err, syscall.EINVAL) {
		return nil
	}
	return err
}
