//go:build unix

package experiments

import (
	"errors"
	"os"
	"path/filepath"
	"syscall"
)

// guarded runs act while no other process or goroutine is inside guarded with
// the same folder.
func (l *locks) guarded(act func() error) error {
	guard, err := os.OpenFile(filepath.Join(l.folder, "guard"), os.O_CREATE|os.O_RDWR, 0o666)
	if err != nil {
		return err
	}
	defer guard.Close() // frees it
	for {
		err = syscall.Flock(int(guard.Fd()), syscall.LOCK_EX)
		if !errors.Is(err, syscall.EINTR) {
			break
		}
	}
	if err != nil {
		return err
	}
	return act()
}

func processAlive(pid int) bool {
	err := syscall.Kill(pid, 0)
	return err == nil || errors.Is(err, syscall.EPERM)
}
