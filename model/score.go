package model

import (
	"errors"
	"fmt"

	"plumb/kernels"
)

// scoreRows bounds the rows of one scoring pass, and so its memory. No bit of
// a score depends on it.
const scoreRows = 1024

// minShared is the shortest common prefix that is worth a pass of its own.
const minShared = 8

// LogProbs returns for each row of tokens the sum over positions p >= from of
// ln p(row[p] | row[:p]) in nats, and whether each of these tokens was the most
// likely one. A row may have one token more than the context, since the last
// is only predicted, and from is at least 1.
//
// Neighbouring rows that begin alike share that part of the work. The order
// and the grouping of rows change no bit of a result.
func (m *Model) LogProbs(rows [][]int32, from []int) (sums []float64, greedy []bool, err error) {
	if err := m.checkRows(rows, from); err != nil {
		return nil, nil, err
	}
	sums, greedy = make([]float64, len(rows)), make([]bool, len(rows))
	s := m.scorer()
	for next := 0; next < len(rows); {
		groups, end := plan(rows, from, next)
		s.run(rows, from, groups, sums, greedy)
		next = end
	}
	return sums, greedy, nil
}

func (m *Model) checkRows(rows [][]int32, from []int) error {
	if len(rows) != len(from) {
		return fmt.Errorf("%d rows but %d starts", len(rows), len(from))
	}
	var problems []error
	for i, row := range rows {
		switch {
		case len(row) > m.cfg.Context+1:
			problems = append(problems, fmt.Errorf("row %d has %d tokens, more than the context of %d and one", i, len(row), m.cfg.Context))
		case from[i] < 1 || from[i] > len(row):
			problems = append(problems, fmt.Errorf("row %d of %d tokens is scored from %d; the first token has nothing before it", i, len(row), from[i]))
		}
		for _, token := range row {
			if token < 0 || int(token) >= m.cfg.Vocab {
				problems = append(problems, fmt.Errorf("row %d has token %d, outside the vocabulary of %d", i, token, m.cfg.Vocab))
				break
			}
		}
	}
	return errors.Join(problems...)
}

// A group is rows first..last-1, which share their first shared tokens.
type group struct{ first, last, shared int }

// plan gathers groups from row next on until a pass is full, and returns the
// first row that is left.
func plan(rows [][]int32, from []int, next int) (groups []group, end int) {
	used := 0
	for next < len(rows) {
		g := groupAt(rows, from, next)
		cost := g.shared
		for _, row := range rows[g.first:g.last] {
			cost += len(row) - g.shared
		}
		if used > 0 && used+cost > scoreRows {
			break
		}
		used += cost
		groups = append(groups, g)
		next = g.last
	}
	return groups, next
}

// groupAt extends a group from row first on as long as the next row shares a
// prefix of at least minShared tokens, and at least half of what is shared so far.
func groupAt(rows [][]int32, from []int, first int) group {
	g := group{first, first + 1, from[first] - 1}
	for g.last < len(rows) {
		common := commonPrefix(rows[first], rows[g.last], min(g.shared, from[g.last]-1))
		if common < minShared || common < g.shared/2 {
			break
		}
		g.shared = common
		g.last++
	}
	if g.last == g.first+1 {
		g.shared = 0
	}
	return g
}

// commonPrefix counts the leading tokens that a and b share, at most limit.
func commonPrefix(a, b []int32, limit int) int {
	for i := range min(limit, len(a), len(b)) {
		if a[i] != b[i] {
			return i
		}
	}
	return min(limit, len(a), len(b))
}

// A scorer holds the memory of scoring passes.
type scorer struct {
	m      *Model
	pass   *pass
	caches []*cache
	// The scored positions of a pass: row of the pass, token, and text.
	at      []int
	targets []int32
	owner   []int
	states  []float32 // [headRows, e]
	logits  []float32 // [headRows, v]
	logs    []float64
	best    []bool
}

func (m *Model) scorer() *scorer {
	if m.scoring == nil {
		m.scoring = &scorer{
			m: m, pass: m.newPass(scoreRows),
			states: make([]float32, headRows*m.cfg.TokenWidth()), logits: make([]float32, headRows*m.cfg.Vocab),
			logs: make([]float64, headRows), best: make([]bool, headRows),
		}
	}
	return m.scoring
}

// run scores the rows of some groups: first what each group shares, then the
// rest of every row behind it.
func (s *scorer) run(rows [][]int32, from []int, groups []group, sums []float64, greedy []bool) {
	for i, g := range groups {
		if i == len(s.caches) {
			s.caches = append(s.caches, s.m.newCache(s.m.cfg.Context))
		}
		for r := g.first; r < g.last; r++ {
			greedy[r] = true
		}
	}
	s.sharedPrefixes(rows, groups)
	s.score(s.endings(rows, from, groups), sums, greedy)
}

func (s *scorer) sharedPrefixes(rows [][]int32, groups []group) {
	b := s.begin()
	for i, g := range groups {
		if g.shared > 0 {
			b.add(rows[g.first][:g.shared], 0, s.caches[i])
		}
	}
	b.forward()
}

// endings runs what follows the shared prefix of each row, up to the token
// before the last, and notes which rows of the pass predict scored tokens.
func (s *scorer) endings(rows [][]int32, from []int, groups []group) *pass {
	s.at, s.targets, s.owner = s.at[:0], s.targets[:0], s.owner[:0]
	b := s.begin()
	for i, g := range groups {
		for r := g.first; r < g.last; r++ {
			row := rows[r]
			if from[r] == len(row) {
				continue // nothing is scored
			}
			start := b.add(row[g.shared:len(row)-1], g.shared, s.caches[i])
			for p := from[r]; p < len(row); p++ {
				s.at = append(s.at, start+p-1-g.shared)
				s.targets = append(s.targets, row[p])
				s.owner = append(s.owner, r)
			}
		}
	}
	return b.forward()
}

// score runs the head at the noted rows only, and adds up by text.
func (s *scorer) score(p *pass, sums []float64, greedy []bool) {
	c, v := s.m.cfg.TokenWidth(), s.m.cfg.Vocab
	for from := 0; from < len(s.at); from += headRows {
		to := min(from+headRows, len(s.at))
		n := to - from
		for i, row := range s.at[from:to] {
			copy(s.states[i*c:(i+1)*c], p.normed[row*c:(row+1)*c])
		}
		s.m.logits(s.logits, s.states, n)
		kernels.LogProbs(s.logs[:n], s.best[:n], s.logits[:n*v], s.targets[from:to])
		for i := range n {
			owner := s.owner[from+i]
			sums[owner] += s.logs[i]
			greedy[owner] = greedy[owner] && s.best[i]
		}
	}
}

// A builder gathers pieces of sequences for one pass.
type builder struct {
	s                 *scorer
	tokens, positions []int32
	pieces            []piece
}

func (s *scorer) begin() *builder {
	return &builder{s: s, tokens: s.pass.tokens[:0], positions: s.pass.positions[:0]}
}

// add appends tokens that follow past tokens of the sequence in c, and
// returns the row of the first.
func (b *builder) add(tokens []int32, past int, c *cache) int {
	start := len(b.tokens)
	b.tokens = append(b.tokens, tokens...)
	for i := range tokens {
		b.positions = append(b.positions, int32(past+i))
	}
	b.pieces = append(b.pieces, piece{start, len(tokens), past, c})
	return start
}

// forward runs what was added, in a larger pass than before if need be.
func (b *builder) forward() *pass {
	rows := len(b.tokens)
	if rows > b.s.pass.rows {
		b.s.pass = b.s.m.newPass(rows)
	}
	p := b.s.pass.shrink(b.s.m, rows)
	copy(p.tokens, b.tokens)
	copy(p.positions, b.positions)
	p.pieces = b.pieces
	if rows > 0 {
		b.s.m.forward(p)
	}
	return p
}
