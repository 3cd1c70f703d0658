package tokenizer

import "math"

// noRank is the rank of two symbols that do not merge.
const noRank = math.MaxInt32

// A merge is what two neighbouring symbols become. The pair of least rank in a
// word merges first, of equal ones the leftmost.
type merge struct{ rank, id int32 }

// A pair is two neighbouring ids, the left one in the high half, so that pairs
// compare as (left, right).
type pair uint64

func makePair(left, right int32) pair {
	return pair(uint64(uint32(left))<<32 | uint64(uint32(right)))
}

func (p pair) ids() (left, right int32) {
	return int32(p >> 32), int32(uint32(p))
}

// scanLimit is the number of symbols up to which searching the whole word for
// the best pair beats a heap.
const scanLimit = 256

// A merger applies merges to the symbols of one word.
type merger struct {
	merges map[pair]merge
	ops    int            // pairs looked at or queued, which tests hold to be linear
	unused map[int32]bool // ids whose parts are kept; nil for none
	parts  map[int32]pair // of unused ids, as last seen
}

// rank returns the rank of two neighbours.
func (m *merger) rank(left, right int32) int32 {
	found, ok := m.merges[makePair(left, right)]
	if !ok {
		return noRank
	}
	if m.unused[found.id] {
		m.parts[found.id] = makePair(left, right)
	}
	return found.rank
}

// takeApart appends id, or where it is unused its parts.
func (m *merger) takeApart(dst []int32, id int32) []int32 {
	open := []int32{id}
	for len(open) > 0 {
		id = open[len(open)-1]
		open = open[:len(open)-1]
		if p, ok := m.parts[id]; ok && m.unused[id] {
			left, right := p.ids()
			open = append(open, right, left)
			continue
		}
		dst = append(dst, id)
	}
	return dst
}

// apply merges symbols in place and returns what is left of them.
func (m *merger) apply(symbols []int32) []int32 {
	if len(symbols) <= scanLimit {
		return m.scan(symbols)
	}
	return m.queue(symbols)
}

// scan searches for the best pair again after each merge.
func (m *merger) scan(symbols []int32) []int32 {
	var buffer [scanLimit]int32
	ranks := buffer[:max(len(symbols)-1, 0)] // ranks[i] is that of symbols i and i+1
	for i := range ranks {
		ranks[i] = m.rank(symbols[i], symbols[i+1])
	}
	for {
		best, at := int32(noRank), 0
		for i, r := range ranks {
			if r < best {
				best, at = r, i
			}
		}
		m.ops += len(ranks)
		if best == noRank {
			return symbols
		}
		symbols[at] = m.merges[makePair(symbols[at], symbols[at+1])].id
		symbols = append(symbols[:at+1], symbols[at+2:]...)
		ranks = append(ranks[:at], ranks[at+1:]...)
		if at > 0 {
			ranks[at-1] = m.rank(symbols[at-1], symbols[at])
		}
		if at < len(ranks) {
			ranks[at] = m.rank(symbols[at], symbols[at+1])
		}
	}
}

// queue keeps the pairs of a long word in a heap, so that a word of n symbols
// takes n log n steps. Positions are those of the first symbol of a pair.
func (m *merger) queue(symbols []int32) []int32 {
	n := len(symbols)
	before, after, ranks := make([]int32, n), make([]int32, n), make([]int32, n)
	var h heap[place]
	for i := range symbols {
		before[i], after[i], ranks[i] = int32(i-1), int32(i+1), noRank
	}
	update := func(i int32) { // the pair at i has changed
		ranks[i] = noRank
		if j := after[i]; int(j) < n {
			ranks[i] = m.rank(symbols[i], symbols[j])
		}
		if ranks[i] != noRank {
			m.ops++
			h.push(place{ranks[i], i})
		}
	}
	for i := range n {
		update(int32(i))
	}
	for len(h) > 0 {
		p := h.pop()
		if ranks[p.at] != p.rank {
			continue // the pair has changed since it was queued
		}
		i, j := p.at, after[p.at]
		symbols[i] = m.merges[makePair(symbols[i], symbols[j])].id
		ranks[j] = noRank
		after[i] = after[j]
		if int(after[i]) < n {
			before[after[i]] = i
		}
		if before[i] >= 0 {
			update(before[i])
		}
		update(i)
	}
	kept := symbols[:0]
	for i := 0; i < n; i = int(after[i]) {
		kept = append(kept, symbols[i])
	}
	return kept
}

// A place is a pair in a word, ordered by rank and then from left to right.
type place struct{ rank, at int32 }

func (p place) less(q place) bool {
	return p.rank < q.rank || p.rank == q.rank && p.at < q.at
}

// A heap gives the least of its elements first.
type heap[T interface{ less(T) bool }] []T

func (h *heap[T]) push(x T) {
	*h = append(*h, x)
	s := *h
	for i := len(s) - 1; i > 0; {
		parent := (i - 1) / 2
		if !s[i].less(s[parent]) {
			return
		}
		s[i], s[parent] = s[parent], s[i]
		i = parent
	}
}

func (h *heap[T]) pop() T {
	s := *h
	top := s[0]
	s[0] = s[len(s)-1]
	s = s[:len(s)-1]
	*h = s
	for i := 0; ; {
		child := 2*i + 1
		if child >= len(s) {
			return top
		}
		if child+1 < len(s) && s[child+1].less(s[child]) {
			child++
		}
		if !s[child].less(s[i]) {
			return top
		}
		s[i], s[child] = s[child], s[i]
		i = child
	}
}
