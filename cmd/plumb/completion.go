package main

import (
	"bytes"
	"io"

	"github.com/spf13/cobra"

	"plumb/internal/registry"
)

// shells holds the writers of completion scripts by shell.
var shells = registry.New[func(root *cobra.Command, w io.Writer) error]("shell")

func init() {
	commands = append(commands, newCompletion)
	shells.Add("bash", func(root *cobra.Command, w io.Writer) error { return root.GenBashCompletionV2(w, true) })
	shells.Add("zsh", func(root *cobra.Command, w io.Writer) error { return root.GenZshCompletion(w) })
	shells.Add("fish", func(root *cobra.Command, w io.Writer) error { return root.GenFishCompletion(w, true) })
}

func newCompletion(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "completion bash|fish|zsh",
		Short: "print a script that completes commands, flags and names in a shell",
		Long: `Print a script that completes commands, flags and names: presets, tasks,
sharings, kernels, files. The shell asks plumb itself, so that new names need no
new script.`,
		Example: `  source <(plumb completion bash)
  plumb completion zsh > "${fpath[1]}/_plumb"
  plumb completion fish > ~/.config/fish/completions/plumb.fish`,
		Args:              exactly("the name of a shell: bash, fish or zsh"),
		ValidArgsFunction: completeFirst(shells.Names, false),
		RunE: func(c *cobra.Command, args []string) error {
			write, err := shells.Get(args[0])
			if err != nil {
				return err
			}
			var script bytes.Buffer
			if err := write(c.Root(), &script); err != nil {
				return err
			}
			if a.json {
				return a.emit(map[string]string{"shell": args[0], "script": script.String()})
			}
			_, err = a.out.Write(script.Bytes())
			return err
		},
	}
}
