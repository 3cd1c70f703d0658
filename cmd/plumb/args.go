package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"
)

// exactly demands one argument for each of names, which are how --help writes
// them, such as "MODEL".
func exactly(names ...string) cobra.PositionalArgs {
	return func(c *cobra.Command, args []string) error {
		switch {
		case len(args) < len(names):
			return fmt.Errorf("%s needs %s (%s --help has examples)", c.CommandPath(), strings.Join(names[len(args):], " and "), c.CommandPath())
		case len(args) > len(names):
			return fmt.Errorf("%s has no use for %q (%s --help has examples)", c.CommandPath(), args[len(names)], c.CommandPath())
		}
		return nil
	}
}

// atMost demands no more arguments than names.
func atMost(names ...string) cobra.PositionalArgs {
	return func(c *cobra.Command, args []string) error {
		return exactly(names[:min(len(args), len(names))]...)(c, args)
	}
}

// completeList completes the last of names with commas between.
func completeList(names []string) cobra.CompletionFunc {
	return func(_ *cobra.Command, _ []string, typed string) ([]cobra.Completion, cobra.ShellCompDirective) {
		before := typed[:strings.LastIndexByte(typed, ',')+1]
		var whole []cobra.Completion
		for _, name := range names {
			whole = append(whole, before+name)
		}
		return whole, cobra.ShellCompDirectiveNoFileComp
	}
}

// completeFirst completes the first argument with what names returns and leaves
// the others alone. Folders and files are offered too where files is set.
func completeFirst(names func() []string, files bool) cobra.CompletionFunc {
	directive := cobra.ShellCompDirectiveNoFileComp
	if files {
		directive = cobra.ShellCompDirectiveDefault
	}
	return func(_ *cobra.Command, args []string, _ string) ([]cobra.Completion, cobra.ShellCompDirective) {
		if len(args) > 0 {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		return names(), directive
	}
}
