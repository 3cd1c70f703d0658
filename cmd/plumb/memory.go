package main

import (
	"os"
	"runtime/debug"
)

// garbageShare is how much garbage, in percent of what is in use, is allowed
// before it is collected. Most of the memory of a run is large arrays without
// pointers that live as long as a trial, so that collecting often costs little
// and keeps the peak near what a plan says.
const garbageShare = 20

// collectOften applies garbageShare unless the user has set GOGC.
func collectOften() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(garbageShare)
	}
}
