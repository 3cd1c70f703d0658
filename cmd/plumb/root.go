package main

import (
	"errors"
	"fmt"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"plumb/internal/registry"
	"plumb/kernels"
)

// commands make the program's commands. Each command's file adds its own in an
// init function, so a new command is a new file.
var commands []func(*app) *cobra.Command

const rootLong = `Plumb measures how the shape of a small language model decides what it can do.
A TOML spec names shapes, data and tasks; plumb trains every model of it, scores
them all in the same way, and lays the results out as tables and figures.

Results go to stdout and everything else to stderr. Exit statuses:
  0    done
  1    a bug in the program
  2    wrong flag, spec or input file; nothing ran
  4    incomplete: some trials failed or diverged
  6    the machine: disk, permission, lock, memory
  130  interrupted, 143 terminated; state is saved`

const rootExample = `  plumb run
  plumb plan depth-vs-width-novels --data ../shared/data
  plumb report runs/quickstart --format markdown
  plumb list presets
  plumb show mobilellm-125m
  plumb show gpt2 --json | jq .params.total
  plumb doctor`

// newRoot returns the command that all others hang from.
func newRoot(a *app) *cobra.Command {
	root := &cobra.Command{
		Use:               "plumb",
		Short:             "measure how the shape of a small language model decides what it can do",
		Long:              rootLong,
		Example:           rootExample,
		Version:           version(),
		Args:              cobra.ArbitraryArgs,
		SilenceUsage:      true,
		SilenceErrors:     true,
		CompletionOptions: cobra.CompletionOptions{DisableDefaultCmd: true},
		PersistentPreRunE: func(*cobra.Command, []string) error { return a.applyFlags() },
		RunE:              runRoot,
	}
	root.SetIn(a.in)
	root.SetOut(a.out)
	root.SetErr(a.errs)
	root.SetVersionTemplate("plumb {{.Version}}\n")
	root.SetFlagErrorFunc(flagError)
	a.addFlags(root)
	for _, command := range commands {
		root.AddCommand(command(a))
	}
	root.SetHelpCommand(newHelp(root))
	return root
}

// runRoot runs where no known command was named.
func runRoot(root *cobra.Command, args []string) error {
	if len(args) == 0 {
		return root.Help()
	}
	return unknown("command", args[0], commandNames(root))
}

// unknown says that there is no kind named name, which are known, and which was
// probably meant.
func unknown(kind, name string, known []string) error {
	slices.Sort(known)
	hint := registry.Hint(name, known)
	return fmt.Errorf("no %s named %q (have %s)%s", kind, name, strings.Join(known, ", "), hint)
}

// addFlags adds the flags that every command has.
func (a *app) addFlags(root *cobra.Command) {
	f := root.PersistentFlags()
	f.SortFlags = false
	f.BoolVar(&a.json, "json", false, "results as JSON, one object a line")
	f.BoolVarP(&a.quiet, "quiet", "q", false, "nothing but errors on stderr")
	f.BoolVarP(&a.verbose, "verbose", "v", false, "more on stderr")
	f.StringVar(&a.color, "color", "auto", "colour: auto (terminals, unless NO_COLOR is set), always, never")
	f.Lookup("color").NoOptDefVal = "always"
	f.IntVar(&a.workers, "workers", 0, "goroutines that a kernel may use (default: one a core)")
	f.StringVar(&a.kernels, "kernels", "", "force an implementation of the kernels (plumb list kernels)")
	fixed := func(values ...string) cobra.CompletionFunc {
		return cobra.FixedCompletions(values, cobra.ShellCompDirectiveNoFileComp)
	}
	for flag, complete := range map[string]cobra.CompletionFunc{
		"color":   fixed("auto", "always", "never"),
		"workers": fixed(),
		"kernels": fixed(kernels.Names()...),
	} {
		if err := root.RegisterFlagCompletionFunc(flag, complete); err != nil {
			panic("plumb: " + err.Error())
		}
	}
}

// applyFlags checks the flags that every command has and puts them to work.
func (a *app) applyFlags() error {
	var wrong []error
	if a.quiet && a.verbose {
		wrong = append(wrong, errors.New("--quiet and --verbose contradict each other: give one of them"))
	}
	if !slices.Contains([]string{"auto", "always", "never"}, a.color) {
		wrong = append(wrong, fmt.Errorf("--color=%s is none of auto, always, never", a.color))
	}
	const most = 1024
	if a.workers < 0 || a.workers > most {
		wrong = append(wrong, fmt.Errorf("--workers=%d must be from 1 to %d, or 0 for one a core", a.workers, most))
	} else if a.workers > 0 {
		kernels.SetWorkers(a.workers)
	}
	if a.kernels != "" {
		if err := kernels.Use(a.kernels); err != nil {
			wrong = append(wrong, fmt.Errorf("--kernels: %w", err))
		}
	}
	return errors.Join(wrong...)
}

// flagError adds the nearest known flag to an error about an unknown one.
func flagError(c *cobra.Command, err error) error {
	var unknownFlag *pflag.NotExistError
	if !errors.As(err, &unknownFlag) || len(unknownFlag.GetSpecifiedShortnames()) > 0 {
		return fmt.Errorf("%w (%s --help lists the flags)", err, c.CommandPath())
	}
	var names []string
	c.Flags().VisitAll(func(f *pflag.Flag) { names = append(names, "--"+f.Name) })
	name := "--" + unknownFlag.GetSpecifiedName()
	if near := registry.Nearest(name, names); near != "" {
		return fmt.Errorf("unknown flag %s; did you mean %q?", name, near)
	}
	return fmt.Errorf("unknown flag %s (%s --help lists the flags)", name, c.CommandPath())
}

// version names the build: the module's version, the commit, and Go's.
func version() string {
	build, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	text := build.Main.Version
	for _, s := range build.Settings {
		switch {
		case s.Key == "vcs.revision" && !strings.Contains(text, s.Value[:min(12, len(s.Value))]):
			text += " " + s.Value[:min(12, len(s.Value))]
		case s.Key == "vcs.modified" && s.Value == "true" && !strings.HasSuffix(text, "dirty"):
			text += " modified"
		}
	}
	return fmt.Sprintf("%s %s %s/%s", text, build.GoVersion, runtime.GOOS, runtime.GOARCH)
}
