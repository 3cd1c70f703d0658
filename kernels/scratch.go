package kernels

import "sync"

// A freeList keeps what calls and tasks borrow and give back. Unlike a
// sync.Pool it is never emptied, so that a training step which ran once
// allocates nothing when it is run again. It holds as many values as were ever
// in use at a time.
type freeList[T any] struct {
	fresh func() *T // nil for new(T)
	mu    sync.Mutex
	free  []*T
}

// get returns a value that nobody else has, as it was left or fresh.
func (l *freeList[T]) get() *T {
	l.mu.Lock()
	defer l.mu.Unlock()
	if last := len(l.free) - 1; last >= 0 {
		v := l.free[last]
		l.free = l.free[:last]
		return v
	}
	if l.fresh == nil {
		return new(T)
	}
	return l.fresh()
}

// put gives v back, which the caller must not use any more.
func (l *freeList[T]) put(v *T) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.free = append(l.free, v)
}

// A scratch is memory that a task or a call borrows from scratches and gives
// back, so that kernels leave nothing for the garbage collector.
type scratch struct {
	buf   []float32
	buf64 []float64
}

var scratches freeList[scratch]

// floats returns n elements of any content, valid until the next call.
func (s *scratch) floats(n int) []float32 {
	s.buf = grown(s.buf, n)
	return s.buf[:n]
}

// zeros returns n elements that are 0, valid until the next call of floats or
// zeros.
func (s *scratch) zeros(n int) []float32 {
	x := s.floats(n)
	clear(x)
	return x
}

// doubles returns n elements of any content, valid until the next call.
func (s *scratch) doubles(n int) []float64 {
	s.buf64 = grown(s.buf64, n)
	return s.buf64[:n]
}

// grown returns buf, or a larger one where buf has no room for n elements.
func grown[F any](buf []F, n int) []F {
	if cap(buf) < n {
		return make([]F, n+n/4)
	}
	return buf
}
