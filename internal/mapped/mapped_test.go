package mapped

import (
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

func TestOpen(t *testing.T) {
	for _, content := range []string{"", "x", strings.Repeat("plumb ", 5000)} {
		path := filepath.Join(t.TempDir(), "file")
		if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
		f, err := Open(path)
		if err != nil {
			t.Fatal(err)
		}
		if string(f.Bytes()) != content {
			t.Errorf("%d bytes, want %d", len(f.Bytes()), len(content))
		}
		if err := f.Close(); err != nil {
			t.Error(err)
		}
		if err := f.Close(); err != nil {
			t.Errorf("closed twice: %v", err)
		}
	}
}

// Bytes at hand are read as those of a file are, until they are closed.
func TestOf(t *testing.T) {
	f := Of("name", []byte("plumb"))
	got := make([]byte, 3)
	if n, err := f.ReadAt(got, 2); n != 3 || err != nil || string(got) != "umb" {
		t.Errorf("%q, %v", got[:n], err)
	}
	f.Forget(0, 5)
	if err := f.Close(); err != nil {
		t.Error(err)
	}
	if err := f.Read(func() {}); err == nil {
		t.Error("read after it was closed")
	}
}

func TestOpenRefuses(t *testing.T) {
	if _, err := Open(t.TempDir()); err == nil || !strings.Contains(err.Error(), "not a regular file") {
		t.Errorf("a folder: %v", err)
	}
	if _, err := Open(filepath.Join(t.TempDir(), "absent")); !os.IsNotExist(err) {
		t.Errorf("an absent file: %v", err)
	}
}

// A file that others cut short is an error, not the end of the process.
func TestShortenedWhileOpen(t *testing.T) {
	if runtime.GOOS != "linux" && runtime.GOOS != "darwin" {
		t.Skip("files are not mapped here")
	}
	path := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(path, make([]byte, 1<<20), 0o644); err != nil {
		t.Fatal(err)
	}
	f, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := os.Truncate(path, 0); err != nil {
		t.Fatal(err)
	}
	var sum byte
	err = f.Read(func() { sum = f.Bytes()[1<<19] })
	if err == nil || !strings.Contains(err.Error(), "became shorter") {
		t.Errorf("got %v and %d", err, sum)
	}
}

// The bytes after the new end that share a page with it read as zeros, which
// would pass for data.
func TestShortenedByOneByte(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(path, make([]byte, 100), 0o644); err != nil {
		t.Fatal(err)
	}
	f, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if n, err := f.ReadAt(make([]byte, 10), 95); n != 5 || err != io.EOF {
		t.Errorf("ReadAt over the end: %d, %v", n, err)
	}
	f.Forget(10, 90)
	if err := os.Truncate(path, 99); err != nil {
		t.Fatal(err)
	}
	if _, err := f.ReadAt(make([]byte, 10), 90); err == nil || !strings.Contains(err.Error(), "became shorter") {
		t.Errorf("got %v", err)
	}
}

func TestOtherPanicsPass(t *testing.T) {
	defer func() {
		if recover() != "mine" {
			t.Error("the panic did not pass")
		}
	}()
	(&File{}).Read(func() { panic("mine") })
}
