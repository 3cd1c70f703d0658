//go:build !unix

package experiments

import (
	"os"
	"sync"
)

var guard sync.Mutex

// guarded keeps goroutines apart; on this system one process at a time may use
// a run folder.
func (l *locks) guarded(act func() error) error {
	guard.Lock()
	defer guard.Unlock()
	return act()
}

func processAlive(pid int) bool { return pid == os.Getpid() }
