package eval

import (
	"fmt"
	"slices"
	"strings"

	"plumb/tasks"
)

// A span is a tokenised choice: what the model reads, and from where on it is scored.
type span struct {
	ids   []int32 // context and continuation as one encoding
	from  int     // index of the first scored token; ids[from:] may be empty
	shift string  // what a token across the border does to the score, or empty
}

// An encoder tokenises the choices of items, and remembers the last context,
// which the choices of an item often share.
type encoder struct {
	tok     Tokenizer
	start   int32 // the start token
	bos     bool  // it stands before every text
	context string
	ids     []int32 // of context
}

func newEncoder(tok Tokenizer, bos string) encoder {
	return encoder{tok: tok, start: startToken(tok), bos: bos == BOSAlways}
}

// item tokenises the choices of an item.
func (e *encoder) item(it tasks.Item, rule tasks.Rule) []span {
	spans := make([]span, len(it.Choices))
	for i, c := range it.Choices {
		if rule == tasks.AfterContext {
			spans[i] = e.encode(it.Before+c.Context, c.Continuation)
			continue
		}
		spans[i].ids = e.whole(it.Before + c.Context + c.Continuation)
	}
	switch common := commonTokens(spans); rule {
	case tasks.AfterCommon:
		for i := range spans {
			spans[i].from = min(common, len(spans[i].ids))
		}
	case tasks.AfterBlank:
		e.afterBlank(it, spans, common)
	}
	return spans
}

// shortEnding is a number of tokens after the common ones with which llama.cpp
// scores the name itself too.
const shortEnding = 3

// afterBlank scores what follows each choice's context but for the last token,
// or, where little follows what the sentences have in common, all after that.
func (e *encoder) afterBlank(it tasks.Item, spans []span, common int) {
	short := false
	for _, s := range spans {
		short = short || len(s.ids)-common <= shortEnding
	}
	for i, c := range it.Choices {
		s := &spans[i]
		s.from = common
		if !short {
			s.from = len(e.whole(it.Before + c.Context))
		}
		s.from = min(max(s.from, 1), len(s.ids))
		if s.scored() > 1 {
			s.ids = s.ids[:len(s.ids)-1]
		}
	}
}

// whole tokenises a text, behind the start token where that is the setting.
func (e *encoder) whole(text string) []int32 {
	ids := e.tok.Encode(text)
	if e.bos && (len(ids) == 0 || ids[0] != e.start) {
		ids = slices.Insert(ids, 0, e.start)
	}
	return ids
}

// commonTokens is the number of tokens, at least 1, that all spans begin with.
func commonTokens(spans []span) int {
	common := len(spans[0].ids)
	for _, s := range spans[1:] {
		common = min(common, len(s.ids))
		for i := range common {
			if s.ids[i] != spans[0].ids[i] {
				common = i
				break
			}
		}
	}
	return max(common, 1)
}

// encode tokenises context and continuation as one string, since a tokenizer
// may merge across the border, and then splits the result where the encoding
// of the context alone ends. White space at the end of the context is moved to
// the continuation first. An empty context is the start token alone.
func (e *encoder) encode(context, continuation string) span {
	trimmed := strings.TrimRightFunc(context, tasks.IsSpace)
	continuation = context[len(trimmed):] + continuation
	start := e.start
	if trimmed == "" {
		ids := e.tok.Encode(continuation)
		if len(ids) == 0 || ids[0] != start {
			ids = slices.Insert(ids, 0, start)
		}
		return span{ids: ids, from: 1}
	}
	whole := e.tok.Encode(trimmed + continuation)
	alone := e.encodeContext(trimmed)
	s := span{ids: whole, from: min(len(alone), len(whole))}
	if !slices.Equal(alone, whole[:s.from]) {
		s.shift = shift(len(continuation), len(e.tok.Decode(whole))-len(e.tok.Decode(whole[:s.from])))
	}
	if e.bos && (len(whole) == 0 || whole[0] != start) {
		s.ids = slices.Insert(whole, 0, start)
		s.from++
	}
	return s
}

func (e *encoder) encodeContext(text string) []int32 {
	if e.ids == nil || text != e.context {
		e.context, e.ids = text, e.tok.Encode(text)
	}
	return e.ids
}

// shift describes a scored text of got bytes where the continuation has want.
func shift(want, got int) string {
	switch {
	case got < want:
		return fmt.Sprintf("the first %d bytes of the continuation are not scored", want-got)
	case got > want:
		return fmt.Sprintf("the last %d bytes of the context are scored too", got-want)
	}
	return ""
}

// scored is the number of tokens that are scored.
func (s span) scored() int { return len(s.ids) - s.from }

// cut drops tokens from the left until at most limit+1 remain, limit of which
// the model reads, and returns how many went. A span of which nothing would be
// scored, or no token of the context would be read, gives a reason instead.
func (s span) cut(limit int) (row []int32, from, dropped int, reason string) {
	switch {
	case s.scored() == 0:
		return nil, 0, 0, "a merge of tokens swallowed the continuation"
	case s.scored() > limit:
		return nil, 0, 0, fmt.Sprintf("continuation of %d tokens is longer than the model's context of %d", s.scored(), limit)
	}
	dropped = max(0, len(s.ids)-(limit+1))
	return s.ids[dropped:], s.from - dropped, dropped, ""
}
