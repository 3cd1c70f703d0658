package hub

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path"
	"path/filepath"
	"strings"

	"plumb/internal/atomicfile"
)

// remember writes which commit a branch or tag stands for, so that it is found
// offline.
func (c *Client) remember(s *Snapshot) error {
	if s.Revision == s.Commit {
		return nil
	}
	path := filepath.Join(c.repoDir(s.Repo), "refs", filepath.FromSlash(s.Revision))
	if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
		return cacheError(err)
	}
	if old, err := os.ReadFile(path); err == nil && string(old) == s.Commit {
		return nil
	}
	return cacheError(atomicfile.Write(path, []byte(s.Commit)))
}

// publish gives the blob its name in the snapshot: a relative link, as the
// Python tools make it, or a copy where links cannot be made.
func (c *Client) publish(s *Snapshot, name, blob string) error {
	if err := os.MkdirAll(s.Dir, 0o777); err != nil {
		return cacheError(err)
	}
	root, err := os.OpenRoot(s.Dir)
	if err != nil {
		return cacheError(err)
	}
	defer root.Close()
	if folder := path.Dir(name); folder != "." {
		if err := root.MkdirAll(folder, 0o777); err != nil {
			return cacheError(err)
		}
	}
	up := strings.Repeat("../", strings.Count(name, "/")+2)
	target := filepath.FromSlash(up + "blobs/" + filepath.Base(blob))
	if old, err := root.Readlink(name); err == nil && old == target {
		return nil
	}
	temp := fmt.Sprintf("%s.%016x.incomplete", name, rand.Uint64())
	if root.Symlink(target, temp) != nil {
		if err := copyInto(root, temp, blob); err != nil {
			return cacheError(err)
		}
	}
	if err := root.Rename(temp, name); err != nil {
		root.Remove(temp)
		return cacheError(err)
	}
	return nil
}

// copyInto copies the file from to a new file of root, or leaves nothing.
func copyInto(root *os.Root, name, from string) (err error) {
	source, err := os.Open(from)
	if err != nil {
		return err
	}
	defer source.Close()
	f, err := root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
	if err != nil {
		return err
	}
	_, err = io.Copy(f, source)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		root.Remove(name)
	}
	return err
}

// held says whether the snapshot has the file called name, of size bytes.
func held(s *Snapshot, name string, size int64) bool {
	info, err := os.Stat(filepath.Join(s.Dir, filepath.FromSlash(name)))
	return err == nil && info.Mode().IsRegular() && info.Size() == size
}

// cacheError says what to do when the cache cannot be written.
func cacheError(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("the hub's cache cannot be written: %w; set HF_HUB_CACHE to a folder of your own", err)
	}
	return fmt.Errorf("the hub's cache cannot be written: %w", err)
}
