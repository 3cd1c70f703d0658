//go:build linux || darwin

package machine

import "golang.org/x/sys/unix"

// FreeDisk returns how many bytes this process can still write below path,
// which must exist.
func FreeDisk(path string) (int, error) {
	var fs unix.Statfs_t
	if err := unix.Statfs(path, &fs); err != nil {
		return 0, err
	}
	return int(fs.Bavail) * int(fs.Bsize), nil
}
