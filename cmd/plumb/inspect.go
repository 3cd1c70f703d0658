package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"unicode"

	"github.com/spf13/cobra"

	"plumb/eval"
	"plumb/internal/tokenizer"
	"plumb/results"
	"plumb/tasks"
)

func init() { commands = append(commands, newInspect) }

func newInspect(a *app) *cobra.Command {
	c := &cobra.Command{
		Use:   "inspect requests|tokens|logits|items",
		Short: "show exactly what a model is shown, and what it scored",
		Long: `Show exactly what a model is shown, and what it scored.

For people, a space at an edge and one of several in a row is written ·, a line
break ⏎, a tab ⇥, and what has no shape as a code such as \u00a0. With --json the
texts are as they are.`,
		Example: `  plumb inspect requests hellaswag --data ../shared/data --limit 3
  plumb inspect tokens MODEL --text "the cat sat"
  plumb inspect logits MODEL --text "the cat sat"
  plumb inspect items runs/quickstart/0123456789abcdef/items/HASH.jsonl`,
		Args: cobra.ArbitraryArgs,
		RunE: func(c *cobra.Command, args []string) error {
			if len(args) == 0 {
				return c.Help()
			}
			return unknown("thing to inspect", args[0], commandNames(c))
		},
	}
	c.AddCommand(newInspectRequests(a), newInspectTokens(a), newInspectLogits(a), newInspectItems(a))
	return c
}

// requestOptions are the flags of inspect requests.
type requestOptions struct {
	source   sourceOptions
	protocol string
	model    string
	bos      string
}

func newInspectRequests(a *app) *cobra.Command {
	var o requestOptions
	c := &cobra.Command{
		Use:   "requests TASK",
		Short: "what would be scored of a task",
		Long: `Show what would be scored of a task, item by item in the order of its file. Of
each choice only the continuation is scored, given the context. With --json each
choice of each item is one object with the keys item, choice, gold, context and
continuation.

With --model the tokens of each request are shown too, a bar before the first
that is scored; in JSON they are ids, pieces, and from, the index of that one.`,
		Example: `  plumb inspect requests winogrande --data ../shared/data --limit 2
  plumb inspect requests hellaswag --data hellaswag=val.jsonl --json | head -4
  plumb inspect requests piqa --data ../shared/data --limit 2 --shots 1 --model MODEL
  plumb inspect requests world_recall --limit 4`,
		Args:              exactly("the name of a TASK"),
		ValidArgsFunction: completeFirst(completeTasks, false),
		RunE:              func(_ *cobra.Command, args []string) error { return inspectRequests(a, args[0], o) },
	}
	o.source.add(c)
	c.Flags().StringVar(&o.protocol, "protocol", "", "by this protocol: "+strings.Join(tasks.Protocols(), ", "))
	c.Flags().StringVar(&o.model, "model", "", "folder of a model, or a tokenizer.json, whose tokens to show")
	c.Flags().StringVar(&o.bos, "bos", bosAuto, "whether contexts begin with the start of text: always, never, auto (as the tokenizer's files say)")
	complete(c, "protocol", tasks.Protocols())
	complete(c, "bos", []string{bosAuto, eval.BOSAlways, eval.BOSNever})
	return c
}

func inspectRequests(a *app, name string, o requestOptions) error {
	if err := o.source.addTasks(); err != nil {
		return err
	}
	src, err := o.source.source(nil)
	if err != nil {
		return err
	}
	loaded, err := loadTasks(o.protocol, []string{name}, src)
	if err != nil {
		return err
	}
	var tok *tokenizer.Tokenizer
	if o.model != "" {
		if tok, err = openTokenizer(o.model); err != nil {
			return err
		}
	}
	out := bufio.NewWriter(a.out)
	defer out.Flush()
	for _, t := range loaded {
		a.notef("plumb: %s: %s of %s items from %s", t.name, grouped(len(t.items)), grouped(t.from.Rows), t.from.File)
		if text := t.from.ShotsText(); text != "" {
			a.notef("plumb: %s: %s", t.name, text)
		}
		if err := writeRequests(a, out, t, tok, o.bos); err != nil {
			return err
		}
	}
	return nil
}

// A requestLine is a line of inspect requests --json.
type requestLine struct {
	tasks.Request
	Answers []string `json:"answers,omitempty"`
	IDs     []int32  `json:"ids,omitempty"`
	Pieces  []string `json:"pieces,omitempty"`
	From    *int     `json:"from,omitempty"`
	Shift   string   `json:"shift,omitempty"`
}

func writeRequests(a *app, out *bufio.Writer, t loadedTask, tok *tokenizer.Tokenizer, bos string) error {
	for _, item := range t.items {
		var tokens []eval.Tokens
		if tok != nil {
			var err error
			if tokens, err = eval.Tokenise(tok, t.task, item, bos); err != nil {
				return fmt.Errorf("--bos: %w", err)
			}
		}
		if !a.json {
			writeItem(a, out, item)
			writeTokens(out, tok, tokens)
			fmt.Fprintln(out)
			continue
		}
		for i, request := range tasks.Requests([]tasks.Item{item}) {
			line := requestLine{Request: request, Answers: item.Answers}
			if tokens != nil {
				line.IDs, line.From, line.Shift = tokens[i].IDs, &tokens[i].From, tokens[i].Shift
				for _, id := range line.IDs {
					line.Pieces = append(line.Pieces, strings.ToValidUTF8(tok.Token(id), "\ufffd"))
				}
			}
			writeJSONLine(out, line)
		}
		if a.out.err != nil {
			return a.out.err
		}
	}
	return nil
}

// writeTokens prints the tokens of each request, with a bar before the first
// that is scored.
func writeTokens(w io.Writer, tok *tokenizer.Tokenizer, tokens []eval.Tokens) {
	for i, request := range tokens {
		var pieces []string
		for n, id := range request.IDs {
			bar := choose(n == request.From, "│ ", "")
			pieces = append(pieces, fmt.Sprintf("%s%d:%s", bar, id, visibleBytes(tok.Token(id))))
		}
		fmt.Fprintf(w, "    tokens of %d: %s\n", i, strings.Join(pieces, " "))
		if request.Shift != "" {
			fmt.Fprintf(w, "    %s\n", request.Shift)
		}
	}
}

// writeItem prints an item for people: the context once where all choices share
// it, and a star beside the right choice.
func writeItem(a *app, w io.Writer, item tasks.Item) {
	fmt.Fprintf(w, "%s\n", a.bold("item "+visibleText(item.ID)))
	shared := true
	for _, c := range item.Choices {
		shared = shared && c.Context == item.Choices[0].Context
	}
	if item.Before != "" {
		fmt.Fprintf(w, "      %s\n", visibleText(item.Before))
	}
	if shared {
		fmt.Fprintf(w, "      %s\n", visibleText(item.Choices[0].Context))
	}
	if len(item.Answers) > 0 {
		fmt.Fprintf(w, "  right: %s\n", visibleText(strings.Join(item.Answers, " | ")))
		return
	}
	for i, c := range item.Choices {
		star := choose(i == item.Gold, "*", " ")
		if !shared {
			fmt.Fprintf(w, "  %s %d %s\n      %s\n", star, i, visibleText(c.Context), visibleText(c.Continuation))
			continue
		}
		fmt.Fprintf(w, "  %s %d %s\n", star, i, visibleText(c.Continuation))
	}
}

// visibleText writes text such that nothing in it is invisible, and nothing
// reaches the terminal but characters.
func visibleText(text string) string {
	if text == "" {
		return "(empty)"
	}
	var b strings.Builder
	runes := []rune(text)
	for i, r := range runes {
		edge := i == 0 || i == len(runes)-1 || runes[i-1] == ' ' || runes[i+1] == ' '
		switch {
		case r == ' ' && edge:
			b.WriteRune('·')
		case r == '\n':
			b.WriteRune('⏎')
		case r == '\t':
			b.WriteRune('⇥')
		case r != ' ' && !unicode.IsGraphic(r) || r != ' ' && unicode.IsSpace(r):
			b.WriteString(strings.Trim(strconv.QuoteRuneToASCII(r), "'"))
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}

func newInspectTokens(a *app) *cobra.Command {
	var text string
	c := &cobra.Command{
		Use:   "tokens MODEL --text TEXT",
		Short: "the tokens of a text",
		Long: `Show the tokens of a text. MODEL is a model folder, the folder of a trial, or any
tokenizer: a folder or file of tokenizer.json, SentencePiece's tokenizer.model,
vocab.json with merges.txt, llama2.c's tok512.bin, or a GGUF file. A text of - is
read from stdin.`,
		Example: `  plumb inspect tokens MODEL --text "the cat sat"
  plumb inspect tokens tokenizer.json --text - --json < page.txt`,
		Args: exactly("the folder of a MODEL or a tokenizer's file"),
		RunE: func(c *cobra.Command, args []string) error {
			if !c.Flags().Changed("text") {
				return errors.New("no text: give --text TEXT, or --text - for stdin")
			}
			return inspectTokens(a, args[0], text)
		},
	}
	c.Flags().StringVar(&text, "text", "", "text to take apart; - reads stdin")
	return c
}

// A token is a line of inspect tokens --json.
type token struct {
	Position int    `json:"position"`
	ID       int32  `json:"id"`
	Text     string `json:"text"` // as UTF-8, broken parts replaced
	Bytes    []int  `json:"bytes"`
}

func inspectTokens(a *app, path, text string) error {
	tok, err := openTokenizer(path)
	if err != nil {
		return err
	}
	if text, err = textOrStdin(a, text); err != nil {
		return err
	}
	ids := tok.Encode(text)
	g := grid{header: []string{"#position", "#id", "text"}}
	for i, id := range ids {
		piece := tok.Token(id)
		if a.json {
			if err := a.emit(token{i, id, strings.ToValidUTF8(piece, "\ufffd"), byteList(piece)}); err != nil {
				return err
			}
		}
		g.add(strconv.Itoa(i), strconv.Itoa(int(id)), visibleBytes(piece))
	}
	if a.json {
		return nil
	}
	if err := g.write(a.out); err != nil {
		return err
	}
	_, err = fmt.Fprintf(a.out, "\n%s tokens, %s bytes\n", grouped(len(ids)), grouped(len(text)))
	return err
}

// openTokenizer reads the tokenizer of a model, or one in a file.
func openTokenizer(path string) (*tokenizer.Tokenizer, error) {
	if dir, err := modelDir(path); err == nil {
		path = dir
	}
	return tokenizer.Load(path)
}

// textOrStdin returns text, or all of stdin where it is "-".
func textOrStdin(a *app, text string) (string, error) {
	if text != "-" {
		return text, nil
	}
	all, err := io.ReadAll(a.in)
	return string(all), err
}

func byteList(text string) []int {
	list := []int{}
	for _, b := range []byte(text) {
		list = append(list, int(b))
	}
	return list
}

// visibleBytes is visibleText for bytes that need not be whole characters.
func visibleBytes(text string) string {
	var b strings.Builder
	for len(text) > 0 {
		whole := strings.IndexFunc(text, func(r rune) bool { return r == unicode.ReplacementChar })
		if whole < 0 {
			whole = len(text)
		}
		if whole > 0 {
			b.WriteString(strings.ReplaceAll(visibleText(text[:whole]), " ", "·"))
			text = text[whole:]
			continue
		}
		fmt.Fprintf(&b, `\x%02x`, text[0])
		text = text[1:]
	}
	return b.String()
}

func newInspectItems(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "items FILE",
		Short: "what every choice of an items file scored",
		Long: `Show what every choice of every item of an items file scored: ln p of the
continuation in nats. A star marks the right choice, an arrow the picked one. Of
items that the model answered the answer stands in the last column. The items
files of a trial are in its folder items; records name them.`,
		Example: `  plumb inspect items runs/quickstart/0123456789abcdef/items/HASH.jsonl
  plumb inspect items scores/items/HASH.jsonl --json | jq 'select(.acc == 0) | .id'`,
		Args: exactly("an items FILE"),
		RunE: func(_ *cobra.Command, args []string) error { return inspectItems(a, args[0]) },
	}
}

func inspectItems(a *app, path string) error {
	x, err := results.ReadItemsFile(path)
	if err != nil {
		return err
	}
	if !a.json {
		fmt.Fprintf(a.out, "%s, version %s, %s: %s items, %s with truncated context\n\n",
			visibleText(x.Task), visibleText(x.Version), visibleText(x.Protocol), grouped(len(x.Items)), grouped(x.Truncated()))
	}
	g := grid{header: []string{"item", "choice", "#sum", "#tokens", "#length", "#truncated", "greedy, or the answer"}}
	for _, item := range x.Items {
		if a.json {
			if err := a.emit(itemJSON(item)); err != nil {
				return err
			}
			continue
		}
		addItem(&g, item)
	}
	if a.json {
		return nil
	}
	return g.write(a.out)
}

// itemJSON adds to an item whether it was answered rightly, where that is asked.
func itemJSON(item results.Item) any {
	out := struct {
		results.Item
		Acc     *int `json:"acc,omitempty"`
		AccNorm *int `json:"acc_norm,omitempty"`
	}{Item: item}
	if len(item.Choices) > 1 {
		out.Acc, out.AccNorm = oneIf(results.BySum(item.Choices) == item.Gold), oneIf(results.ByLength(item.Choices) == item.Gold)
	}
	return out
}

func oneIf(yes bool) *int {
	n := 0
	if yes {
		n = 1
	}
	return &n
}

func addItem(g *grid, item results.Item) {
	picked := results.BySum(item.Choices)
	name := visibleText(item.ID)
	for i, c := range item.Choices {
		last := choose(c.Greedy, "yes", "")
		if item.Marks != nil {
			last = visibleText(item.Answer)
		}
		marks := choose(i == item.Gold, "*", " ") + choose(i == picked, "→", " ")
		g.add(name, marks+" "+strconv.Itoa(i), fmt.Sprintf("%.4f", c.Sum), strconv.Itoa(c.Tokens), strconv.Itoa(c.Length),
			strconv.Itoa(c.Truncated), last)
		name = ""
	}
}
