package main

import (
	"os"
	"os/signal"
	"syscall"
)

// watchSignals cancels the app's context at the first interrupt or termination,
// so that a command can save its state and return, and ends the program at the
// second. The returned function stops watching.
func (a *app) watchSignals() (stop func()) {
	signals, done := make(chan os.Signal, 2), make(chan struct{})
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	go func() {
		for {
			select {
			case s := <-signals:
				a.interrupted(s)
			case <-done:
				return
			}
		}
	}()
	return func() {
		signal.Stop(signals)
		close(done)
	}
}

// interrupted reacts to one signal.
func (a *app) interrupted(s os.Signal) {
	number := int32(syscall.SIGINT)
	if s == syscall.SIGTERM {
		number = int32(syscall.SIGTERM)
	}
	if !a.signal.CompareAndSwap(0, number) {
		os.Exit(statusSignal + int(number))
	}
	a.notef("plumb: stopping; a second signal stops at once")
	a.cancel()
}
