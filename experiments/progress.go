package experiments

import (
	"sync"
	"time"

	"plumb/results"
)

// An EventKind says what happened.
type EventKind string

// What can happen in a run.
const (
	EventStarted  EventKind = "started"  // the run; Found trials have their records already
	EventBegun    EventKind = "begun"    // work on a stage
	EventProgress EventKind = "progress" // of a stage
	EventDone     EventKind = "done"     // a stage, by this process
	EventFound    EventKind = "found"    // a stage is complete already
	EventDiverged EventKind = "diverged" // a stage is done, and the training in it diverged
	EventFailed   EventKind = "failed"   // a stage
	EventBusy     EventKind = "busy"     // another process works on a stage
	EventWarning  EventKind = "warning"  // about something found damaged
	EventNote     EventKind = "note"     // about the run
)

// An Event is one thing that happened in a run, with all that a line of progress
// needs. Times left are estimates; they are 0 while nothing is known.
type Event struct {
	Time    time.Time     `json:"time"`
	Kind    EventKind     `json:"kind"`
	Stage   string        `json:"stage,omitempty"` // data, train, score, ..., or speed
	ID      string        `json:"id,omitempty"`    // of the stage
	Trial   int           `json:"trial,omitempty"` // number of the trial, from 1
	Trials  int           `json:"trials"`          // of the run
	Done    int           `json:"done"`            // trials that have their records
	Failed  int           `json:"failed"`          // stages that failed
	Label   string        `json:"label,omitempty"`
	Step    int           `json:"step,omitempty"` // of Steps of the stage
	Steps   int           `json:"steps,omitempty"`
	Tokens  int           `json:"tokens,omitempty"`            // trained on in this stage
	Rate    float64       `json:"tokens_per_second,omitempty"` // of this stage, in this process
	Loss    float64       `json:"loss,omitempty"`              // nats per token
	Left    time.Duration `json:"left_ns,omitempty"`           // of the stage
	RunLeft time.Duration `json:"run_left_ns,omitempty"`
	Message string        `json:"message,omitempty"`
}

// A watch follows a run and tells the observer.
type watch struct {
	observe func(Event)
	trials  int

	mu      sync.Mutex
	begin   time.Time
	active  map[*node]*attempt
	work    map[*node]float64 // operations that each node costs, estimated
	total   float64           // of all nodes
	settled float64           // of nodes done, by whomever
	mine    float64           // of nodes done by this process, without what checkpoints gave
	done    int
	failing int
}

// An attempt is a stage under way.
type attempt struct {
	begin time.Time
	first Progress // the first that was reported: a resumed stage does not start from nothing
	last  Progress
	seen  bool
}

func newWatch(r *runner) *watch {
	w := &watch{observe: r.options.Observe, trials: len(r.trials), begin: time.Now(),
		active: map[*node]*attempt{}, work: map[*node]float64{}}
	for _, n := range r.graph.nodes {
		w.work[n] = n.operations()
		w.total += w.work[n]
	}
	return w
}

// operations estimates what a node costs, for times left only.
func (n *node) operations() float64 {
	t := n.serves[0].trial
	perToken := t.Shape.TrainFLOPs(t.Shape.Context)
	switch n.kind {
	case TrainStage:
		return perToken * float64(t.Settings.Train.Tokens)
	case ScoreStage, CompressStage:
		return perToken * float64(t.Settings.Train.Tokens) / 20
	case HealStage:
		return perToken * float64(n.healed())
	}
	return 0
}

// send tells the observer; the watch is locked.
func (w *watch) send(kind EventKind, n *node, message string) {
	if w.observe == nil {
		return
	}
	e := Event{Time: time.Now(), Kind: kind, Trials: w.trials, Done: w.done, Failed: w.failing, Message: message, RunLeft: w.runLeft()}
	if n != nil {
		t := n.serves[0].trial
		e.Stage, e.ID, e.Trial, e.Label = n.kind, n.id, t.Number, t.Label()
		if n.stage != nil {
			e.ID = n.stage.ID
		}
		w.describe(&e, n)
	}
	w.observe(e)
}

// describe adds how far the stage is.
func (w *watch) describe(e *Event, n *node) {
	a := w.active[n]
	if a == nil || !a.seen {
		return
	}
	e.Step, e.Steps, e.Tokens, e.Loss = a.last.Done, a.last.Total, a.last.Tokens, a.last.Loss
	elapsed := time.Since(a.begin)
	if steps := a.last.Done - a.first.Done; steps > 0 && elapsed > 0 {
		e.Rate = float64(a.last.Tokens-a.first.Tokens) / elapsed.Seconds()
		e.Left = elapsed / time.Duration(steps) * time.Duration(a.last.Total-a.last.Done)
	}
}

// runLeft extrapolates from the operations done so far by this process.
func (w *watch) runLeft() time.Duration {
	mine, settled := w.mine, w.settled
	for n, a := range w.active {
		if a.seen && a.last.Total > 0 {
			share := 1 / float64(a.last.Total)
			mine += w.work[n] * share * float64(a.last.Done-a.first.Done)
			settled += w.work[n] * share * float64(a.last.Done)
		}
	}
	elapsed := time.Since(w.begin)
	if mine <= 0 || elapsed < time.Second {
		return 0
	}
	return time.Duration(float64(elapsed) * max(0, w.total-settled) / mine)
}

func (w *watch) locked(act func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	act()
}

func (w *watch) started() { w.locked(func() { w.send(EventStarted, nil, "") }) }

func (w *watch) begun(n *node) {
	w.locked(func() {
		w.active[n] = &attempt{begin: time.Now()}
		w.send(EventBegun, n, "")
	})
}

func (w *watch) progress(n *node, p Progress) {
	w.locked(func() {
		a := w.active[n]
		if a == nil {
			return
		}
		if !a.seen { // the time before the first report is that of one step
			a.seen, a.first = true, p
			a.begin = time.Now()
		}
		a.last = p
		w.send(EventProgress, n, "")
	})
}

// settle counts a node as done.
func (w *watch) settle(n *node, mine bool) {
	w.settled += w.work[n]
	if a := w.active[n]; mine && a != nil {
		share := 1.
		if a.seen && a.last.Total > 0 {
			share = 1 - float64(a.first.Done)/float64(a.last.Total)
		}
		w.mine += w.work[n] * share
	}
	if n.kind == ScoreStage {
		w.done++
	}
}

func (w *watch) ended(n *node) {
	w.locked(func() {
		w.settle(n, true)
		kind := EventDone
		if n.outcome.Status == results.StatusDiverged {
			kind = EventDiverged
		}
		w.send(kind, n, n.outcome.Note)
		delete(w.active, n)
	})
}

func (w *watch) found(n *node) {
	w.locked(func() {
		w.settle(n, false)
		w.send(EventFound, n, "")
	})
}

func (w *watch) failed(n *node, err error) {
	w.locked(func() {
		w.failing++
		w.send(EventFailed, n, err.Error())
		delete(w.active, n)
	})
}

// timing says that done of all repetitions of models are done, in order, and
// the next is of the trial t.
func (w *watch) timing(t *identity, done, all int, began time.Time) {
	w.locked(func() { w.sendTiming(EventProgress, t.trial.Label(), t.trial.Number, done, all, began) })
}

// timed says that the models were timed.
func (w *watch) timed(all int, began time.Time) {
	w.locked(func() { w.sendTiming(EventDone, "", 0, all, all, began) })
}

func (w *watch) sendTiming(kind EventKind, label string, number, done, all int, began time.Time) {
	if w.observe == nil {
		return
	}
	e := Event{Time: time.Now(), Kind: kind, Stage: speedStage, ID: speedStage, Label: label, Trial: number, Trials: w.trials, Done: w.done, Failed: w.failing, Step: done, Steps: all}
	if done > 0 {
		e.Left = time.Since(began) / time.Duration(done) * time.Duration(all-done)
	}
	w.observe(e)
}

// say tells of something about the whole run.
func (w *watch) say(message string) { w.locked(func() { w.send(EventNote, nil, message) }) }

func (w *watch) busy(n *node, by holder) {
	w.locked(func() { w.send(EventBusy, n, by.String()+" works on it") })
}

func (w *watch) warn(n *node, err error) {
	w.locked(func() { w.send(EventWarning, n, err.Error()) })
}
