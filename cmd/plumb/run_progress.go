package main

import (
	"fmt"
	"slices"
	"strings"
	"sync"

	"plumb/experiments"
)

// A runLine turns what happens in a run into the lines of a meter.
type runLine struct {
	app   *app
	meter *meter

	mu     sync.Mutex
	active map[string]experiments.Event // the last of each stage at work, by its ID
}

func newRunLine(a *app, m *meter) *runLine {
	return &runLine{app: a, meter: m, active: map[string]experiments.Event{}}
}

// observe takes in one event.
func (l *runLine) observe(e experiments.Event) {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch e.Kind {
	case experiments.EventBegun, experiments.EventProgress:
		l.active[e.ID] = e
	case experiments.EventDone, experiments.EventDiverged, experiments.EventFailed:
		delete(l.active, e.ID)
	}
	current := standing{l.text(e), e}
	if line := l.news(e); line != "" {
		l.meter.say(standing{line, e})
		if l.meter.mode.json {
			return
		}
	}
	l.meter.show(current)
}

// news is the line about an event that must not be missed, or empty.
func (l *runLine) news(e experiments.Event) string {
	what := strings.Join([]string{e.Stage, "of", e.Label}, " ")
	switch e.Kind {
	case experiments.EventFailed, experiments.EventDiverged:
		if e.Kind == experiments.EventDiverged && e.Stage == experiments.ScoreStage && !l.meter.mode.json {
			return "" // its training said so
		}
		reason, _, _ := strings.Cut(e.Message, "\n")
		return fmt.Sprintf("plumb: %s %s: %s", what, e.Kind, reason)
	case experiments.EventNote:
		return "plumb: " + e.Message
	case experiments.EventWarning:
		return "plumb: " + e.Message
	case experiments.EventBegun, experiments.EventDone, experiments.EventBusy:
		if l.app.verbose || l.meter.mode.json {
			return strings.TrimSpace(fmt.Sprintf("%s %s %s %s", e.Kind, what, e.ID, e.Message))
		}
	case experiments.EventStarted, experiments.EventFound:
		if l.meter.mode.json {
			return string(e.Kind)
		}
	}
	return ""
}

// text is the line of progress: the stage at work that comes first, and how far
// the run is. All but the label fits into 80 columns.
func (l *runLine) text(latest experiments.Event) string {
	first, ok := l.first()
	if !ok {
		return fmt.Sprintf("%d of %d trials done", latest.Done, latest.Trials)
	}
	parts := []string{fmt.Sprintf("trial %d/%d %s", min(latest.Done+1, latest.Trials), latest.Trials, stageText(first))}
	add := func(format string, args ...any) { parts = append(parts, fmt.Sprintf(format, args...)) }
	if first.Tokens > 0 {
		add("%s tokens", tight(first.Tokens))
	}
	if first.Rate > 0 {
		add("%s/s", tight(int(first.Rate)))
	}
	if first.Loss > 0 {
		add("loss %.3f", first.Loss)
	}
	if left := leftText(first, latest); left != "" {
		add("left %s", left)
	}
	if n := len(l.active) - 1; n > 0 {
		add("+%d at work", n)
	}
	if latest.Failed > 0 {
		add("%d failed", latest.Failed)
	}
	add("%s", first.Label)
	return strings.Join(parts, "  ")
}

// leftText is the time left for the trial and for the run, as far as known.
func leftText(trial, run experiments.Event) string {
	var parts []string
	if trial.Left > 0 {
		parts = append(parts, timeText(trial.Left))
	}
	if run.RunLeft > 0 {
		parts = append(parts, "run "+timeText(run.RunLeft))
	}
	return strings.Join(parts, ", ")
}

// tight is countText in as few columns as it takes.
func tight(n int) string { return strings.ReplaceAll(countText(float64(n)), " ", "") }

// stageText says what is done, and how much of it.
func stageText(e experiments.Event) string {
	if e.Steps == 0 {
		return e.Stage
	}
	return fmt.Sprintf("%s %d%%", e.Stage, 100*e.Step/e.Steps)
}

// first returns the stage at work whose trial comes first in the spec.
func (l *runLine) first() (experiments.Event, bool) {
	var all []experiments.Event
	for _, e := range l.active {
		all = append(all, e)
	}
	if len(all) == 0 {
		return experiments.Event{}, false
	}
	return slices.MinFunc(all, func(a, b experiments.Event) int {
		if a.Trial != b.Trial {
			return a.Trial - b.Trial
		}
		return strings.Compare(a.ID, b.ID)
	}), true
}
