package tokenizer

import (
	"errors"
	"fmt"
	"math"
	"reflect"

	"plumb/internal/gguf"
)

// The keys of GGUF files under which tokenizers stand.
const (
	ggufModel  = "tokenizer.ggml.model"
	ggufPre    = "tokenizer.ggml.pre"
	ggufTokens = "tokenizer.ggml.tokens"
	ggufScores = "tokenizer.ggml.scores"
	ggufTypes  = "tokenizer.ggml.token_type"
	ggufMerges = "tokenizer.ggml.merges"
	ggufBOS    = "tokenizer.ggml.bos_token_id"
	ggufEOS    = "tokenizer.ggml.eos_token_id"
	ggufAddBOS = "tokenizer.ggml.add_bos_token"
	ggufAddEOS = "tokenizer.ggml.add_eos_token"
	ggufSpace  = "tokenizer.ggml.add_space_prefix"
	ggufTrim   = "tokenizer.ggml.remove_extra_whitespaces"
)

// loadGGUF reads the tokenizer of the model in the GGUF file at path.
func loadGGUF(path string) (*Tokenizer, error) {
	f, err := gguf.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	p, err := partsOfGGUF(f)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	t, err := New(p)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return t, nil
}

// partsOfGGUF takes from f what New checks.
func partsOfGGUF(f *gguf.File) (Parts, error) {
	r := &ggufParts{file: f}
	var p Parts
	if f.Value(ggufTokens) == nil {
		return p, errors.New("the file holds no tokenizer; write it again with one")
	}
	take(r, ggufModel, &p.Model)
	take(r, ggufPre, &p.Pre)
	take(r, ggufTokens, &p.Tokens)
	take(r, ggufScores, &p.Scores)
	take(r, ggufTypes, &p.Types)
	take(r, ggufMerges, &p.Merges)
	p.BOS, p.EOS = r.id(ggufBOS), r.id(ggufEOS)
	p.AddBOS, p.AddEOS, p.AddSpacePrefix = r.flag(ggufAddBOS), r.flag(ggufAddEOS), r.flag(ggufSpace)
	if trim := r.flag(ggufTrim); trim != nil && *trim {
		r.errs = append(r.errs, fmt.Errorf("%s is true, which is not supported", ggufTrim))
	}
	return p, errors.Join(r.errs...)
}

// ggufParts reads metadata and gathers what is wrong with them.
type ggufParts struct {
	file *gguf.File
	errs []error
}

// take sets dst to the value under key, if there is one.
func take[T any](r *ggufParts, key string, dst *T) {
	switch v := r.file.Value(key).(type) {
	case nil:
	case T:
		*dst = v
	default:
		r.errs = append(r.errs, fmt.Errorf("%s is a %T, want a %T", key, v, *dst))
	}
}

// id returns a token's id, none if there is none; New checks that it is in the vocabulary.
func (r *ggufParts) id(key string) int32 {
	value := r.file.Value(key)
	if value == nil {
		return none
	}
	v := reflect.ValueOf(value)
	switch {
	case v.CanUint() && v.Uint() == math.MaxUint32: // how some writers say that there is none
		return none
	case v.CanUint() && v.Uint() < maxVocab:
		return int32(v.Uint())
	case v.CanInt() && v.Int() >= 0 && v.Int() < maxVocab:
		return int32(v.Int())
	}
	r.errs = append(r.errs, fmt.Errorf("%s is no id below %d", key, maxVocab))
	return none
}

func (r *ggufParts) flag(key string) *bool {
	if r.file.Value(key) == nil {
		return nil
	}
	var v bool
	take(r, key, &v)
	return &v
}

// GGUF returns p as metadata of a GGUF file.
func (p Parts) GGUF() []gguf.Pair {
	pairs := []gguf.Pair{{Key: ggufModel, Value: p.Model}, {Key: ggufPre, Value: p.Pre}, {Key: ggufTokens, Value: p.Tokens}}
	if p.Scores != nil {
		pairs = append(pairs, gguf.Pair{Key: ggufScores, Value: p.Scores})
	}
	pairs = append(pairs, gguf.Pair{Key: ggufTypes, Value: p.types()})
	if p.Model == "gpt2" {
		pairs = append(pairs, gguf.Pair{Key: ggufMerges, Value: append([]string{}, p.Merges...)})
	}
	for _, end := range []struct {
		key string
		id  int32
	}{{ggufBOS, p.BOS}, {ggufEOS, p.EOS}} {
		if end.id != none {
			pairs = append(pairs, gguf.Pair{Key: end.key, Value: uint32(end.id)})
		}
	}
	for _, flag := range []struct {
		key string
		on  *bool
	}{{ggufAddBOS, p.AddBOS}, {ggufAddEOS, p.AddEOS}, {ggufSpace, p.AddSpacePrefix}} {
		if flag.on != nil {
			pairs = append(pairs, gguf.Pair{Key: flag.key, Value: *flag.on})
		}
	}
	return pairs
}

// types returns those of all tokens, normal where none were given.
func (p Parts) types() []int32 {
	types := make([]int32, len(p.Tokens))
	for id := range types {
		types[id] = int32(p.kind(id))
	}
	return types
}

// Padded returns p with unused tokens added until there are rows, as many as
// the model's token table has: llama.cpp wants one for each row.
func (p Parts) Padded(rows int) Parts {
	p.Types = p.types()
	p.Tokens = append([]string{}, p.Tokens...)
	for id := len(p.Tokens); id < rows; id++ {
		p.Tokens, p.Types = append(p.Tokens, padding(int32(id))), append(p.Types, int32(unusedPiece))
		if p.Scores != nil {
			p.Scores = append(p.Scores[:id:id], 0)
		}
	}
	return p
}
