package tokenizer

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Parts are a tokenizer as GGUF files hold it, in plain values. Lists are by id,
// merges by rank.
type Parts struct {
	Model  string    // "gpt2" for byte-level merges, "llama" for SentencePiece's
	Pre    string    // of "gpt2": which words are cut, by llama.cpp's name
	Tokens []string  // as their files spell them
	Scores []float32 // of "llama"
	Types  []int32   // 1 normal, 2 unknown, 3 control, 4 user-defined, 5 unused, 6 byte; nil for all normal
	Merges []string  // of "gpt2": two tokens with a space between them

	BOS, EOS                       int32 // or -1
	AddBOS, AddEOS, AddSpacePrefix *bool // nil where the file does not say: the model's custom
}

// A pre says how llama.cpp cuts words for a value of tokenizer.ggml.pre.
type pre struct {
	steps  []step
	whole  bool // words that are tokens need no merges
	addBOS bool // unless the file says otherwise
}

// pres are llama.cpp's names for ways to cut words (its llama-vocab.cpp). Other
// names are refused: some of them stand for patterns that have no scanner here.
var pres = func() map[string]pre {
	gpt2 := pre{steps: gpt2Steps}
	llama3 := pre{steps: []step{{name: llama3Pattern, scan: llama3Word}}, whole: true, addBOS: true}
	qwen2 := pre{steps: []step{{name: qwen2Pattern, scan: qwen2Word}}}
	starcoder := pre{steps: []step{{name: eachNumberName, scan: eachNumber}, gpt2Steps[0]}}
	falcon := pre{steps: []step{{name: punctuationName, scan: punctuationRuns}, gpt2Steps[0], {name: falconDigits, scan: threeDigits}}}
	return map[string]pre{
		"gpt-2": gpt2, "phi-2": gpt2, "mpt": gpt2, "olmo": gpt2,
		"llama-bpe": llama3, "llama3": llama3, "llama-v3": llama3,
		"qwen2": qwen2, "stablelm2": qwen2, "deepseek-r1-qwen": qwen2,
		"starcoder": starcoder, "refact": starcoder, "command-r": starcoder, "smollm": starcoder, "codeshell": starcoder,
		"falcon": falcon,
	}
}()

// New makes a tokenizer of the parts of a GGUF file, which are not yet believed.
func New(p Parts) (*Tokenizer, error) {
	if len(p.Types) != 0 && len(p.Types) != len(p.Tokens) {
		return nil, fmt.Errorf("%d token types for %d tokens", len(p.Types), len(p.Tokens))
	}
	if len(p.Tokens) > maxVocab {
		return nil, fmt.Errorf("%d tokens; at most %d are allowed", len(p.Tokens), maxVocab)
	}
	for _, id := range []int32{p.BOS, p.EOS} {
		if id < none || int(id) >= len(p.Tokens) {
			return nil, fmt.Errorf("an end of texts has id %d, which is not in the vocabulary of %d", id, len(p.Tokens))
		}
	}
	switch p.Model {
	case "llama":
		return p.sentencePiece()
	case "gpt2":
		return p.byteLevel()
	}
	return nil, fmt.Errorf("tokenizer model %q is not supported (have gpt2, llama)", p.Model)
}

func (p *Parts) kind(id int) pieceKind {
	if len(p.Types) == 0 {
		return normalPiece
	}
	return pieceKind(max(0, min(p.Types[id], 255)))
}

// or returns what the file says, or else what is the custom.
func or(said *bool, custom bool) bool {
	if said != nil {
		return *said
	}
	return custom
}

func (p *Parts) sentencePiece() (*Tokenizer, error) {
	if len(p.Scores) != len(p.Tokens) || len(p.Types) == 0 {
		return nil, fmt.Errorf("%d scores and %d token types for %d tokens", len(p.Scores), len(p.Types), len(p.Tokens))
	}
	s := spm{
		rules: spmRules{dummyPrefix: or(p.AddSpacePrefix, true), escapeSpaces: true},
		bos:   p.BOS, eos: p.EOS, addBOS: or(p.AddBOS, true), addEOS: or(p.AddEOS, false),
	}
	for id, text := range p.Tokens {
		s.pieces = append(s.pieces, piece{text, p.Scores[id], p.kind(id)})
	}
	return s.tokenizer(nil)
}

func (p *Parts) byteLevel() (*Tokenizer, error) {
	how, ok := pres[p.Pre]
	if !ok {
		return nil, fmt.Errorf("words of kind %q (tokenizer.ggml.pre) are not supported (have %s)", p.Pre, strings.Join(slices.Sorted(maps.Keys(pres)), ", "))
	}
	t := newTokenizer()
	t.steps = how.steps
	vocab, added, err := p.vocabulary()
	if err != nil {
		return nil, err
	}
	if err := t.setTokens(vocab, added, decoding{byteLevel: true}); err != nil {
		return nil, err
	}
	ids := t.ordinary()
	t.tokens = append(t.tokens, make([]string, len(p.Tokens)-len(t.tokens))...)
	t.setBytes(ids, spellByte)
	merges, err := p.mergeList()
	if err != nil {
		return nil, err
	}
	if err := t.setMerges(ids, merges); err != nil {
		return nil, err
	}
	if how.whole {
		t.takeWhole(ids)
	}
	t.names = nil
	if err := t.setAdded(added); err != nil {
		return nil, err
	}
	t.ends = ends{bos: p.BOS, eos: p.EOS, addBOS: p.BOS != none && or(p.AddBOS, how.addBOS), addEOS: p.EOS != none && or(p.AddEOS, false)}
	if err := t.setEnds(); err != nil {
		return nil, err
	}
	if !t.isCanonical(added) {
		t.source = t.writeJSON
	}
	return t.ready(), nil
}

// vocabulary returns the tokens and those among them that are no words.
func (p *Parts) vocabulary() (vocabulary, []addedToken, error) {
	vocab, added := vocabulary{}, []addedToken{}
	for id, text := range p.Tokens {
		if p.kind(id) == unusedPiece && text == padding(int32(id)) {
			continue // a gap
		}
		if _, twice := vocab[text]; twice {
			return nil, nil, fmt.Errorf("token %q is in the vocabulary twice", text)
		}
		vocab[text] = int64(id)
		special := int32(id) == p.BOS || int32(id) == p.EOS
		switch kind := p.kind(id); kind {
		case normalPiece:
		case unknownPiece, controlPiece, unusedPiece:
			special = true
		case userPiece:
			if !special {
				added = append(added, addedToken{ID: int64(id), Content: text})
			}
		default:
			return nil, nil, fmt.Errorf("token %q has type %d, which byte-level vocabularies do not have", text, kind)
		}
		if special {
			added = append(added, addedToken{ID: int64(id), Content: text, Special: true})
		}
	}
	return vocab, added, nil
}

func (p *Parts) mergeList() (mergeList, error) {
	merges := make(mergeList, len(p.Merges))
	for i, line := range p.Merges {
		left, right, ok := strings.Cut(line, " ")
		if !ok || strings.Contains(right, " ") {
			return nil, fmt.Errorf("merge %d: %q is no pair of tokens", i, line)
		}
		merges[i] = [2]string{left, right}
	}
	return merges, nil
}

// Parts returns t as a GGUF file holds it. A tokenizer that llama.cpp would read
// as another one is an error. Canonical composition (NFC) is left out there for
// all models, and so it is here.
func (t *Tokenizer) Parts() (Parts, error) {
	if t.parts != nil {
		return t.parts()
	}
	if t.symbols.runeID != nil || t.unigram != nil {
		return Parts{}, errors.New("GGUF files have no place for this tokenizer.json of characters: give the folder its SentencePiece tokenizer.model")
	}
	name, err := t.preName()
	if err != nil {
		return Parts{}, err
	}
	p := Parts{Model: "gpt2", Pre: name, BOS: t.ends.bos, EOS: t.ends.eos, AddBOS: &t.ends.addBOS, AddEOS: &t.ends.addEOS}
	users := t.userTokens()
	for id, token := range t.tokens {
		text, kind := t.spelled(int32(id), token, users)
		p.Tokens, p.Types = append(p.Tokens, text), append(p.Types, int32(kind))
	}
	for _, m := range t.order {
		left, right := m.ids()
		p.Merges = append(p.Merges, spell(t.tokens[left])+" "+spell(t.tokens[right]))
	}
	return p, nil
}

// padding is the name of an id without a token.
func padding(id int32) string { return fmt.Sprintf("[PAD%d]", id) }

// spelled returns how a byte-level file writes a token, and of which type it is.
func (t *Tokenizer) spelled(id int32, token string, users map[int32]bool) (string, pieceKind) {
	switch {
	case token == "":
		return padding(id), unusedPiece
	case t.special[id]:
		return token, controlPiece
	case users[id]:
		return token, userPiece
	}
	return spell(token), normalPiece
}

// userTokens returns the added tokens that are text.
func (t *Tokenizer) userTokens() map[int32]bool {
	users := map[int32]bool{}
	for _, m := range []*matcher{t.raw, t.normalized} {
		if m == nil {
			continue
		}
		for _, token := range m.tokens {
			if token != nil && !token.Special {
				users[int32(token.ID)] = true
			}
		}
	}
	return users
}

// preName returns llama.cpp's name for the way t cuts words. Of several the
// first in the alphabet will do, but that of the family is nicer to read.
func (t *Tokenizer) preName() (string, error) {
	same := func(a, b step) bool { return a.name == b.name && a.rewrite == nil && b.rewrite == nil }
	for _, name := range []string{"gpt-2", "llama-bpe", "qwen2", "starcoder", "falcon"} {
		how := pres[name]
		if slices.EqualFunc(t.steps, how.steps, same) && how.whole == (t.whole != nil) && t.onlyComposes() {
			return name, nil
		}
	}
	return "", errors.New("llama.cpp has no name for the way this tokenizer cuts words")
}

// onlyComposes says whether text goes into words as it is, or in NFC.
func (t *Tokenizer) onlyComposes() bool {
	return !slices.ContainsFunc(t.normalize, func(n normalizer) bool { return n.name != "NFC" })
}

// partsOf returns what writes s as GGUF files hold it.
func (s *spm) partsOf(t *Tokenizer) func() (Parts, error) {
	return func() (Parts, error) {
		switch {
		case s.unigram:
			return Parts{}, errors.New("unigram tokenizers are not written to GGUF files")
		case len(s.rules.charsmap) > 0 || s.rules.trimSpaces:
			return Parts{}, errors.New("llama.cpp does not normalize text as this tokenizer does, so it is not written to GGUF files")
		}
		prefix := s.rules.dummyPrefix
		p := Parts{Model: "llama", Pre: "default", BOS: t.ends.bos, EOS: t.ends.eos, AddBOS: &t.ends.addBOS, AddEOS: &t.ends.addEOS, AddSpacePrefix: &prefix}
		for _, piece := range s.pieces {
			p.Tokens, p.Scores, p.Types = append(p.Tokens, piece.text), append(p.Scores, piece.score), append(p.Types, int32(piece.kind))
		}
		return p, nil
	}
}
