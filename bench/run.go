package bench

import (
	"context"
	"fmt"
	"math"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"plumb/internal/machine"
	"plumb/internal/registry"
	"plumb/kernels"
	"plumb/tasks"
)

// Options say what to time and how.
type Options struct {
	Only    []string // sections beside the limits; nil for all
	Shapes  []string // nil for those of each section
	Effort  Effort
	Workers int    // of lines that use all; 0 for as many as kernels use
	Version string // of the program, for the report

	Items []tasks.Item // of HellaSwag; nil for made ones of typical length

	Watch func(Progress) // told how far it is; may be nil
}

// A Progress says how far a run is.
type Progress struct {
	Section string        `json:"section"`
	Shape   string        `json:"shape,omitempty"`
	Name    string        `json:"name"`
	Share   float64       `json:"share"`   // of the work, as estimated
	Left    time.Duration `json:"left_ns"` // on the wall, as estimated
}

// A section is a part of a report.
type section struct {
	name   string
	about  string
	shapes []string // that it times unless it is told others
	groups func(r *runner, s Shape) []group
}

// sections lists them in the order of a report.
var sections = []section{limitsSection, kernelsSection, stepSection, scoringSection, decodingSection, formsSection}

// Sections names the sections of a report, in order.
func Sections() (names []string) {
	for _, s := range sections {
		names = append(names, s.name)
	}
	return names
}

// About says what the section called name times, and as shares of what.
func About(name string) string {
	for _, s := range sections {
		if s.name == name {
			return s.about
		}
	}
	return ""
}

// A group is what is timed in turn. Its memory is made when its time comes and
// dropped behind it.
type group struct {
	section, shape string
	model          bool       // it holds a model, whose memory is of interest
	limits         []limitKey // that it times beside those that its probes are shares of
	costs          []float64  // about the operations of one Do of each probe
	open           func() (probes []probe, drop func(), err error)
}

// A probe is a line with what is done for it.
type probe struct {
	Line
	Task
	needs float64 // operations or bytes of one Do, that Limit is about; 0 without a Limit
}

// A runner is a run of the benchmark under way.
type runner struct {
	Options
	clock    Clock
	known    bool // processor time
	cores    int
	report   Report
	estimate float64 // seconds of all groups
	behind   float64 // estimated seconds of the groups done
	started  time.Time
	spent    float64 // seconds on the wall in what is timed
}

// Run times what o asks for and the limits of the machine, which everything else
// is a share of. It changes the number of workers of kernels while it runs.
func Run(ctx context.Context, o Options) (Report, error) {
	chosen, err := o.sections()
	if err != nil {
		return Report{}, err
	}
	before := kernels.Workers()
	defer kernels.SetWorkers(before)
	r := o.runner()
	groups := r.groups(chosen)
	for _, g := range groups {
		r.estimate += r.seconds(g)
	}
	for _, g := range groups {
		if err := r.time(ctx, g); err != nil {
			return r.report, err
		}
	}
	return r.report, nil
}

// runner starts a run of o.
func (o Options) runner() *runner {
	if o.Workers == 0 {
		o.Workers = kernels.Workers()
	}
	if o.Watch == nil {
		o.Watch = func(Progress) {}
	}
	r := &runner{Options: o, started: time.Now()}
	r.clock, r.known = SystemClock()
	r.report.Header = r.header()
	r.cores = r.report.Machine.Cores
	return r
}

// HeaderOf returns the header that a report of o has when it is begun now.
func HeaderOf(o Options) Header { return o.runner().report.Header }

func (r *runner) header() Header {
	return Header{
		Format: Format, Version: r.Version, Started: r.started.UTC().Truncate(time.Second), Machine: machine.Look(),
		Kernels: kernels.Chosen(), Workers: r.Workers, CPUTime: r.known, Effort: r.Effort,
	}
}

// sections resolves what o asks for. The limits are always among it.
func (o Options) sections() ([]section, error) {
	for _, name := range o.Only {
		if !slices.Contains(Sections(), name) {
			return nil, fmt.Errorf("no section named %q (have %s)%s", name, strings.Join(Sections(), ", "), registry.Hint(name, Sections()))
		}
	}
	for _, name := range o.Shapes {
		if _, err := Shapes.Get(name); err != nil {
			return nil, err
		}
	}
	var chosen []section
	for _, s := range sections {
		if len(o.Only) == 0 || s.name == limitsSection.name || slices.Contains(o.Only, s.name) {
			chosen = append(chosen, s)
		}
	}
	return chosen, nil
}

// groups lists what the chosen sections time. A section without shapes is not
// about models.
func (r *runner) groups(chosen []section) (all []group) {
	for _, s := range chosen {
		if len(s.shapes) == 0 {
			all = append(all, s.groups(r, Shape{})...)
			continue
		}
		names := s.shapes
		if len(r.Shapes) > 0 {
			names = r.Shapes
		}
		for _, name := range names {
			all = append(all, s.groups(r, mustShape(name))...)
		}
	}
	return all
}

// guess is the speed in operations a second that progress expects until it
// knows better.
const guess = 5e10

// seconds estimates how long a group takes.
func (r *runner) seconds(g group) float64 {
	total := 0.0
	for _, cost := range g.costs {
		once := cost / guess
		total += math.Max(once*float64(r.Effort.Repeat+1), r.Effort.Time.Seconds()+once)
	}
	return total
}

// time times one group, in turn with the limits that it is a share of, and
// appends its lines to the report.
func (r *runner) time(ctx context.Context, g group) error {
	debug.FreeOSMemory()
	forgets := machine.ForgetPeak()
	probes, drop, err := g.open()
	if err != nil {
		return err
	}
	defer drop()
	peak := 0
	if g.model {
		if err := warm(probes); err != nil {
			return err
		}
		if forgets {
			peak = machine.RecentPeak()
		}
	}
	all := slices.Clone(probes)
	for _, key := range limitsOf(g, probes) {
		all = append(all, key.probe())
	}
	times, err := r.interleave(ctx, g, all)
	if err != nil {
		return err
	}
	lines := make([]Line, len(all))
	for i, p := range all {
		lines[i] = r.line(p, times[i])
	}
	for i := range probes {
		lines[i].PeakBytes = peak
		lines[i].share(probes[i].needs, lines[len(probes):])
	}
	compareForms(lines[:len(probes)], probes)
	if len(g.limits) == 0 {
		lines = lines[:len(probes)]
	}
	compareWorkers(lines)
	r.report.Lines = append(r.report.Lines, lines...)
	return nil
}

// warm does everything once, before the memory of the limits is there.
func warm(probes []probe) error {
	for _, p := range probes {
		p.Before()
		if err := p.Do(); err != nil {
			return err
		}
	}
	return nil
}

// limitsOf lists the limits that a group times, each once.
func limitsOf(g group, probes []probe) []limitKey {
	keys := slices.Clone(g.limits)
	for _, p := range probes {
		if key := (limitKey{p.Limit, p.Workers}); p.Limit != "" && !slices.Contains(keys, key) {
			keys = append(keys, key)
		}
	}
	return keys
}

// interleave times the probes of a group while progress is told.
func (r *runner) interleave(ctx context.Context, g group, probes []probe) ([]Times, error) {
	work := make([]Task, len(probes))
	for i, p := range probes {
		work[i] = p.Task
	}
	expected, inside := r.seconds(g), 0.0
	times, err := Interleave(ctx, r.clock, work, r.Effort, func(task int, took Reading) {
		inside += took.Wall.Seconds()
		r.spent += took.Wall.Seconds()
		l := probes[task].Line
		r.watch(Line{Section: g.section, Shape: g.shape, Name: l.Name}, math.Min(inside, expected))
	})
	r.behind += expected
	return times, err
}

// watch tells how far the run is when inside estimated seconds of the group at l
// are done.
func (r *runner) watch(l Line, inside float64) {
	done := r.behind + inside
	share := math.Min(1, done/math.Max(r.estimate, 1e-9))
	left := time.Duration(0)
	if share > 0 {
		left = time.Duration(r.spent * (1 - share) / share * float64(time.Second))
	}
	r.Watch(Progress{l.Section, l.Shape, l.Name, share, left})
}

// line sums up what was timed for p.
func (r *runner) line(p probe, t Times) Line {
	l := p.Line
	l.N, l.CPUSeconds, l.WallSeconds = len(t.CPU), t.CPU, t.Wall
	cpu, wall := t.judge(l.Workers, r.cores, r.known)
	l.CPU, l.Wall = figure(l.Work, t.CPU, cpu), figure(l.Work, t.Wall, wall)
	return l
}

// share compares l with its limit, one of limits: one repetition needs so many
// of what the limit counts.
func (l *Line) share(needs float64, limits []Line) {
	for _, limit := range limits {
		if limit.Name == l.Limit && limit.Workers == l.Workers {
			l.LimitSpeed = limit.CPU.Best
			l.Share = l.CPU.Best / l.Work * needs / l.LimitSpeed
		}
	}
}

// compareForms compares lines with those that they name.
func compareForms(lines []Line, probes []probe) {
	for i, l := range lines {
		for j, base := range lines {
			if l.Against == "" || base.Key() != (Key{l.Section, l.Shape, l.Against, l.Workers}) {
				continue
			}
			ratio := speedRatio(base, l)
			lines[i].Ratio, lines[i].RatioLow, lines[i].RatioHigh = math.Exp(ratio.Mean), math.Exp(ratio.Low), math.Exp(ratio.High)
			lines[i].Excess = probes[j].needs / base.Work / (probes[i].needs / l.Work) / lines[i].Ratio
		}
	}
}

// compareWorkers notes how much more processor time the lines on several
// workers took than the same on one.
func compareWorkers(lines []Line) {
	for i, l := range lines {
		for _, one := range lines {
			if l.Workers > 1 && one.Workers == 1 && one.Key() == (Key{l.Section, l.Shape, l.Name, 1}) {
				lines[i].CPURatio = one.CPU.Best / l.CPU.Best
			}
		}
	}
}

// counts returns the numbers of workers that lines are measured with.
func (r *runner) counts() []int {
	if r.Workers == 1 {
		return []int{1}
	}
	return []int{1, r.Workers}
}
