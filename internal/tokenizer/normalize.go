package tokenizer

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"
)

// A normalizer rewrites a text before it is cut into words.
type normalizer struct {
	name  string
	apply func(text string) string
}

// normalizerJSON is a normalizer of a tokenizer.json, or several.
type normalizerJSON struct {
	Type        string                `json:"type"`
	Normalizers short[normalizerJSON] `json:"normalizers"`
	Prepend     string                `json:"prepend"`
	Pattern     patternJSON           `json:"pattern"`
	Content     string                `json:"content"`
	StripLeft   *bool                 `json:"strip_left"`
	StripRight  *bool                 `json:"strip_right"`
}

// A patternJSON is a fixed text or a regular expression.
type patternJSON struct {
	String *string
	Regex  *string
}

func (p patternJSON) text() string {
	if p.Regex != nil {
		return *p.Regex
	}
	if p.String != nil {
		return *p.String
	}
	return ""
}

// maxNesting bounds how deep a sequence may be in another.
const maxNesting = 8

// maxSteps bounds how many steps a sequence has, those inside others counted.
const maxSteps = 64

// plainNormalizers are those without settings. Canonical forms are Unicode's of
// golang.org/x/text, which puts U+034F after every 30 marks in a row.
var plainNormalizers = map[string]func(text string) string{
	"NFC":          norm.NFC.String,
	"NFD":          norm.NFD.String,
	"NFKC":         norm.NFKC.String,
	"NFKD":         norm.NFKD.String,
	"Lowercase":    lowercase,
	"StripAccents": stripAccents,
}

// parseNormalizers returns the steps that the file asks for, in order.
func parseNormalizers(data json.RawMessage) ([]normalizer, error) {
	if isNull(data) {
		return nil, nil
	}
	var n normalizerJSON
	if err := json.Unmarshal(data, &n); err != nil {
		return nil, fmt.Errorf("normalizer: %w", err)
	}
	if growth := n.growth(0); growth > maxReplacement {
		return nil, fmt.Errorf("normalizers make a text more than %d times as long", maxReplacement)
	}
	return n.steps(nil, 0)
}

// growth returns how much longer replacements can make a text, at most about
// maxReplacement².
func (n normalizerJSON) growth(depth int) int {
	times := 1
	if old := len(n.Pattern.text()); n.Type == "Replace" && old > 0 {
		times = max(1, (min(len(n.Content), maxReplacement+1)+old-1)/old)
	}
	for _, inner := range n.Normalizers {
		if depth < maxNesting && times <= maxReplacement {
			times *= inner.growth(depth + 1)
		}
	}
	return times
}

func isNull(data json.RawMessage) bool { return len(data) == 0 || string(data) == "null" }

// steps appends the steps of n to list.
func (n normalizerJSON) steps(list []normalizer, depth int) ([]normalizer, error) {
	if n.Type != "Sequence" {
		step, err := n.step()
		if err == nil && len(list) == maxSteps {
			err = fmt.Errorf("more than %d normalizers", maxSteps)
		}
		return append(list, step), err
	}
	if depth == maxNesting {
		return nil, fmt.Errorf("normalizers are nested more than %d deep", maxNesting)
	}
	for _, inner := range n.Normalizers {
		var err error
		if list, err = inner.steps(list, depth+1); err != nil {
			return nil, err
		}
	}
	return list, nil
}

func (n normalizerJSON) step() (normalizer, error) {
	if plain, ok := plainNormalizers[n.Type]; ok {
		return normalizer{n.Type, plain}, nil
	}
	switch n.Type {
	case "Prepend":
		if len(n.Prepend) > maxReplacement {
			return normalizer{}, fmt.Errorf("normalizer Prepend writes %d bytes; at most %d are allowed", len(n.Prepend), maxReplacement)
		}
		return normalizer{n.Type, prepend(n.Prepend)}, nil
	case "Replace":
		return n.replace()
	case "Strip":
		if n.StripLeft == nil || n.StripRight == nil {
			return normalizer{}, errors.New("normalizer Strip lacks strip_left or strip_right")
		}
		return normalizer{n.Type, stripSpaces(*n.StripLeft, *n.StripRight)}, nil
	}
	return normalizer{}, fmt.Errorf("normalizer %q is not supported (have Lowercase, NFC, NFD, NFKC, NFKD, Prepend, Replace, Sequence, Strip, StripAccents)", n.Type)
}

// longest text that Prepend or Replace may write for one place, bytes; it
// bounds what a text can grow to.
const maxReplacement = 64

func (n normalizerJSON) replace() (normalizer, error) {
	switch old := n.Pattern.text(); {
	case n.Pattern.Regex != nil:
		apply, ok := spacePatterns[spaceRule{old, n.Content}]
		if !ok {
			return normalizer{}, fmt.Errorf("normalizer Replace of the pattern %q by %q is not supported (have fixed texts, and patterns of spaces as converters of SentencePiece write them)", old, n.Content)
		}
		return normalizer{n.Type, apply}, nil
	case old == "":
		return normalizer{}, errors.New("normalizer Replace has no text to replace")
	default:
		return normalizer{n.Type, func(text string) string { return strings.ReplaceAll(text, old, n.Content) }}, nil
	}
}

// A spaceRule is a pattern and what becomes of it.
type spaceRule struct{ pattern, content string }

// spacePatterns are what SentencePiece's remove_extra_whitespaces is written as.
var spacePatterns = map[spaceRule]func(text string) string{
	{`\A +`, ""}:         func(text string) string { return strings.TrimLeft(text, " ") },
	{` +\z`, ""}:         func(text string) string { return strings.TrimRight(text, " ") },
	{" {2,}", " "}:       func(text string) string { return replaceRuns(text, " ") },
	{" {2,}", metaspace}: func(text string) string { return replaceRuns(text, metaspace) },
}

// replaceRuns writes content for every run of two or more spaces.
func replaceRuns(text, content string) string {
	var out strings.Builder
	for {
		at := strings.Index(text, "  ")
		if at < 0 {
			out.WriteString(text)
			return out.String()
		}
		out.WriteString(text[:at])
		out.WriteString(content)
		text = strings.TrimLeft(text[at:], " ")
	}
}

// prepend puts front before any text but the empty one.
func prepend(front string) func(text string) string {
	return func(text string) string {
		if text == "" {
			return ""
		}
		return front + text
	}
}

func stripSpaces(left, right bool) func(text string) string {
	return func(text string) string {
		if left {
			text = strings.TrimLeftFunc(text, unicode.IsSpace)
		}
		if right {
			text = strings.TrimRightFunc(text, unicode.IsSpace)
		}
		return text
	}
}

// lowercase maps character by character, so that a final sigma is not seen as one.
func lowercase(text string) string {
	const dottedI = "İ" // the one character whose small form has two
	return strings.ToLower(strings.ReplaceAll(text, dottedI, "i\u0307"))
}

func stripAccents(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.Is(unicode.M, r) {
			return -1
		}
		return r
	}, text)
}
