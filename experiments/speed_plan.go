package experiments

import (
	"fmt"
	"os"
	"path/filepath"
)

// A PlannedSpeed says what the timing of a spec's models costs.
type PlannedSpeed struct {
	Models int     `json:"models"`
	Rounds int     `json:"rounds"`
	CPU    float64 `json:"cpu_seconds"` // estimated, like the time on the wall, since nothing else runs
	Done   bool    `json:"done"`        // speeds are there, for whichever models
}

// What timing takes, about: a repetition's processor time at least, the tokens
// that a model decodes in one, how much slower decoding is than scoring, and the
// bytes a second that loading comes to.
const (
	repetitionSeconds = 0.1
	decodedTokens     = 32
	decodingSlowness  = 8
	loadedBytes       = 1e9
)

// speeds adds the timing of the models to the plan.
func (e *estimator) speeds(s *Spec, trials []*identity) {
	if s.Speed.Repeat == 0 {
		return
	}
	planned := &PlannedSpeed{Rounds: s.Speed.Repeat}
	seen := map[string]bool{}
	for _, t := range trials {
		if key := fmt.Sprint(t.trial.Keys); !seen[key] {
			seen[key] = true
			planned.Models++
			planned.CPU += float64(s.Speed.Repeat+2) * e.visit(t.trial)
		}
	}
	_, err := os.Stat(filepath.Join(e.plan.Folder, speedFileName))
	planned.Done = err == nil
	e.plan.Speed = planned
	e.plan.CPU += planned.CPU
	if !planned.Done {
		e.plan.Left, e.plan.Wall = e.plan.Left+planned.CPU, e.plan.Wall+planned.CPU/float64(s.Speed.Workers)
	}
}

// visit is the processor time of timing one model once: each thing is done
// before it is timed, and again until a repetition is long enough.
func (e *estimator) visit(t *Trial) float64 {
	perToken := t.Shape.ForwardFLOPs(t.Shape.Context) / e.plan.Probe.speed(t.Shape).Scoring
	load := 4 * float64(t.Shape.Params().Total) / loadedBytes
	prompt := 2 * float64(min(512, t.Shape.Context)) * perToken
	decoding := decodedTokens * decodingSlowness * perToken
	total := 2 * load
	for _, once := range []float64{load, prompt, decoding} {
		total += once + max(once, repetitionSeconds)
	}
	return total
}
