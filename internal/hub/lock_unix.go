//go:build unix

package hub

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

// lockPoll is how often a lock that another holds is asked for.
const lockPoll = 100 * time.Millisecond

// lock waits until nobody else, in this process or another, holds path. The
// Python tools lock the same file in the same way. The system frees the lock
// when the process dies.
func lock(ctx context.Context, path string) (unlock func(), err error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
		return nil, cacheError(err)
	}
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o666)
	if err != nil {
		return nil, cacheError(err)
	}
	for {
		err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		switch {
		case err == nil:
			return func() { f.Close() }, nil
		case errors.Is(err, syscall.EINTR):
		case errors.Is(err, syscall.EWOULDBLOCK):
			if err := sleep(ctx, lockPoll); err != nil {
				f.Close()
				return nil, err
			}
		default:
			f.Close()
			return nil, fmt.Errorf("files of the hub's cache cannot be locked: %w; set HF_HUB_CACHE to a folder on a local disk", err)
		}
	}
}
