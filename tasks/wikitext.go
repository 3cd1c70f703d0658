package tasks

import (
	"errors"
	"regexp"
	"strings"
)

// wikiTextFiles hold the test text with its capitals and rare words.
var wikiTextFiles = []string{
	"wikitext2/wiki.test.raw", // the official name
	"wikitext-2-raw/wiki.test.raw",
	"wikitext/wiki.test.raw",
	"wikitext/wikitext-2-raw-v1/test.jsonl", // EleutherAI/wikitext_document_level on the hub, saved as JSON Lines
}

func init() {
	All.Add("wikitext", Task{
		About:   "articles of Wikipedia, predicted one by one as plain text",
		Version: "2.0",
		Split:   "test",
		Files:   wikiTextFiles,
		Metrics: []string{"word_perplexity", "byte_perplexity", "bits_per_byte"},
		Kind:    Text,
		Pieces:  wikiArticles,
		Parse:   parseWikiText,
	})
	All.Add("wikitext@llama.cpp", Task{
		About:   "the file as one text by llama.cpp's rules: windows of 512 tokens, the second half of each predicted",
		Version: "1.0",
		Split:   "test",
		Files:   wikiTextFiles[:3],
		Metrics: []string{"token_perplexity"},
		Kind:    Text,
		Cut:     SecondHalf,
		Window:  512,
		Pieces:  wholeFile,
		Parse:   parseWholeText,
	})
	All.Add("wikitext@gptq", Task{
		About:   "the lines as one text as in GPTQ, AWQ, SparseGPT and MobileLLM: windows of 2,048 tokens side by side",
		Version: "1.0",
		Split:   "test",
		Files:   wikiTextFiles[:3],
		Metrics: []string{"token_perplexity"},
		Kind:    Text,
		Cut:     Apart,
		Window:  2048,
		Pieces:  joinedLines,
		Parse:   parseWholeText,
	})
	All.Add("wikitext@gpt2", Task{
		About:   "the tokenised text with <unk> as in papers on compressed GPT-2: windows of 1,024 tokens, mean of their losses",
		Version: "1.0",
		Split:   "test",
		Files: []string{
			"wikitext2/wiki.test.tokens", // the official name
			"wikitext-2/wiki.test.tokens",
		},
		Metrics: []string{"window_perplexity"},
		Kind:    Text,
		Cut:     ApartWhole,
		Window:  1024,
		Pieces:  joinedLines,
		Parse:   parseWholeText,
	})
}

// wikiArticles cuts the file into articles. A line between single equals signs
// begins one; the line end before it belongs to neither.
func wikiArticles(text string) []string {
	var articles []string
	begin, at := 0, 0 // of the article, of the line
	for line := range strings.SplitSeq(text, "\n") {
		if isWikiTitle(line) && at > begin {
			articles = append(articles, text[begin:at-1])
			begin = at
		}
		at += len(line) + 1
	}
	articles = append(articles, text[begin:])
	if strip(articles[0]) == "" { // before the first title
		articles = articles[1:]
	}
	return articles
}

// isWikiTitle says whether line is the title of an article, not of a section.
func isWikiTitle(line string) bool {
	line = strings.ReplaceAll(line, "= = =", "===")
	line = strip(strings.ReplaceAll(line, "= =", "=="))
	return strings.HasPrefix(line, "= ") && strings.HasSuffix(line, " =")
}

// wholeFile is the text in one piece.
func wholeFile(text string) []string { return []string{text} }

// joinedLines is the text in one piece as Hugging Face's data sets give its
// lines, joined by blank lines: a line of white space is empty, and every other
// keeps its own line end.
func joinedLines(text string) []string {
	var joined strings.Builder
	first := true
	for line := range strings.Lines(text) {
		if !first {
			joined.WriteString("\n\n")
		}
		if first = false; strip(line) != "" {
			joined.WriteString(line)
		}
	}
	return []string{joined.String()}
}

// parseWikiText predicts an article as plain text. Words and bytes are counted
// in the article as it stands in the file.
func parseWikiText(from Row) (Item, error) {
	page, err := from.text("page")
	if err != nil {
		return Item{}, err
	}
	return textItem(page, plainWiki(page))
}

// parseWholeText predicts a text as it is.
func parseWholeText(from Row) (Item, error) {
	text, err := from.text("text")
	if err != nil {
		return Item{}, err
	}
	return textItem(text, text)
}

// textItem predicts shown and counts original.
func textItem(original, shown string) (Item, error) {
	if strip(shown) == "" {
		return Item{}, errors.New("the text is empty")
	}
	return Item{
		Choices: []Choice{{Continuation: shown}},
		Words:   1 + spaceRuns(original),
		Bytes:   len(original),
	}, nil
}

// spaceRuns counts runs of what \s matches in Python.
func spaceRuns(text string) (runs int) {
	inside := false
	for _, r := range text {
		is := IsSpace(r)
		if is && !inside {
			runs++
		}
		inside = is
	}
	return runs
}

// space is \s as Python has it for text.
const space = `[\s\x0b\x1c-\x1f\x{85}\p{Z}]`

// A wikiStep is one replacement of the detokeniser.
type wikiStep struct {
	pattern *regexp.Regexp // nil: old is plain text
	old     string
	new     string
}

func plainStep(old, new string) wikiStep { return wikiStep{old: old, new: new} }

// trimStep removes white space inside a pair of marks. It crosses line ends.
func trimStep(open, inside, close string) wikiStep {
	pattern := regexp.MustCompile(`\` + open + space + `*(` + inside + `*?)` + space + `*\` + close)
	return wikiStep{pattern: pattern, new: open + "${1}" + close}
}

// wikiSteps are those of lm-evaluation-harness, in its order. One of them, a
// regular expression with slashes, never matches there and is left out.
var wikiSteps = []wikiStep{
	plainStep("s '", "s'"),
	plainStep(" @-@ ", "-"), plainStep(" @,@ ", ","), plainStep(" @.@ ", "."),
	plainStep(" : ", ": "), plainStep(" ; ", "; "), plainStep(" . ", ". "),
	plainStep(" ! ", "! "), plainStep(" ? ", "? "), plainStep(" , ", ", "),
	trimStep("(", `[^\)]`, ")"), trimStep("[", `[^\]]`, "]"), trimStep("{", `[^}]`, "}"),
	trimStep(`"`, `[^"]`, `"`), trimStep("'", `[^']`, "'"),
	plainStep("= = = =", "===="), plainStep("= = =", "==="), plainStep("= =", "=="),
	plainStep(" \u00b0 ", "\u00b0"),
	plainStep(" \n", "\n"), plainStep("\n ", "\n"),
	plainStep(" N ", " 1 "), plainStep(" 's", "'s"),
}

// plainWiki undoes the tokenisation of WikiText.
func plainWiki(text string) string {
	for _, step := range wikiSteps {
		if step.pattern == nil {
			text = strings.ReplaceAll(text, step.old, step.new)
			continue
		}
		text = step.pattern.ReplaceAllString(text, step.new)
	}
	return text
}
