package experiments

import (
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"time"

	"plumb/internal/atomicfile"
)

// A holder is the content of a lock file: which process works on a stage.
type holder struct {
	Host    string `json:"host"`
	Place   string `json:"place"` // boot and process namespace: where PID means something
	PID     int    `json:"pid"`
	Started string `json:"started"` // start time of the process, so that a reused PID is told apart
	Token   string `json:"token"`   // of this taking of the lock
	Beat    int    `json:"beat"`    // rises while the process lives
}

// Times after which a holder on another machine, whose processes cannot be seen
// from here, renews its lock and counts as gone. They are measured on the clock
// of the process that measures, which no one can set.
var (
	beatEvery = 10 * time.Second
	beatLost  = 90 * time.Second
)

// locks are the lock files of a run folder. All changes to them are made under
// one guard, which the system frees when a process dies.
type locks struct {
	folder string
	mu     sync.Mutex
	seen   map[string]sighting
}

// A sighting is when a foreign holder's lock was last seen to change.
type sighting struct {
	holder holder
	since  time.Time // monotonic
}

func openLocks(folder string) *locks {
	return &locks{folder: folder, seen: map[string]sighting{}}
}

// alone runs act while no other process changes anything that is shared.
func (l *locks) alone(act func() error) error {
	if err := os.MkdirAll(l.folder, 0o777); err != nil {
		return err
	}
	return l.guarded(act)
}

// A lock is held by this process until released or lost.
type lock struct {
	from  *locks
	path  string
	mine  holder
	stop  chan struct{}
	beats sync.WaitGroup
}

// errLockLost says that another process took a stage over, because this one
// seemed dead to it. What this one has done since must not count.
var errLockLost = errors.New("another process has taken this stage over")

// take locks the stage called name. If a living process holds it, the lock is
// nil and the holder returned.
func (l *locks) take(name string) (held *lock, by *holder, err error) {
	path := filepath.Join(l.folder, name+".lock")
	err = l.alone(func() error {
		if err := atomicfile.Clean(l.folder); err != nil {
			return err
		}
		current, err := readHolder(path)
		if err != nil {
			return err
		}
		if current != nil && l.alive(path, *current) {
			by = current
			return nil
		}
		held = &lock{from: l, path: path, mine: self(), stop: make(chan struct{})}
		return held.write()
	})
	if err != nil || held == nil {
		return nil, by, err
	}
	held.beats.Go(held.beat)
	return held, nil, nil
}

// self describes this process with a fresh token.
func self() holder {
	token := make([]byte, 16)
	rand.Read(token)
	host, _ := os.Hostname()
	return holder{Host: host, Place: processPlace(), PID: os.Getpid(), Started: processStart(os.Getpid()), Token: hex.EncodeToString(token)}
}

// readHolder returns nil for a lock that is free. A file that cannot be read as
// a holder was not written by take, which replaces files whole.
func readHolder(path string) (*holder, error) {
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	var h holder
	if err == nil && json.Unmarshal(data, &h) != nil {
		return nil, nil
	}
	return &h, err
}

// alive says whether the holder of a lock still works.
func (l *locks) alive(path string, h holder) bool {
	me := self()
	if h.Host == me.Host && h.Place == me.Place && h.Place != "" {
		return processAlive(h.PID) && processStart(h.PID) == h.Started
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	last, known := l.seen[path]
	if !known || last.holder != h {
		l.seen[path] = sighting{h, time.Now()}
		return true
	}
	return time.Since(last.since) < beatLost
}

func (k *lock) write() error {
	data, err := json.Marshal(k.mine)
	if err != nil {
		return err
	}
	return atomicfile.Write(k.path, append(data, '\n'))
}

// whileMine runs act if the lock is still held by k.
func (k *lock) whileMine(act func() error) error {
	return k.from.guarded(func() error {
		current, err := readHolder(k.path)
		if err != nil {
			return err
		}
		if current == nil || current.Token != k.mine.Token {
			return errLockLost
		}
		return act()
	})
}

func (k *lock) beat() {
	ticker := time.NewTicker(beatEvery)
	defer ticker.Stop()
	for {
		select {
		case <-k.stop:
			return
		case <-ticker.C:
			k.whileMine(func() error {
				k.mine.Beat++
				return k.write()
			})
		}
	}
}

// release frees the lock, unless it has been lost.
func (k *lock) release() error {
	close(k.stop)
	k.beats.Wait()
	err := k.whileMine(func() error { return os.Remove(k.path) })
	if errors.Is(err, errLockLost) {
		return nil
	}
	return err
}

// String names the process for messages.
func (h holder) String() string { return fmt.Sprintf("process %d on %s", h.PID, h.Host) }
