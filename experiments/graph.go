package experiments

import (
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"slices"

	"plumb/internal/atomicfile"
	"plumb/results"
)

// A node is one stage of a run, or the choice of one that depends on how others
// ended.
type node struct {
	id     string // of the stage; of a choice, made of its trial's
	kind   string
	stage  *Stage // nil until known
	choose func() (*Stage, error)
	needs  []*node
	serves []*identity // trials that need it

	state   nodeState
	outcome Outcome
	err     error
}

type nodeState int

const (
	nodeWaits nodeState = iota
	nodeRuns
	nodeBusy // another process works on it
	nodeDone
	nodeFailed
)

// A graph holds the stages of the chosen trials, each once, in an order in
// which they can be done.
type graph struct {
	nodes []*node
	byID  map[string]*node
	store *store
}

// name is the ID of the node's stage once that is known.
func (n *node) name() string {
	if n.stage != nil {
		return n.stage.ID
	}
	return n.id
}

// newGraph lists what the trials need. Of a trial that has its records only
// those stages are listed that are still there, so that they are verified: who
// deletes a model to save space need not train it again.
func newGraph(trials []*identity, s *store) (*graph, error) {
	g := &graph{byID: map[string]*node{}, store: s}
	var open []*identity
	for _, t := range trials {
		done, err := s.complete(t.score.ID)
		var damaged *atomicfile.DamagedError
		if err != nil && !errors.As(err, &damaged) {
			return nil, err
		}
		if done {
			g.addDone(t)
			continue
		}
		open = append(open, t)
		data := g.add(t.data, t)
		for _, c := range t.candidates {
			g.add(c, t, data)
		}
	}
	for _, t := range open {
		g.addTrial(t)
	}
	return g, nil
}

// addDone adds what is left of a trial that has its records.
func (g *graph) addDone(t *identity) {
	var data *node
	for _, s := range append(slices.Clone(t.candidates), t.finals...) {
		if _, err := os.Stat(g.store.folder(s.ID)); !errors.Is(err, fs.ErrNotExist) {
			if data == nil {
				data = g.add(t.data, t)
			}
			g.add(s, t, data)
		}
	}
	g.add(t.score, t)
}

// add returns the node of a stage, new or known.
func (g *graph) add(s *Stage, t *identity, needs ...*node) *node {
	n, known := g.byID[s.ID]
	if !known {
		n = &node{id: s.ID, kind: s.Kind, stage: s, needs: needs}
		g.byID[s.ID] = n
		g.nodes = append(g.nodes, n)
	}
	n.serves = append(n.serves, t)
	return n
}

// addTrial adds the training at the trial's own seed and its scoring.
func (g *graph) addTrial(t *identity) {
	data := g.byID[t.data.ID]
	var training *node
	if len(t.candidates) == 0 {
		training = g.add(t.finals[0], t, data)
	} else {
		training = g.addChoice(t, data)
	}
	last := g.addRecipe(t, training, data)
	score := g.add(t.score, t, last, training, data)
	score.choose = func() (*Stage, error) {
		s := *t.score
		s.Model, s.Base = last.stage.ID, training.stage.ID
		var err error
		if len(t.candidates) > 0 {
			s.Tuning, err = g.tuning(t)
		}
		return &s, err
	}
}

// chosenSuffix makes the ID of a choice from its trial's.
const chosenSuffix = ".train"

// addChoice adds the training whose settings the candidates decide.
func (g *graph) addChoice(t *identity, data *node) *node {
	id := t.base.ID + chosenSuffix
	if n, known := g.byID[id]; known {
		n.serves = append(n.serves, t)
		return n
	}
	n := &node{id: id, kind: TrainStage, needs: []*node{data}, serves: []*identity{t}}
	for _, c := range t.candidates {
		n.needs = append(n.needs, g.byID[c.ID])
	}
	n.choose = func() (*Stage, error) {
		tuning, err := g.tuning(t)
		if err != nil {
			return nil, err
		}
		return t.finals[tuning.Best], nil
	}
	g.nodes, g.byID[id] = append(g.nodes, n), n
	return n
}

// addRecipe adds the stages of the trial's recipe, which trials share as far as
// they are the same, and returns the last. Behind a choice they are those of the
// training that is chosen.
func (g *graph) addRecipe(t *identity, training, data *node) *node {
	last := training
	if len(t.chains) == 0 {
		return last
	}
	for k, s := range t.chains[0] {
		if len(t.candidates) == 0 {
			last = g.add(s, t, last, training, data)
			continue
		}
		last = g.addChosen(t, k, last, training, data)
	}
	return last
}

// addChosen adds stage k of the recipe behind a choice. That of the first
// candidate names it.
func (g *graph) addChosen(t *identity, k int, needs ...*node) *node {
	first := t.chains[0][k]
	id := first.ID + chosenSuffix
	if n, known := g.byID[id]; known {
		n.serves = append(n.serves, t)
		return n
	}
	n := &node{id: id, kind: first.Kind, needs: needs, serves: []*identity{t}}
	n.choose = func() (*Stage, error) {
		tuning, err := g.tuning(t)
		if err != nil {
			return nil, err
		}
		return t.chains[tuning.Best][k], nil
	}
	g.nodes, g.byID[id] = append(g.nodes, n), n
	return n
}

// tuning reads what the candidates came to. The least validation loss wins, and
// of equals the first.
func (g *graph) tuning(t *identity) (*Tuning, error) {
	tuning := &Tuning{}
	best := math.Inf(1)
	for i, c := range t.candidates {
		record, err := readMetric(g.store.folder(c.ID), validNats)
		if err != nil {
			return nil, err
		}
		tuning.Stages, tuning.Losses = append(tuning.Stages, c.ID), append(tuning.Losses, record.Value)
		if record.Value != nil && *record.Value < best {
			best, tuning.Best = *record.Value, i
		}
	}
	tuning.Edge = t.trial.Tuned[tuning.Best].AtEdge
	return tuning, nil
}

// readMetric returns the one record of a metric in a stage's folder.
func readMetric(folder, metric string) (results.Record, error) {
	records, err := readRecords(folder)
	if err != nil {
		return results.Record{}, err
	}
	for _, r := range records {
		if r.Metric == metric {
			return r, nil
		}
	}
	return results.Record{}, atomicfile.Damaged(filepath.Join(folder, recordsFile), fmt.Sprintf("it has no record of %s", metric))
}

// readRecords reads the records of a completed stage; a torn line, which such a
// stage cannot have, counts as damage.
func readRecords(folder string) ([]results.Record, error) {
	path := filepath.Join(folder, recordsFile)
	records, torn, err := results.ReadRecords(path)
	if err == nil && torn > 0 {
		err = atomicfile.Damaged(path, "its last line is torn")
	}
	return records, err
}

// next returns the first node that can be worked on, or whether there may be
// one later: when a node that runs ends, or another process is done with one.
func (g *graph) next() (ready *node, later bool) {
	for _, n := range g.nodes {
		switch n.state {
		case nodeRuns, nodeBusy:
			later = true
		case nodeWaits:
			open, failed := n.blocked()
			if failed != nil {
				n.state, n.err = nodeFailed, failed.asNeed()
				continue
			}
			if !open {
				return n, true
			}
			later = true
		}
	}
	return nil, later
}

// A needError says which stage failed that others need.
type needError struct {
	kind, id string
	err      error
}

// Error names the stage and why it failed.
func (e *needError) Error() string {
	return fmt.Sprintf("%s stage %s failed: %v", e.kind, e.id, e.err)
}

// Unwrap returns why it failed.
func (e *needError) Unwrap() error { return e.err }

// asNeed is the failure of n as those see it that need it. However far they are
// from the stage that failed first, it is the same.
func (n *node) asNeed() error {
	var first *needError
	if errors.As(n.err, &first) {
		return first
	}
	return &needError{n.kind, n.name(), n.err}
}

// blocked says whether a need is open, and which one has failed.
func (n *node) blocked() (open bool, failed *node) {
	for _, need := range n.needs {
		switch need.state {
		case nodeFailed:
			return false, need
		case nodeDone:
		default:
			open = true
		}
	}
	return open, nil
}
