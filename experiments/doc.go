// Package experiments turns a spec, a TOML file that asks one question, into
// trials and trials into records: it reads and checks specs, spreads sweeps,
// solves shapes, plans costs, runs the stages of every trial with nothing lost
// when a process dies, and lays records out as the tables and figures that the
// spec asks for.
package experiments
