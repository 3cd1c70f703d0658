package kernels

import (
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

func TestParallelDoesEveryTaskOnce(t *testing.T) {
	for _, workers := range []int{1, 2, 3, 8} {
		withWorkers(workers, func() {
			for _, tasks := range []int{0, 1, 2, 7, 1000} {
				done := make([]atomic.Int32, tasks)
				parallel(tasks, func(task int) { done[task].Add(1) })
				for task := range done {
					if n := done[task].Load(); n != 1 {
						t.Fatalf("%d workers: task %d of %d done %d times", workers, task, tasks, n)
					}
				}
			}
		})
	}
}

// TestParallelManyCallers has more callers than boards, whose tasks themselves
// call for help.
func TestParallelManyCallers(t *testing.T) {
	withWorkers(4, func() {
		var sum atomic.Int64
		var all sync.WaitGroup
		for range 3 * boards {
			all.Go(func() {
				for range 50 {
					parallel(5, func(task int) {
						parallel(3, func(inner int) { sum.Add(int64(task*3 + inner)) })
					})
				}
			})
		}
		all.Wait()
		if want := int64(3 * boards * 50 * 15 * 14 / 2); sum.Load() != want {
			t.Errorf("sum of tasks %d, want %d", sum.Load(), want)
		}
	})
}

// TestParallelAfterSleep wakes helpers that have gone to sleep.
func TestParallelAfterSleep(t *testing.T) {
	withWorkers(3, func() {
		for range 5 {
			time.Sleep(4 * helperSpin)
			var n atomic.Int32
			parallel(50, func(int) { n.Add(1) })
			if n.Load() != 50 {
				t.Fatalf("%d tasks done", n.Load())
			}
		}
	})
}

func TestSetWorkersRefusesNone(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("no panic")
		}
	}()
	SetWorkers(0)
}
