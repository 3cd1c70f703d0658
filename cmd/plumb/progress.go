package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"plumb/internal/registry"
)

// How long a line of progress stands before the next one.
const (
	redrawEvery = 100 * time.Millisecond // on a terminal
	plainEvery  = 30 * time.Second       // elsewhere
	jsonEvery   = time.Second
)

// progressModes holds the ways to show progress: a function that says how often
// a line is due, for the stream that takes it.
var progressModes = registry.New[func(a *app) progressMode]("progress")

// A progressMode says how progress is shown.
type progressMode struct {
	every  time.Duration // 0 shows none
	redraw bool          // each line in place of the one before it
	json   bool
}

func init() {
	progressModes.Add("none", func(*app) progressMode { return progressMode{} })
	progressModes.Add("json", func(*app) progressMode { return progressMode{every: jsonEvery, json: true} })
	progressModes.Add("plain", func(*app) progressMode { return progressMode{every: plainEvery} })
	progressModes.Add("auto", func(a *app) progressMode {
		switch {
		case a.quiet:
			return progressMode{}
		case isTerminal(a.errs) && os.Getenv("TERM") != "dumb":
			return progressMode{every: redrawEvery, redraw: true}
		}
		return progressMode{every: plainEvery}
	})
}

// addProgress adds the flag --progress to a command that takes long.
func addProgress(c *cobra.Command, mode *string) {
	c.Flags().StringVar(mode, "progress", "auto", "how progress is shown on stderr: "+strings.Join(progressModes.Names(), ", "))
	complete(c, "progress", progressModes.Names())
}

// complete lets a shell complete the flag's value with names.
func complete(c *cobra.Command, flag string, names []string) {
	if err := c.RegisterFlagCompletionFunc(flag, cobra.FixedCompletions(names, cobra.ShellCompDirectiveNoFileComp)); err != nil {
		panic("plumb: " + err.Error())
	}
}

// A standing is how far a command is: a line for people, and what --progress=json
// prints instead.
type standing struct {
	line   string
	object any
}

// A meter shows how far a command is, on stderr. It may be used by several
// goroutines.
type meter struct {
	w     io.Writer
	mode  progressMode
	width int // columns of the terminal
	now   func() time.Time
	stop  chan struct{}
	idle  sync.WaitGroup

	mu     sync.Mutex
	last   standing
	shown  time.Time // when a line was last printed
	drawn  bool      // a line stands on the terminal
	closed bool
}

// newMeter starts a meter of the given mode. Someone must call finish.
func (a *app) newMeter(mode string) (*meter, error) {
	choose, err := progressModes.Get(mode)
	if err != nil {
		return nil, fmt.Errorf("--progress: %w", err)
	}
	m := &meter{w: a.errs, mode: choose(a), width: columns(a.errs), now: time.Now, stop: make(chan struct{})}
	m.shown = m.now()
	if m.mode.redraw {
		m.shown = time.Time{}
	}
	if m.mode.every > 0 {
		m.idle.Go(m.tick)
	}
	return m, nil
}

// tick shows the last standing when it is due, also while nothing happens.
func (m *meter) tick() {
	ticker := time.NewTicker(min(m.mode.every, time.Second))
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
			m.refresh()
		case <-m.stop:
			return
		}
	}
}

// show makes s what the meter shows, now if a line is due.
func (m *meter) show(s standing) {
	m.mu.Lock()
	m.last = s
	m.mu.Unlock()
	m.refresh()
}

// refresh prints the last standing if that is due.
func (m *meter) refresh() {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed || m.mode.every == 0 || m.last.object == nil && m.last.line == "" || m.now().Sub(m.shown) < m.mode.every {
		return
	}
	m.shown = m.now()
	m.print(m.last)
}

// print prints s in the mode's way; the meter is locked.
func (m *meter) print(s standing) {
	switch {
	case m.mode.json:
		writeJSONLine(m.w, s.object)
	case m.mode.redraw:
		fmt.Fprintf(m.w, "\r\x1b[K%s", shorten(s.line, m.width-1))
		m.drawn = true
	default:
		fmt.Fprintln(m.w, s.line)
	}
}

// say prints what must not be missed, whatever is due.
func (m *meter) say(s standing) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed || m.mode.every == 0 {
		return
	}
	if m.mode.json {
		m.print(s)
		return
	}
	m.wipe()
	fmt.Fprintln(m.w, s.line)
	if m.mode.redraw && m.last.line != "" {
		m.print(m.last)
	}
}

// wipe removes the line that stands on the terminal; the meter is locked.
func (m *meter) wipe() {
	if m.drawn {
		io.WriteString(m.w, "\r\x1b[K")
		m.drawn = false
	}
}

// finish leaves the terminal clean. The meter shows nothing from then on.
func (m *meter) finish() {
	m.mu.Lock()
	if m.closed {
		m.mu.Unlock()
		return
	}
	m.closed = true
	m.wipe()
	m.mu.Unlock()
	close(m.stop)
	m.idle.Wait()
}

func writeJSONLine(w io.Writer, v any) {
	encoder := json.NewEncoder(w)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(v); err != nil {
		fmt.Fprintln(w, err)
	}
}

// columns is the width of the terminal w: COLUMNS if that is set, else what the
// terminal says, else 80.
func columns(w io.Writer) int {
	if n, err := strconv.Atoi(os.Getenv("COLUMNS")); err == nil && n > 0 {
		return n
	}
	if f, ok := w.(*os.File); ok {
		if n, _, err := term.GetSize(int(f.Fd())); err == nil && n > 0 {
			return n
		}
	}
	return 80
}

// shorten cuts text to width characters.
func shorten(text string, width int) string {
	if utf8.RuneCountInString(text) <= width {
		return text
	}
	runes := []rune(text)
	return string(runes[:max(0, width-1)]) + "…"
}

// timeText writes a duration for people: 42s, 3m20s, 1h05m.
func timeText(d time.Duration) string {
	s := int(d.Round(time.Second).Seconds())
	switch {
	case s < 60:
		return fmt.Sprintf("%ds", s)
	case s < 3600:
		return fmt.Sprintf("%dm%02ds", s/60, s%60)
	}
	return fmt.Sprintf("%dh%02dm", s/3600, s/60%60)
}
