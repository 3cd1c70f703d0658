package kernels

import "sync"

// A scratch is memory that a task or a call borrows from scratches and gives
// back, so that kernels leave nothing for the garbage collector.
type scratch struct {
	buf   []float32
	buf64 []float64
}

var scratches = sync.Pool{New: func() any { return new(scratch) }}

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
