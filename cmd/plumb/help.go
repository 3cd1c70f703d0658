package main

import (
	"strings"

	"github.com/spf13/cobra"
)

// newHelp returns the help command. Unlike cobra's own it fails on a topic that
// does not exist.
func newHelp(root *cobra.Command) *cobra.Command {
	return &cobra.Command{
		Use:     "help [COMMAND]",
		Short:   "explain a command",
		Long:    "Explain a command, as its --help does.",
		Example: "  plumb help show",
		ValidArgsFunction: completeFirst(func() []string {
			return commandNames(root)
		}, false),
		RunE: func(_ *cobra.Command, args []string) error {
			found, rest, err := root.Find(args)
			if err != nil || len(rest) > 0 {
				return unknown("command", strings.Join(args, " "), commandNames(root))
			}
			found.InitDefaultHelpFlag()
			return found.Help()
		},
	}
}

// commandNames lists the commands that a person can call.
func commandNames(root *cobra.Command) []string {
	var names []string
	for _, c := range root.Commands() {
		if c.IsAvailableCommand() || c.Name() == "help" {
			names = append(names, c.Name())
		}
	}
	return names
}
