package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/spf13/cobra"

	"plumb/internal/hub"
	"plumb/internal/machine"
)

func init() { commands = append(commands, newFetch) }

// fetchOptions are the flags that all kinds of fetching have.
type fetchOptions struct {
	endpoint string
	offline  bool
	progress string
}

func newFetch(a *app) *cobra.Command {
	c := &cobra.Command{
		Use:   "fetch model|task",
		Short: "bring models and task files from the Hugging Face hub",
		Long: `Bring models and task files from the Hugging Face hub, or from the one that
HF_ENDPOINT names. Files go into the cache that the Python tools use too, and each
is checked against its size and checksum before it gets its name. What was
interrupted goes on where it stopped.

The environment decides as it does for the Python tools: HF_ENDPOINT, HF_TOKEN,
HF_TOKEN_PATH, HF_HOME, HF_HUB_CACHE, HF_HUB_OFFLINE. The token is sent to the
endpoint alone and is never printed. If the hub cannot be reached the exit status
is 6.`,
		Example: `  plumb fetch model openai-community/gpt2
  plumb fetch task hellaswag --data data`,
		Args: cobra.ArbitraryArgs,
	}
	c.RunE = func(_ *cobra.Command, args []string) error {
		if len(args) == 0 {
			return fmt.Errorf("%s needs what to fetch: model or task (%s --help has examples)", c.CommandPath(), c.CommandPath())
		}
		return unknown("kind of file", args[0], commandNames(c))
	}
	c.AddCommand(newFetchModel(a), newFetchTask(a))
	return c
}

func (o *fetchOptions) add(c *cobra.Command) {
	c.Flags().StringVar(&o.endpoint, "endpoint", "", "address of the hub (default: HF_ENDPOINT, else "+hub.DefaultEndpoint+")")
	c.Flags().BoolVar(&o.offline, "offline", false, "only what is in the cache")
	addProgress(c, &o.progress)
}

// client returns a client as flags and environment want it, and a function that
// ends its progress.
func (o *fetchOptions) client(a *app) (*hub.Client, func(), error) {
	settings, err := hub.FromEnvironment(os.Getenv)
	if err != nil {
		return nil, nil, err
	}
	if o.endpoint != "" {
		settings.Endpoint = o.endpoint
	}
	settings.Offline = settings.Offline || o.offline
	client, err := hub.New(settings)
	if err != nil {
		return nil, nil, err
	}
	m, err := a.newMeter(o.progress)
	if err != nil {
		return nil, nil, err
	}
	client.FreeDisk = machine.FreeDisk
	client.Progress = func(p hub.Progress) { m.show(fetchStanding(p)) }
	return client, m.finish, nil
}

func fetchStanding(p hub.Progress) standing {
	return standing{
		line: fmt.Sprintf("%s/%s: %s of %s", p.Repo, p.File, bytesText(int(p.Done)), bytesText(int(p.Total))),
		object: struct {
			Repo  string `json:"repo"`
			File  string `json:"file"`
			Done  int64  `json:"done_bytes"`
			Total int64  `json:"total_bytes"`
		}{p.Repo.Name, p.File, p.Done, p.Total},
	}
}

// fetchFailure marks an error of a hub that cannot be reached.
func fetchFailure(err error) error {
	var refused *hub.ServerError
	if errors.As(err, &refused) && refused.Unreachable() {
		return withStatus(statusEnvironment, err)
	}
	return err
}

// fetchModelOptions are the flags of fetch model.
type fetchModelOptions struct {
	fetchOptions
	files   []string
	include []string
}

func newFetchModel(a *app) *cobra.Command {
	var o fetchModelOptions
	c := &cobra.Command{
		Use:   "model NAME[@REVISION]",
		Short: "bring a model, and print the folder to give to other commands",
		Long: `Bring a model: config.json, weights as safetensors, in one file or in parts, and
the files of its tokenizer. The folder that holds them is printed; other commands
take it as MODEL. With --file only the named files are brought, such as one of
several .gguf files, whose path is then printed.

Weights in Python's pickle format are refused, since reading them can run code.`,
		Example: `  plumb fetch model openai-community/gpt2
  plumb fetch model facebook/MobileLLM-125M@main --json
  plumb fetch model owner/model-GGUF --file '*q8_0.gguf'
  plumb eval $(plumb fetch model openai-community/gpt2 --offline) --tasks hellaswag --data data`,
		Args: exactly("the NAME of a model on the hub, such as openai-community/gpt2"),
		RunE: func(_ *cobra.Command, args []string) error { return fetchFailure(fetchModel(a, args[0], o)) },
	}
	c.Flags().StringArrayVar(&o.files, "file", nil, "only files that fit this pattern, such as '*q8_0.gguf'; may be repeated")
	c.Flags().StringArrayVar(&o.include, "include", nil, "files that fit this pattern too; may be repeated")
	o.add(c)
	return c
}

// fetchedModel is what --json prints.
type fetchedModel struct {
	Model    string   `json:"model"`
	Revision string   `json:"revision"`
	Commit   string   `json:"commit"`
	Path     string   `json:"path"` // to give to other commands
	Folder   string   `json:"folder"`
	Files    []string `json:"files"`
}

func fetchModel(a *app, name string, o fetchModelOptions) error {
	repo, revision, err := hub.ParseRepo(hub.Model, name)
	if err != nil {
		return err
	}
	client, finish, err := o.client(a)
	if err != nil {
		return err
	}
	defer finish()
	s, err := client.Snapshot(a.ctx, repo, revision)
	if err != nil {
		return err
	}
	files, err := o.choose(s)
	if err != nil {
		return err
	}
	if err := client.Fetch(a.ctx, s, files); err != nil {
		return err
	}
	finish()
	path := s.Dir
	if len(o.files) > 0 && len(files) == 1 {
		path = filepath.Join(s.Dir, filepath.FromSlash(files[0]))
	}
	if a.json {
		return a.emit(fetchedModel{repo.Name, s.Revision, s.Commit, path, s.Dir, files})
	}
	_, err = fmt.Fprintln(a.out, path)
	return err
}

// choose returns the files of s that the flags ask for.
func (o *fetchModelOptions) choose(s *hub.Snapshot) (files []string, err error) {
	if len(o.files) > 0 {
		files, err = s.Matching(o.files...)
	} else {
		files, err = s.ModelFiles()
	}
	more, wrong := s.Matching(o.include...)
	files = append(files, more...)
	slices.Sort(files)
	return slices.Compact(files), errors.Join(err, wrong)
}
