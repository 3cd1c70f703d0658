// Package bench measures how fast this machine is and how much of that the
// program reaches: the limits of its processor and memory, and then kernels,
// training steps, scoring and decoding as shares of them. Every figure carries
// its spread and a verdict on whether it can be quoted.
//
// How things are timed (measure.go, figure.go, verdict.go) knows nothing of what
// is timed, and takes its clock as a parameter.
package bench
