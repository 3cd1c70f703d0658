package experiments

import (
	"errors"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// Of many that want a lock at the same moment exactly one gets it.
func TestOneHolder(t *testing.T) {
	folder := t.TempDir()
	for range 30 {
		var winners atomic.Int32
		var mu sync.Mutex
		var held []*lock
		var all sync.WaitGroup
		for range 8 {
			all.Go(func() {
				k, by, err := openLocks(folder).take("stage")
				if err != nil || k == nil && by.PID != os.Getpid() {
					t.Errorf("%+v, %v", by, err)
				}
				if k != nil {
					winners.Add(1)
					mu.Lock()
					held = append(held, k)
					mu.Unlock()
				}
			})
		}
		all.Wait()
		if winners.Load() != 1 {
			t.Fatalf("%d winners", winners.Load())
		}
		if err := held[0].release(); err != nil {
			t.Fatal(err)
		}
	}
}

func TestStaleLocks(t *testing.T) {
	me := self()
	tests := []struct {
		name   string
		change func(*holder)
		stale  bool
	}{
		{"this process", func(*holder) {}, false},
		{"a process that ended", func(h *holder) { h.PID = 1 << 30 }, true},
		{"another process with the same number", func(h *holder) { h.Started = "1" }, true},
		{"another machine", func(h *holder) { h.Host = "elsewhere" }, false},
		{"another boot", func(h *holder) { h.Place = "earlier" }, false},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			l := openLocks(t.TempDir())
			h := me
			test.change(&h)
			foreign := &lock{from: l, path: l.folder + "/stage.lock", mine: h}
			if err := foreign.write(); err != nil {
				t.Fatal(err)
			}
			k, _, err := l.take("stage")
			if err != nil || (k != nil) != test.stale {
				t.Fatalf("taken %v, want %v, %v", k != nil, test.stale, err)
			}
			if k == nil {
				return
			}
			if err := foreign.whileMine(func() error { return nil }); !errors.Is(err, errLockLost) {
				t.Errorf("the earlier holder was told %v", err)
			}
			if err := k.release(); err != nil {
				t.Fatal(err)
			}
		})
	}
}

// A holder on another machine counts as gone when its lock has not changed for
// some time on our own clock, and only then.
func TestForeignHolderIsJudgedByItsBeat(t *testing.T) {
	before := beatLost
	beatLost = 30 * time.Millisecond
	defer func() { beatLost = before }()
	l := openLocks(t.TempDir())
	h := self()
	h.Host = "elsewhere"
	foreign := &lock{from: l, path: l.folder + "/stage.lock", mine: h}
	for range 3 {
		foreign.mine.Beat++
		if err := foreign.write(); err != nil {
			t.Fatal(err)
		}
		if k, _, err := l.take("stage"); k != nil || err != nil {
			t.Fatalf("a living holder was robbed: %v", err)
		}
		time.Sleep(beatLost / 2)
	}
	time.Sleep(2 * beatLost)
	k, by, err := l.take("stage")
	if k == nil || err != nil {
		t.Fatalf("%v still holds it: %v", by, err)
	}
	if err := k.release(); err != nil {
		t.Fatal(err)
	}
}
