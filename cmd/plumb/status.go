package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"runtime/debug"
	"strings"
	"syscall"

	"plumb/experiments"
)

// Exit statuses. A signal's is 128 and its number: 130 when interrupted, 143
// when terminated.
const (
	statusDone        = 0
	statusBug         = 1 // of the program
	statusWrong       = 2 // flag, spec or input file; nothing ran
	statusIncomplete  = 4 // some trials failed or diverged
	statusEnvironment = 6 // disk, permission, lock, memory
	statusSignal      = 128
)

// A failure is an error that decides the exit status.
type failure struct {
	status int
	err    error
}

// Error is that of what happened.
func (f *failure) Error() string { return f.err.Error() }

// Unwrap returns what happened.
func (f *failure) Unwrap() error { return f.err }

// withStatus returns err such that the program exits with status. It returns
// nil for nil.
func withStatus(status int, err error) error {
	if err == nil {
		return nil
	}
	return &failure{status, err}
}

// machineFaults are system errors that no change of input would mend.
var machineFaults = []error{
	fs.ErrPermission, syscall.ENOSPC, syscall.EROFS, syscall.EDQUOT, syscall.EIO, syscall.ENOMEM, syscall.EMFILE, syscall.ENFILE,
}

// statusOf decides the exit status for an error that a command returned. What
// is neither marked nor the machine's fault is a wrong flag, spec or file:
// faults of the program itself panic.
func statusOf(err error) int {
	var marked *failure
	var refused *experiments.EnvironmentError
	switch {
	case err == nil:
		return statusDone
	case errors.As(err, &marked):
		return marked.status
	case errors.As(err, &refused):
		return statusEnvironment
	}
	for _, fault := range machineFaults {
		if errors.Is(err, fault) {
			return statusEnvironment
		}
	}
	return statusWrong
}

// unwritten marks an error of writing results where the caller wanted them.
func unwritten(err error) error { return withStatus(statusEnvironment, err) }

// finish prints err, once, and returns the exit status. A reader that went away
// before all results were written, as head does, gets silence.
func (a *app) finish(err error) int {
	if a.out.err != nil {
		err = withStatus(statusEnvironment, fmt.Errorf("cannot write results: %w", a.out.err))
	}
	if signal := int(a.signal.Load()); signal != 0 && err != nil {
		if !errors.Is(err, context.Canceled) {
			a.complain(err)
		}
		return statusSignal + signal
	}
	if errors.Is(err, syscall.EPIPE) {
		return statusSignal + int(syscall.SIGPIPE)
	}
	if err != nil {
		a.complain(err)
	}
	return statusOf(err)
}

// complain prints err to stderr after the program's name.
func (a *app) complain(err error) {
	fmt.Fprintf(a.errs, "plumb: %s\n", strings.TrimRight(err.Error(), "\n"))
}

// recoverPanic turns a panic, which is a fault of the program, into a message
// and a status; Go itself would exit with that of a wrong flag.
func (a *app) recoverPanic(status *int) {
	if fault := recover(); fault != nil {
		fmt.Fprintf(a.errs, "plumb: this is a bug in the program: %v\n\n%s", fault, debug.Stack())
		*status = statusBug
	}
}
