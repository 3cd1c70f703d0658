package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"sync/atomic"

	"golang.org/x/term"
)

// An app is what all commands share: streams, global flags, and the context
// that a signal cancels. Results go to out and everything else to errs.
type app struct {
	in   io.Reader
	out  *tracked
	errs io.Writer

	ctx    context.Context // cancelled by the first interrupt or termination
	cancel context.CancelFunc
	signal atomic.Int32 // number of the signal that cancelled ctx, or 0

	json    bool   // --json: results as one JSON object a line
	quiet   bool   // --quiet: errors only on stderr
	verbose bool   // --verbose
	color   string // --color: "auto", "always" or "never"
	workers int    // --workers: goroutines a kernel may use; 0 leaves the default
	kernels string // --kernels: implementation to force; "" leaves the default
}

func newApp(in io.Reader, out, errs io.Writer) *app {
	a := &app{in: in, out: &tracked{w: out}, errs: errs}
	a.ctx, a.cancel = context.WithCancel(context.Background())
	return a
}

// A tracked writer remembers its first failure, so that results which did not
// reach their reader are noticed at the end.
type tracked struct {
	w   io.Writer
	err error
}

// Write writes to the underlying stream.
func (t *tracked) Write(p []byte) (int, error) {
	n, err := t.w.Write(p)
	if err != nil && t.err == nil {
		t.err = err
	}
	return n, err
}

// emit writes v as one line of JSON to stdout.
func (a *app) emit(v any) error {
	encoder := json.NewEncoder(a.out)
	encoder.SetEscapeHTML(false)
	return encoder.Encode(v)
}

// notef tells the person at the terminal something, on stderr, unless --quiet.
func (a *app) notef(format string, args ...any) {
	if !a.quiet {
		fmt.Fprintf(a.errs, format+"\n", args...)
	}
}

// bold returns text in bold where stdout takes colour.
func (a *app) bold(text string) string { return a.paint("1", text) }

// red returns text in bold red where stdout takes colour; words must carry the
// meaning too.
func (a *app) red(text string) string { return a.paint("1;31", text) }

func (a *app) paint(code, text string) string {
	if !a.colorful(a.out.w) {
		return text
	}
	return "\x1b[" + code + "m" + text + "\x1b[0m"
}

// colorful says whether w should get colour: only a terminal does, and not
// where NO_COLOR is set, unless --color decides.
func (a *app) colorful(w io.Writer) bool {
	switch a.color {
	case "always":
		return true
	case "never":
		return false
	}
	return isTerminal(w) && os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb"
}

// isTerminal says whether w is a terminal.
func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}
