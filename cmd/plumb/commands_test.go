package main

import (
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	"github.com/spf13/cobra"
)

// TestMain makes the test binary serve as the program, and as a program with a
// command that waits until it is stopped.
func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"plumb": main, "waiter": func() {
		commands = append(commands, newWait)
		main()
	}})
}

// newWait returns a command that says so when it runs, and then waits for its
// context; with --stubborn it waits for ever.
func newWait(a *app) *cobra.Command {
	c := &cobra.Command{Use: "wait"}
	stubborn := c.Flags().Bool("stubborn", false, "")
	c.RunE = func(*cobra.Command, []string) error {
		if err := os.WriteFile("running", nil, 0o644); err != nil {
			return err
		}
		<-a.ctx.Done()
		if err := os.WriteFile("stopping", nil, 0o644); err != nil || *stubborn {
			time.Sleep(time.Minute)
		}
		return a.ctx.Err()
	}
	return c
}

// TestScripts runs the program as a process, with its exit statuses, in the
// sessions of testdata/script.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:           filepath.Join("testdata", "script"),
		UpdateScripts: os.Getenv("GOLDEN") == "update",
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"status": checkStatus, "tinymodel": makeModel, "foreignmodel": makeForeign, "hub": startHub, "nocanary": checkNoCanary,
		},
	})
}

// checkStatus is the script command "status N COMMAND ARGS...": COMMAND must
// exit with N. Its output can be matched with stdout and stderr.
func checkStatus(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) < 2 {
		ts.Fatalf("usage: status N COMMAND ARGS...")
	}
	got := "0"
	if err := ts.Exec(args[1], args[2:]...); err != nil {
		got = strings.TrimPrefix(err.Error(), "exit status ")
	}
	if got != args[0] {
		ts.Fatalf("%s exits with %s, want %s", strings.Join(args[1:], " "), got, args[0])
	}
}

// TestEveryCommandExplainsItself demands of each command what --help shows.
func TestEveryCommandExplainsItself(t *testing.T) {
	root := newRoot(newApp(nil, io.Discard, io.Discard))
	all := append([]*cobra.Command{root}, root.Commands()...)
	for i := 0; i < len(all); i++ {
		c := all[i]
		if c != root {
			all = append(all, c.Commands()...)
		}
		t.Run(c.CommandPath(), func(t *testing.T) {
			switch {
			case c.Short == "" || c.Long == "":
				t.Error("no Short or Long")
			case !strings.HasPrefix(c.Example, "  ") || !strings.Contains(c.Example, "plumb"):
				t.Errorf("Example %q is not an indented call", c.Example)
			case strings.HasSuffix(c.Short, "."):
				t.Errorf("Short %q ends with a full stop", c.Short)
			}
		})
	}
}
