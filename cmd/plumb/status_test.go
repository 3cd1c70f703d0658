package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"syscall"
	"testing"

	"github.com/spf13/cobra"

	"plumb/experiments"
)

func TestStatusOf(t *testing.T) {
	tests := []struct {
		name string
		err  error
		want int
	}{
		{"done", nil, 0},
		{"wrong input", errors.New("no such preset"), 2},
		{"missing file", &fs.PathError{Op: "open", Path: "x", Err: syscall.ENOENT}, 2},
		{"incomplete", withStatus(statusIncomplete, errors.New("2 of 9 trials diverged")), 4},
		{"wrapped", fmt.Errorf("run: %w", withStatus(statusIncomplete, errors.New("x"))), 4},
		{"unwritable", &fs.PathError{Op: "open", Path: "x", Err: syscall.EACCES}, 6},
		{"full disk", fmt.Errorf("checkpoint: %w", syscall.ENOSPC), 6},
		{"lock", fmt.Errorf("trial 3: %w", &experiments.EnvironmentError{Err: errors.New("locked")}), 6},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if got := statusOf(test.err); got != test.want {
				t.Errorf("status %d, want %d", got, test.want)
			}
		})
	}
	if withStatus(statusIncomplete, nil) != nil {
		t.Error("no error became one")
	}
}

func TestFinish(t *testing.T) {
	tests := []struct {
		name   string
		signal syscall.Signal
		err    error
		write  error // what stdout answered
		want   int
		says   string
	}{
		{"done", 0, nil, nil, 0, ""},
		{"error is printed once", 0, errors.New("x = 3"), nil, 2, "plumb: x = 3\n"},
		{"interrupted", syscall.SIGINT, fmt.Errorf("step 4: %w", context.Canceled), nil, 130, ""},
		{"terminated", syscall.SIGTERM, context.Canceled, nil, 143, ""},
		{"interrupted and then wrong", syscall.SIGINT, errors.New("y"), nil, 130, "plumb: y\n"},
		{"done before the signal counted", syscall.SIGINT, nil, nil, 0, ""},
		{"reader went away", 0, nil, syscall.EPIPE, 141, ""},
		{"results lost", 0, nil, syscall.ENOSPC, 6, "plumb: cannot write results: no space left on device\n"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var errs bytes.Buffer
			a := newApp(nil, io.Discard, &errs)
			a.signal.Store(int32(test.signal))
			a.out.err = test.write
			if got := a.finish(test.err); got != test.want || errs.String() != test.says {
				t.Errorf("status %d and %q, want %d and %q", got, errs.String(), test.want, test.says)
			}
		})
	}
}

// TestPanicExitsWithOne runs a command that panics.
func TestPanicExitsWithOne(t *testing.T) {
	commands = append(commands, func(*app) *cobra.Command {
		return &cobra.Command{Use: "fall", Run: func(*cobra.Command, []string) { panic("arch: fell") }}
	})
	defer func() { commands = commands[:len(commands)-1] }()
	var errs bytes.Buffer
	if got := run([]string{"fall"}, nil, io.Discard, &errs); got != statusBug {
		t.Errorf("status %d, want %d", got, statusBug)
	}
	if !strings.Contains(errs.String(), "bug in the program: arch: fell") || !strings.Contains(errs.String(), "goroutine") {
		t.Errorf("it says %q", errs.String())
	}
}

// TestFirstSignalCancels sends this process an interrupt while a command waits.
func TestFirstSignalCancels(t *testing.T) {
	self, err := os.FindProcess(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	commands = append(commands, func(a *app) *cobra.Command {
		return &cobra.Command{Use: "wait", RunE: func(*cobra.Command, []string) error {
			if err := self.Signal(os.Interrupt); err != nil {
				return err
			}
			<-a.ctx.Done()
			return a.ctx.Err()
		}}
	})
	defer func() { commands = commands[:len(commands)-1] }()
	var errs bytes.Buffer
	if got := run([]string{"wait"}, nil, io.Discard, &errs); got != 130 {
		t.Errorf("status %d, want 130; %s", got, errs.String())
	}
	if !strings.Contains(errs.String(), "a second signal stops at once") {
		t.Errorf("it says %q", errs.String())
	}
}

func TestUnits(t *testing.T) {
	for want, got := range map[string]string{
		"0": grouped(0), "999": grouped(999), "1,000": grouped(1000), "-124,439,808": grouped(-124439808),
		"0 B": bytesText(0), "36 KiB": bytesText(36864), "475 MiB": bytesText(497759232), "1.50 GiB": bytesText(3 << 29),
		"133 M": countText(133090560), "12": countText(12), "1.00 M": countText(999_999), "7.50 k": countText(7500),
	} {
		if got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
