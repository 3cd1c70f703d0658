// Plumb measures how the shape of a small language model decides what it can
// do: it trains models from a spec, scores them without further training, and
// lays the results out as tables and figures.
//
// This package is the program: flags, files and exit statuses, one file a
// command. What a command does is in the packages below.
package main

import (
	"io"
	"os"
)

func main() { os.Exit(run(os.Args[1:], os.Stdin, os.Stdout, os.Stderr)) }

// run is the program as a function of its arguments and streams. It returns the
// exit status.
func run(args []string, in io.Reader, out, errs io.Writer) (status int) {
	collectOften()
	a := newApp(in, out, errs)
	defer a.recoverPanic(&status)
	stop := a.watchSignals()
	defer stop()
	root := newRoot(a)
	root.SetArgs(args)
	return a.finish(root.ExecuteContext(a.ctx))
}
