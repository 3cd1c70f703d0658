package bench

import (
	"time"

	"plumb/internal/machine"
)

// Format is the version of reports as files.
const Format = "plumb-bench-1"

// A Header says what a report was measured on and how.
type Header struct {
	Format  string        `json:"format"`
	Version string        `json:"version"` // of the program
	Started time.Time     `json:"started"`
	Machine machine.Facts `json:"machine"`
	Kernels string        `json:"kernels"`  // implementation in use
	Workers int           `json:"workers"`  // of lines that use all
	CPUTime bool          `json:"cpu_time"` // the system tells processor time
	Effort  Effort        `json:"effort"`
}

// A Line is one thing that was timed.
type Line struct {
	Section string  `json:"section"`
	Shape   string  `json:"shape,omitempty"` // of a model
	Name    string  `json:"name"`
	Workers int     `json:"workers"`
	Unit    string  `json:"unit"` // of Work: "FLOP", "B", "tokens", "items"
	Work    float64 `json:"work"` // of one repetition

	N    int    `json:"n"`    // repetitions
	CPU  Figure `json:"cpu"`  // work in a second of processor time, all cores together
	Wall Figure `json:"wall"` // work in a second on the wall

	// Share is the best of CPU, in operations that the model needs or in bytes,
	// over LimitSpeed: what as many workers reached at Limit, which was timed in
	// turn with this line.
	Share      float64 `json:"share,omitempty"`
	Limit      string  `json:"limit,omitempty"`
	LimitSpeed float64 `json:"limit_speed,omitempty"`

	// Ratio is the speed as a multiple of that of the line of this section, shape and
	// number of workers that Against names, in processor time: the geometric mean over
	// pairs of repetitions, with its 95 % interval by Student's t of the logarithms.
	// Excess is the time for one unit of what Limit is about as a multiple of what
	// that line took for it.
	Against   string  `json:"against,omitempty"`
	Ratio     float64 `json:"ratio,omitempty"`
	RatioLow  float64 `json:"ratio_low,omitempty"`
	RatioHigh float64 `json:"ratio_high,omitempty"`
	Excess    float64 `json:"excess,omitempty"`

	CPURatio  float64 `json:"cpu_ratio,omitempty"`  // processor time, as a multiple of that of one worker
	PeakBytes int     `json:"peak_bytes,omitempty"` // most memory that the process held; 0 where it is not known
	Note      string  `json:"note,omitempty"`

	CPUSeconds  []float64 `json:"cpu_seconds"` // of each repetition
	WallSeconds []float64 `json:"wall_seconds"`
}

// Key names what l measured, the same in every report.
func (l Line) Key() Key { return Key{l.Section, l.Shape, l.Name, l.Workers} }

// A Key names a line.
type Key struct {
	Section, Shape, Name string
	Workers              int
}

// A Report is all that was measured in one go.
type Report struct {
	Header
	Lines []Line
}

// Valid says whether every figure of l holds, of both clocks.
func (l Line) Valid() bool { return l.CPU.Valid && l.Wall.Valid }
