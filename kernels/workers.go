package kernels

import (
	"fmt"
	"runtime"
	"sync/atomic"
	"time"
)

// A kernel splits its work into tasks on a numbered board. Whoever has time
// claims the next task from the board's counter: the caller, and helper
// goroutines that live as long as the program. The caller waits for tasks
// that others have claimed, never for helpers to show up, so a helper that
// the system does not run costs nothing. Helpers spin for a moment between
// kernels, because waking one takes longer than a small product, and then
// sleep.

// boards is how many callers can have tasks on offer at once; further callers
// do their tasks alone.
const boards = 8

// helperSpin is how long an idle helper looks for work before it sleeps.
const helperSpin = 150 * time.Microsecond

// A board offers the tasks of one call. ticket holds the number of the call
// in its upper half and the next unclaimed task in its lower half. A claim
// succeeds only while ticket is unchanged, and a board is not reused before
// its claimed tasks are done, so do and tasks fit the claimed ticket.
type board struct {
	ticket atomic.Uint64
	tasks  atomic.Uint32
	done   atomic.Uint32
	taken  atomic.Bool // by a caller
	do     func(task int)
	_      [64]byte // boards do not share a cache line
}

// closed in the lower half of a ticket says that nothing can be claimed.
const closed = 1<<32 - 1

var pool struct {
	workers atomic.Int32  // callers and helpers that one kernel may use
	started atomic.Int32  // helpers that exist
	asleep  atomic.Int32  // helpers that wait on wake
	calls   atomic.Uint32 // counts calls, so that a spinning helper sees a new one
	wake    chan struct{}
	boards  [boards]board
}

func init() {
	pool.wake = make(chan struct{}, 1024)
	pool.workers.Store(int32(runtime.GOMAXPROCS(0)))
	for b := range pool.boards {
		pool.boards[b].ticket.Store(closed)
	}
}

// SetWorkers says how many goroutines one kernel may use, the caller
// included. It starts as GOMAXPROCS. With 1 a kernel runs on the goroutine
// that calls it and shares nothing. Results do not depend on it.
func SetWorkers(n int) {
	if n < 1 {
		panic(fmt.Sprintf("kernels: SetWorkers(%d), need at least 1", n))
	}
	pool.workers.Store(int32(n))
}

// Workers is how many goroutines one kernel may use.
func Workers() int { return int(pool.workers.Load()) }

// parallel calls do once for each task in [0, tasks), on several goroutines
// where workers allow, and returns when all are done. Tasks should take 20 to
// 200 µs and must not depend on each other.
func parallel(tasks int, do func(task int)) {
	if b := offer(tasks, do); b != nil {
		b.work()
		b.finish()
		return
	}
	for task := range tasks {
		do(task)
	}
}

// offer puts tasks on a free board and calls for help. It returns nil where
// the caller should work alone.
func offer(tasks int, do func(task int)) *board {
	helpers := min(Workers(), tasks) - 1
	if helpers < 1 {
		return nil
	}
	for i := range pool.boards {
		b := &pool.boards[i]
		if b.taken.Load() || !b.taken.CompareAndSwap(false, true) {
			continue
		}
		call := b.ticket.Load()>>32 + 1
		b.tasks.Store(uint32(tasks))
		b.done.Store(0)
		b.do = do
		b.ticket.Store(call << 32)
		pool.calls.Add(1)
		callHelpers(helpers)
		return b
	}
	return nil
}

// work claims and does tasks until none is left.
func (b *board) work() {
	for {
		ticket := b.ticket.Load()
		next := uint32(ticket)
		if next >= b.tasks.Load() {
			return
		}
		if b.ticket.CompareAndSwap(ticket, ticket+1) {
			b.do(int(next))
			b.done.Add(1)
		}
	}
}

// finish waits for the tasks that helpers claimed and frees the board.
func (b *board) finish() {
	for spins := 0; b.done.Load() < b.tasks.Load(); spins++ {
		if spins > 1000 {
			runtime.Gosched()
		}
	}
	b.ticket.Store(b.ticket.Load() | closed)
	b.do = nil
	b.taken.Store(false)
}

// callHelpers starts and wakes helpers so that up to n can take part.
func callHelpers(n int) {
	for {
		have := pool.started.Load()
		if have >= pool.workers.Load()-1 {
			break
		}
		if pool.started.CompareAndSwap(have, have+1) {
			go help(have)
		}
	}
	for range min(int32(n), pool.asleep.Load()) {
		select {
		case pool.wake <- struct{}{}:
		default:
			return
		}
	}
}

// help is the life of helper id: look for tasks, spin, sleep. Helpers beyond
// the number allowed stay asleep.
func help(id int32) {
	seen := pool.calls.Load() - 1
	for {
		if id < pool.workers.Load()-1 {
			if now := pool.calls.Load(); now != seen {
				seen = now
				for i := range pool.boards {
					pool.boards[i].work()
				}
				continue
			}
			if spinFor(seen) {
				continue
			}
		}
		pool.asleep.Add(1)
		if id >= pool.workers.Load()-1 || pool.calls.Load() == seen {
			<-pool.wake
		}
		pool.asleep.Add(-1)
	}
}

// spinFor waits for a call other than seen and reports whether one came.
func spinFor(seen uint32) bool {
	for start := time.Now(); time.Since(start) < helperSpin; {
		for range 200 {
			if pool.calls.Load() != seen {
				return true
			}
		}
		runtime.Gosched()
	}
	return false
}
