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
	sums, greedy = make([]float64, len(rows)), make([]bool, len(rows))
	if err := m.LogProbsInto(sums, greedy, rows, from); err != nil {
		return nil, nil, err
	}
	return sums, greedy, nil
}

// LogProbsInto is LogProbs with the caller's memory for the results, one for
// each row. It allocates nothing once it has seen as much before.
func (m *Model) LogProbsInto(sums []float64, greedy []bool, rows [][]int32, from []int) error {
	if err := m.checkRows(rows, from); err != nil {
		return err
	}
	s := m.scorer()
	for next := 0; next < len(rows); {
		next = s.plan(rows, from, next)
		s.run(rows, from, sums[:len(rows)], greedy[:len(rows)])
	}
	return nil
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

// rows is how many rows of a pass g takes.
func (g group) rows(rows [][]int32) int {
	n := g.shared
	for _, row := range rows[g.first:g.last] {
		n += len(row) - g.shared
	}
	return n
}

// plan gathers groups from row next on until a pass is full, and returns the
// first row that is left.
func (s *scorer) plan(rows [][]int32, from []int, next int) int {
	s.groups = s.groups[:0]
	for used := 0; next < len(rows); {
		g := groupAt(rows, from, next)
		n := g.rows(rows)
		if used > 0 && used+n > scoreRows {
			break
		}
		used += n
		s.groups = append(s.groups, g)
		next = g.last
	}
	return next
}

// groupAt extends a group from row first on as long as the next row shares a
// prefix of at least minShared tokens, and at least half of what is shared so
// far, and there is room for it in a pass.
func groupAt(rows [][]int32, from []int, first int) group {
	g := group{first, first + 1, from[first] - 1}
	ends := len(rows[first])
	for g.last < len(rows) {
		common := commonPrefix(rows[first], rows[g.last], min(g.shared, from[g.last]-1))
		ends += len(rows[g.last])
		if common < minShared || common < g.shared/2 || ends-(g.last-g.first)*common > scoreRows {
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
	m        *Model
	pass     *pass
	groups   []group
	trees    []kernels.Tree
	branches []int // of all trees
	// The scored positions of a pass: row of the pass, token, and text.
	at      []int
	targets []int32
	owner   []int
	states  []float32 // [headRows, e]
	logits  []float32 // [headRows, v]
	logs    []float64
	best    []bool

	computed int64 // tokens that have gone through a pass
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

// run scores the rows of the groups in one pass: what each group shares once,
// and behind it the rest of every row.
func (s *scorer) run(rows [][]int32, from []int, sums []float64, greedy []bool) {
	n := 0
	for _, g := range s.groups {
		n += g.rows(rows)
		for r := g.first; r < g.last; r++ {
			sums[r], greedy[r] = 0, true
		}
	}
	p := s.passFor(n)
	s.fill(p, rows, from)
	if len(p.tokens) > 0 {
		p.resize(s.m, len(p.tokens))
		p.trees = s.trees
		s.m.forward(p)
		s.computed += int64(len(p.tokens))
	}
	s.score(p, sums, greedy)
}

// passFor returns the pass, with room for rows rows.
func (s *scorer) passFor(rows int) *pass {
	if rows > cap(s.pass.tokens) {
		s.pass = s.m.newPass(rows)
	}
	s.pass.trees, s.pass.cache = nil, nil
	return s.pass
}

// fill gives p the tokens of the groups as trees, each text up to the token
// before its last, and notes which rows of p predict scored tokens.
func (s *scorer) fill(p *pass, rows [][]int32, from []int) {
	s.at, s.targets, s.owner = s.at[:0], s.targets[:0], s.owner[:0]
	s.trees, s.branches = s.trees[:0], s.branches[:0]
	p.tokens, p.positions = p.tokens[:0], p.positions[:0]
	for _, g := range s.groups {
		p.add(rows[g.first][:g.shared], 0)
		first := len(s.branches)
		for r := g.first; r < g.last; r++ {
			row := rows[r]
			if from[r] == len(row) {
				continue // nothing is scored
			}
			start := len(p.tokens) - 1 - g.shared // where p's row of a position lies
			p.add(row[g.shared:len(row)-1], g.shared)
			s.branches = append(s.branches, len(row)-1-g.shared)
			for position := from[r]; position < len(row); position++ {
				s.at = append(s.at, start+position)
				s.targets = append(s.targets, row[position])
				s.owner = append(s.owner, r)
			}
		}
		s.trees = append(s.trees, kernels.Tree{Shared: g.shared, Branches: s.branches[first:]})
	}
}

// add appends tokens that follow past others of their text.
func (p *pass) add(tokens []int32, past int) {
	p.tokens = append(p.tokens, tokens...)
	for i := range tokens {
		p.positions = append(p.positions, int32(past+i))
	}
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
