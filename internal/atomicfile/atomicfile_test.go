package atomicfile

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

var errInjected = errors.New("no space left on device")

// faulty counts operations and fails the one numbered failAt, and with it
// every later one if persistent. A failing write keeps half of its bytes, as a
// full disk does.
type faulty struct {
	osDisk
	count, failAt int
	persistent    bool
	failed        []string
}

func (d *faulty) fails(operation string) bool {
	d.count++
	if d.count == d.failAt || d.persistent && d.failAt > 0 && d.count > d.failAt {
		d.failed = append(d.failed, operation)
		return true
	}
	return false
}

func (d *faulty) create(path string) (handle, error) {
	if d.fails("create") {
		return nil, errInjected
	}
	h, err := d.osDisk.create(path)
	return faultyHandle{h, d}, err
}

func (d *faulty) rename(from, to string) error {
	if d.fails("rename") {
		return errInjected
	}
	return d.osDisk.rename(from, to)
}

func (d *faulty) syncFolder(path string) error {
	if d.fails("syncFolder") {
		return errInjected
	}
	return d.osDisk.syncFolder(path)
}

type faultyHandle struct {
	handle
	d *faulty
}

func (h faultyHandle) Write(p []byte) (int, error) {
	if h.d.fails("write") {
		n, _ := h.handle.Write(p[:len(p)/2])
		return n, errInjected
	}
	return h.handle.Write(p)
}

func (h faultyHandle) Sync() error {
	if h.d.fails("sync") {
		return errInjected
	}
	return h.handle.Sync()
}

func (h faultyHandle) Close() error {
	err := h.handle.Close()
	if h.d.fails("close") {
		return errInjected
	}
	return err
}

// writeTwice is the history under test: two writes and a commit.
func writeTwice(d disk, path string) error {
	f, err := create(d, path)
	if err != nil {
		return err
	}
	defer f.Abort()
	for _, part := range []string{"new ", "content"} {
		if _, err := f.Write([]byte(part)); err != nil {
			return err
		}
	}
	return f.Commit()
}

func TestEveryOperationFailing(t *testing.T) {
	for _, persistent := range []bool{false, true} {
		seen := map[string]bool{}
		for k := 1; ; k++ {
			dir := t.TempDir()
			path := filepath.Join(dir, "records")
			if err := os.WriteFile(path, []byte("old"), 0o644); err != nil {
				t.Fatal(err)
			}
			d := &faulty{failAt: k, persistent: persistent}
			err := writeTwice(d, path)
			if len(d.failed) == 0 {
				if err != nil {
					t.Fatal(err)
				}
				break
			}
			seen[d.failed[0]] = true
			if !errors.Is(err, errInjected) || !strings.Contains(err.Error(), path) {
				t.Errorf("operation %d (%v): error %v does not tell the cause and the file", k, d.failed, err)
			}
			want := "old"
			if d.failed[0] == "syncFolder" {
				want = "new content"
			}
			checkFolder(t, dir, path, want)
		}
		for _, operation := range []string{"create", "write", "sync", "close", "rename", "syncFolder"} {
			if !seen[operation] {
				t.Errorf("%s was never the operation that failed", operation)
			}
		}
	}
}

// checkFolder wants path to hold content and to be alone.
func checkFolder(t *testing.T, dir, path, content string) {
	t.Helper()
	got, err := os.ReadFile(path)
	if err != nil || string(got) != content {
		t.Errorf("file holds %q (%v), want %q", got, err, content)
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 1 {
		t.Errorf("folder holds %v (%v), want one file", entries, err)
	}
}

func TestWrite(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "a")
	for _, content := range []string{"first", "", strings.Repeat("long ", 100_000)} {
		if err := Write(path, []byte(content)); err != nil {
			t.Fatal(err)
		}
		checkFolder(t, dir, path, content)
	}
	if err := Write(filepath.Join(dir, "absent", "a"), nil); err == nil {
		t.Error("no error for a folder that does not exist")
	}
}

func TestAbort(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "a")
	if err := Write(path, []byte("old")); err != nil {
		t.Fatal(err)
	}
	f, err := Create(path)
	if err != nil {
		t.Fatal(err)
	}
	f.Write(bytes.Repeat([]byte("new"), 1000))
	f.Abort()
	f.Abort()
	checkFolder(t, dir, path, "old")
	if err := f.Commit(); err == nil {
		t.Error("an aborted file could be committed")
	}
	if _, err := f.Write(nil); err == nil {
		t.Error("an aborted file could be written")
	}
}

func TestClean(t *testing.T) {
	dir := t.TempDir()
	if _, err := Create(filepath.Join(dir, "killed")); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "kept")
	if err := Write(path, []byte("x")); err != nil {
		t.Fatal(err)
	}
	if err := Clean(dir); err != nil {
		t.Fatal(err)
	}
	checkFolder(t, dir, path, "x")
	if err := Clean(filepath.Join(dir, "absent")); err != nil {
		t.Errorf("an absent folder is clean: %v", err)
	}
}
