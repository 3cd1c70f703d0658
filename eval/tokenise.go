package eval

import (
	"slices"
	"strings"

	"plumb/tasks"
)

// A span is a tokenised choice: what the model reads, and from where on it is scored.
type span struct {
	ids  []int32 // context and continuation as one encoding
	from int     // index of the first scored token; ids[from:] may be empty
	lost int     // bytes of the continuation before from: they are not scored
	kept int     // bytes of the context at or after from: they are scored too
}

// An encoder tokenises the choices of items, and remembers the last context,
// which the choices of an item often share.
type encoder struct {
	tok     Tokenizer
	bos     bool
	context string
	ids     []int32 // of context
}

// encode tokenises context and continuation as one string, since a tokenizer
// may merge across the border, and then splits the result where the encoding
// of the context alone ends. White space at the end of the context is moved to
// the continuation first. An empty context is the start token alone.
func (e *encoder) encode(context, continuation string) span {
	trimmed := strings.TrimRightFunc(context, tasks.IsSpace)
	continuation = context[len(trimmed):] + continuation
	start := e.tok.EndOfText()
	if trimmed == "" {
		ids := e.tok.Encode(continuation)
		if len(ids) == 0 || ids[0] != start {
			ids = slices.Insert(ids, 0, start)
		}
		return span{ids: ids, from: 1}
	}
	whole := e.tok.Encode(trimmed + continuation)
	s := span{ids: whole, from: min(len(e.encodeContext(trimmed)), len(whole))}
	scored := len(e.tok.Decode(whole[s.from:]))
	s.lost, s.kept = max(0, len(continuation)-scored), max(0, scored-len(continuation))
	if e.bos && whole[0] != start {
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

// scored is the number of tokens that are scored.
func (s span) scored() int { return len(s.ids) - s.from }

// cut drops tokens from the left until at most limit+1 remain, limit of which
// the model reads. It returns how many went, and false when the scored tokens
// alone are more than limit, so that nothing of the context would remain.
func (s span) cut(limit int) (row []int32, from, dropped int, ok bool) {
	if s.scored() > limit {
		return nil, 0, 0, false
	}
	dropped = max(0, len(s.ids)-(limit+1))
	return s.ids[dropped:], s.from - dropped, dropped, true
}
