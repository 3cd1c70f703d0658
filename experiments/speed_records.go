package experiments

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"plumb/results"
)

// Metrics of what models cost to run and recipes to apply.
const (
	loadSeconds     = "speed/load"
	promptSpeed     = "speed/prompt"
	decodingSpeed   = "speed/decoding"
	decodingLatency = "speed/latency" // of a token when decoding
	decodingEnergy  = "energy/decoding"
	residentBytes   = "memory/resident"
	peakBytes       = "memory/peak"
	compressionTime = "cost/compression"
)

// speedUnits has these metrics with their units.
var speedUnits = map[string]string{
	loadSeconds: "seconds", promptSpeed: "tokens/s", decodingSpeed: "tokens/s", decodingLatency: "ms/token", decodingEnergy: "J/token",
	residentBytes: "bytes", peakBytes: "bytes", compressionTime: "seconds",
}

// speeds is the file of what the rounds come to: records that no stage has,
// since they differ whenever they are measured.
type speeds struct {
	Conditions Conditions       `json:"conditions"`
	Rounds     int              `json:"rounds"`
	Seeds      []uint64         `json:"seeds"` // whose models were timed
	Began      string           `json:"began"`
	Ended      string           `json:"ended"`
	Load       [2]float64       `json:"load"` // runnable processes on the machine: least and most
	Records    []results.Record `json:"records"`
}

// conclude writes what the session comes to.
func (t *timekeeper) conclude() error {
	s := speeds{Conditions: t.session.Conditions, Rounds: t.spec.Speed.Repeat}
	for i, line := range t.session.lines {
		ended := line.Ended.Format("2006-01-02 15:04")
		if i == 0 {
			s.Began, s.Load = ended, [2]float64{line.Load, line.Load}
		}
		s.Ended = ended
		s.Load = [2]float64{min(s.Load[0], line.Load), max(s.Load[1], line.Load)}
	}
	for _, m := range t.models {
		if !slices.Contains(s.Seeds, m.trial.trial.Seed) {
			s.Seeds = append(s.Seeds, m.trial.trial.Seed)
		}
		s.Records = append(s.Records, t.records(m)...)
	}
	costs, err := t.costs()
	if err != nil {
		return err
	}
	s.Records = append(s.Records, costs...)
	data, err := json.MarshalIndent(s, "", " ")
	if err != nil {
		return err
	}
	return t.store.disk.write(filepath.Join(t.store.root, speedFileName), append(data, '\n'))
}

// speedRecord begins a record of a trial.
func (r *runner) speedRecord(t *identity, metric string) results.Record {
	return results.Record{Experiment: r.spec.Name, Trial: t.score.ID, Seed: t.trial.Seed, Keys: t.trial.Keys,
		Metric: metric, Unit: speedUnits[metric], Status: results.StatusOK, Origin: results.Measured}
}

// unavailable turns r into one that says why there is no value.
func unavailable(r results.Record, why string) results.Record {
	r.Status, r.Origin, r.Verdict, r.Note = results.StatusUnavailable, "", "", why
	r.Value, r.Low, r.High, r.N = nil, nil, nil, 0
	return r
}

// records are those of a timed model.
func (t *timekeeper) records(m timedModel) (all []results.Record) {
	byName := map[string][]Repetition{}
	memory, lost := speedLine{}, ""
	for _, line := range t.session.lines {
		switch {
		case line.Model != m.stage:
		case line.Lost != "":
			lost = line.Lost
		case line.Round == 0:
			memory = line
		default:
			for _, one := range line.Repetitions {
				byName[one.Name] = append(byName[one.Name], one)
			}
		}
	}
	if lost != "" {
		for _, metric := range []string{loadSeconds, promptSpeed, decodingSpeed, decodingLatency, decodingEnergy, residentBytes, peakBytes} {
			all = append(all, unavailable(t.speedRecord(m.trial, metric), lost))
		}
		return all
	}
	inverse := func(scale float64) func(float64) float64 { return func(v float64) float64 { return scale / v } }
	same := func(v float64) float64 { return v }
	all = append(all,
		t.speed(m, loadSeconds, byName[LoadTime], inverse(1)),
		t.speed(m, promptSpeed, byName[PromptTime], same),
		t.speed(m, decodingSpeed, byName[DecodingTime], same),
		t.speed(m, decodingLatency, byName[DecodingTime], inverse(1000)),
		t.energy(m, byName[DecodingTime]),
		t.bytes(m, residentBytes, memory.Resident), t.bytes(m, peakBytes, memory.Peak))
	return all
}

// speed is the record of a speed, or of what of makes of it.
func (t *timekeeper) speed(m timedModel, metric string, repetitions []Repetition, of func(float64) float64) results.Record {
	r := t.speedRecord(m.trial, metric)
	if len(repetitions) == 0 {
		return unavailable(r, "no repetition was timed")
	}
	j := t.timer.Judge(repetitions)
	low, high := of(j.Low), of(j.High)
	r.Value, r.Low, r.High = results.Number(of(j.Median)), results.Number(min(low, high)), results.Number(max(low, high))
	r.N, r.Verdict, r.Note = len(repetitions), results.Valid, m.note
	if len(j.Wrong) > 0 {
		r.Verdict, r.Note = results.Invalid, joinNotes(m.note, "INVALID: "+strings.Join(j.Wrong, "; "))
	}
	return r
}

// energy is the median over repetitions of what the machine's processors took
// for a token, whoever else worked on them.
func (t *timekeeper) energy(m timedModel, repetitions []Repetition) results.Record {
	r := t.speedRecord(m.trial, decodingEnergy)
	var joules []float64
	for _, one := range repetitions {
		if one.Joules > 0 && one.Work > 0 {
			joules = append(joules, one.Joules/one.Work)
		}
	}
	if len(joules) == 0 || len(joules) < len(repetitions) {
		return unavailable(r, "this machine shows no energy counters that can be read")
	}
	slices.Sort(joules)
	at := func(share float64) *float64 { return results.Number(joules[int(share*float64(len(joules)-1)+0.5)]) }
	r.Value, r.Low, r.High, r.N = at(0.5), at(0.25), at(0.75), len(joules)
	r.Verdict, r.Note = results.Valid, "of all processors of the machine, whoever they worked for"
	if len(t.timer.Judge(repetitions).Wrong) > 0 {
		r.Verdict, r.Note = results.Invalid, "INVALID: the decoding that it is of is"
	}
	return r
}

func (t *timekeeper) bytes(m timedModel, metric string, value int) results.Record {
	r := t.speedRecord(m.trial, metric)
	if value <= 0 {
		return unavailable(r, "this system does not tell")
	}
	r.Value, r.N, r.Note = results.Number(float64(value)), 1, m.note
	return r
}

// costs are the processor times of all recipes, at every seed.
func (t *timekeeper) costs() (all []results.Record, err error) {
	for _, trial := range t.trials {
		n := t.graph.byID[trial.score.ID]
		if trial.trial.Recipe == nil || n.state != nodeDone || n.outcome.Status != results.StatusOK {
			continue
		}
		_, chain, err := t.modelOf(trial)
		if err != nil {
			return nil, err
		}
		r := t.speedRecord(trial, compressionTime)
		seconds, why := 0.0, ""
		for _, stage := range chain {
			took, note := t.cost(stage)
			seconds, why = seconds+took, cmp.Or(why, note)
		}
		if r.Value, r.N = &seconds, 1; why != "" {
			r = unavailable(r, why)
		}
		all = append(all, r)
	}
	return all, nil
}

// cost is the processor time of the last attempt at a stage, or why it is not known.
func (t *timekeeper) cost(stage *Stage) (seconds float64, why string) {
	data, err := os.ReadFile(filepath.Join(t.store.folder(stage.ID), timingsFile))
	if err != nil {
		return 0, "a stage has no timings any more"
	}
	for line := range strings.Lines(string(data)) {
		var one Timing
		if json.Unmarshal([]byte(line), &one) == nil && one.Stage == stage.Kind {
			seconds = one.Own
		}
	}
	if seconds == 0 {
		return 0, "a stage ran beside others where their own time is not told; --jobs 1 does"
	}
	return seconds, ""
}

// readSpeeds reads what was timed in a run; nil where nothing was.
func readSpeeds(folder string) (*speeds, error) {
	path := filepath.Join(folder, speedFileName)
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	var s speeds
	if err == nil {
		err = json.Unmarshal(data, &s)
	}
	for _, r := range s.Records {
		err = errors.Join(err, r.Check())
	}
	if err != nil {
		return nil, fmt.Errorf("%s cannot be read: %w; remove it and run the spec again", path, err)
	}
	return &s, nil
}

// timings are the records of speeds of the trials that have records; where
// views ask for a speed that nothing is known of, they say so.
func (r *Report) timings(all []results.Record) []results.Record {
	s, err := readSpeeds(r.folder)
	if err != nil {
		r.Problems = append(r.Problems, err)
	}
	have, known := map[string]results.Record{}, map[string]bool{}
	for _, one := range all {
		have[one.Trial] = one
	}
	var records []results.Record
	if s != nil {
		r.speeds = s
		for _, one := range s.Records {
			if _, ok := have[one.Trial]; ok {
				records, known[one.Metric] = append(records, one), true
			}
		}
	}
	for _, metric := range sortedKeys(speedUnits) {
		if known[metric] || !r.asks(metric) {
			continue
		}
		for _, trial := range slices.Sorted(maps.Keys(have)) {
			one := have[trial]
			records = append(records, unavailable(results.Record{Experiment: one.Experiment, Trial: one.Trial, Seed: one.Seed, Keys: one.Keys,
				Metric: metric, Unit: speedUnits[metric]}, "nothing is timed yet; plumb run does it where the spec has [speed]"))
		}
	}
	return records
}

// asks says whether a view names the metric.
func (r *Report) asks(metric string) bool {
	return slices.ContainsFunc(r.Experiment.Views, func(v results.View) bool {
		return v.Metric == metric || slices.Contains(v.Metrics, metric)
	})
}

// caption says how the speeds in a table were measured.
func (s *speeds) caption(t *results.Table) []string {
	seen := map[string]bool{}
	for i := range t.Cells {
		for _, c := range t.Cells[i] {
			seen[c.Metric] = seen[c.Metric] || c.HasValue()
		}
	}
	var parts []string
	add := func(text string, metrics ...string) {
		if slices.ContainsFunc(metrics, func(m string) bool { return seen[m] }) {
			parts = append(parts, text)
		}
	}
	add(fmt.Sprintf("Speeds: medians of %d repetitions, models in turn, in processor time, at seed %s alone, %s to %s UTC on %s; load of the machine %.1f to %.1f.",
		s.Rounds, seedTexts(s.Seeds), s.Began, s.Ended, s.Conditions, s.Load[0], s.Load[1]), loadSeconds, promptSpeed, decodingSpeed, decodingLatency)
	add("Load: from the folder, which the system has in memory, to the first token. Prompt: two rows of 512 tokens or the context, the next token is scored. Decoding: one sequence, token by token.", loadSeconds, promptSpeed, decodingSpeed, decodingLatency)
	add("Memory: resident, what the model holds when it is ready; peak, the most that the process took for it while it loaded, scored and decoded.", residentBytes, peakBytes)
	add("Compression: processor time of the recipe's stages, training included, each counted whole where recipes share it.", compressionTime)
	return parts
}

func seedTexts(seeds []uint64) string {
	texts := make([]string, len(seeds))
	for i, s := range seeds {
		texts[i] = fmt.Sprint(s)
	}
	return strings.Join(texts, ", ")
}
