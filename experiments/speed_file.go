package experiments

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"time"

	"plumb/internal/atomicfile"
)

// A speedLine is a line of the file of rounds: the beginning of a session, or
// what one model took in one round of it. Round 0 is about memory.
type speedLine struct {
	Session     string       `json:"session"`
	Conditions  *Conditions  `json:"conditions,omitempty"` // of a beginning
	Model       string       `json:"model,omitempty"`
	Round       int          `json:"round"`
	Lost        string       `json:"lost,omitempty"` // why there is nothing
	Resident    int          `json:"resident_bytes,omitempty"`
	Peak        int          `json:"peak_bytes,omitempty"`
	Repetitions []Repetition `json:"repetitions,omitempty"`
	Load        float64      `json:"load"` // runnable processes on the machine before it
	Ended       time.Time    `json:"ended"`
}

// A speedSession is all that was measured under the same conditions.
type speedSession struct {
	ID         string
	Conditions Conditions
	lines      []speedLine
}

// has says whether a model's round was done.
func (s *speedSession) has(model string, round int) bool {
	return slices.ContainsFunc(s.lines, func(l speedLine) bool { return l.Model == model && (l.Round == round || l.Lost != "") })
}

// missing counts what is still to be done for so many rounds.
func (s *speedSession) missing(rounds int) (n int) {
	for _, model := range s.Conditions.Models {
		for round := range rounds + 1 {
			if !s.has(model, round) {
				n++
			}
		}
	}
	return n
}

func (s *speedSession) complete(rounds int) bool { return s.missing(rounds) == 0 }

// A speedFile is the file of rounds, which only grows. What a crash left
// unfinished at its end is passed over.
type speedFile struct {
	path     string
	disk     disk
	sessions []*speedSession
}

func openSpeedFile(path string, d disk) (*speedFile, error) {
	f := &speedFile{path: path, disk: d}
	data, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	for text := range bytes.Lines(data) {
		var line speedLine
		if json.Unmarshal(text, &line) == nil {
			f.take(line)
		}
	}
	return f, nil
}

// take adds a line to its session.
func (f *speedFile) take(line speedLine) {
	if line.Conditions != nil {
		f.sessions = append(f.sessions, &speedSession{ID: line.Session, Conditions: *line.Conditions})
		return
	}
	for _, s := range f.sessions {
		if s.ID == line.Session {
			s.lines = append(s.lines, line)
		}
	}
}

// append writes a line behind the others, on a line of its own whatever stands
// before it.
func (f *speedFile) append(line speedLine) error {
	text, err := json.Marshal(line)
	if err != nil {
		return err
	}
	err = f.disk.do("append", f.path, func() error {
		file, err := os.OpenFile(f.path, os.O_CREATE|os.O_APPEND|os.O_RDWR, 0o666)
		if err != nil {
			return err
		}
		defer file.Close()
		if info, err := file.Stat(); err == nil && info.Size() > 0 {
			last := make([]byte, 1)
			if _, err := file.ReadAt(last, info.Size()-1); err == nil && last[0] != '\n' {
				text = append([]byte{'\n'}, text...)
			}
		}
		_, err = file.Write(append(text, '\n'))
		return err
	})
	if err == nil {
		f.take(line)
	}
	return err
}

// identity names the session of conditions.
func (c Conditions) identity() string {
	data, err := json.Marshal(c)
	if err != nil {
		panic("experiments: conditions cannot be written: " + err.Error())
	}
	return atomicfile.Hash(data)[:16]
}

// attempts is the highest attempt under these conditions, 0 where there is none.
func (f *speedFile) attempts(c Conditions) int {
	for n := 1; ; n++ {
		c.Attempt = n
		if f.session(c) == nil {
			return n - 1
		}
	}
}

// session finds the session of conditions, nil where there is none.
func (f *speedFile) session(c Conditions) *speedSession {
	for _, s := range f.sessions {
		if s.ID == c.identity() {
			return s
		}
	}
	return nil
}

// begin returns the session of conditions, new or known.
func (f *speedFile) begin(c Conditions) (*speedSession, error) {
	if f.session(c) == nil {
		if err := f.append(speedLine{Session: c.identity(), Conditions: &c, Ended: time.Now().UTC().Truncate(time.Second)}); err != nil {
			return nil, err
		}
	}
	return f.session(c), nil
}

// completeElsewhere returns the latest session that measured the same models
// under other conditions, all rounds of them.
func (f *speedFile) completeElsewhere(c Conditions, rounds int) *speedSession {
	for _, s := range slices.Backward(f.sessions) {
		if s.ID != c.identity() && slices.Equal(s.Conditions.Models, c.Models) && s.complete(rounds) {
			return s
		}
	}
	return nil
}

// String says where and on what a session was measured.
func (c Conditions) String() string {
	workers := "one worker"
	if c.Workers > 1 {
		workers = fmt.Sprintf("%d workers", c.Workers)
	}
	return fmt.Sprintf("%s (%s, %d cores), %s kernels, %s, %s", c.Processor, c.System, c.Cores, c.Kernels, workers, c.Go)
}
