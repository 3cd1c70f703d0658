package tokenizer

import (
	"errors"
	"fmt"
)

// The model types of sentencepiece_model.proto, by number.
var spmTypes = map[uint64]string{1: "unigram", 2: "bpe", 3: "word", 4: "char"}

// A spmFile is what a SentencePiece model says, as far as it is understood.
type spmFile struct {
	pieces   []piece
	model    uint64 // key of spmTypes
	suffix   bool   // treat_whitespace_as_suffix
	bos, eos string
	rules    spmRules
	denorm   bool // the file has rules for decoding

	hasTrainer, hasRules bool // every file has both, after the pieces
}

// parseSPM reads the content of a SentencePiece .model file
// (sentencepiece_model.proto).
func parseSPM(data []byte) (*spmFile, error) {
	f := &spmFile{model: 1, bos: "<s>", eos: "</s>", rules: spmRules{dummyPrefix: true, trimSpaces: true, escapeSpaces: true}}
	w := wire{rest: data}
	for {
		field, err := w.next()
		if err != nil {
			return nil, err
		}
		switch field {
		case 0:
			return f, f.check()
		case 1, 2, 3, 5:
			if err := w.want(wireBytes); err != nil {
				return nil, err
			}
		}
		switch field {
		case 1:
			err = f.readPiece(w.data)
		case 2:
			f.hasTrainer = true
			err = f.readTrainer(w.data)
		case 3:
			f.hasRules = true
			err = f.readRules(w.data)
		case 5:
			var rules spmFile
			err = rules.readRules(w.data)
			f.denorm = len(rules.rules.charsmap) > 0
		}
		if err != nil {
			return nil, err
		}
	}
}

// check refuses what would change ids or text and is not done here.
func (f *spmFile) check() error {
	switch {
	case len(f.pieces) == 0:
		return errors.New("no SentencePiece model: it has no pieces")
	case !f.hasTrainer || !f.hasRules:
		return fmt.Errorf("%w: it ends after %d pieces", errWireCut, len(f.pieces))
	case f.model != 1 && f.model != 2:
		return fmt.Errorf("SentencePiece model type %q (%d) is not supported (have unigram, bpe)", spmTypes[f.model], f.model)
	case f.suffix:
		return errors.New("SentencePiece option treat_whitespace_as_suffix is not supported")
	case f.denorm:
		return errors.New("SentencePiece denormalizer rules are not supported")
	case !f.rules.escapeSpaces:
		return errors.New("SentencePiece option escape_whitespaces=false is not supported")
	}
	return nil
}

// fields calls read for every field of a message.
func fields(data []byte, read func(field uint64, w *wire) error) error {
	w := wire{rest: data}
	for {
		field, err := w.next()
		if err != nil || field == 0 {
			return err
		}
		if err := read(field, &w); err != nil {
			return err
		}
	}
}

func (f *spmFile) readPiece(data []byte) error {
	if len(f.pieces) == maxVocab {
		return fmt.Errorf("more than %d pieces", maxVocab)
	}
	p := piece{kind: normalPiece}
	err := fields(data, func(field uint64, w *wire) error {
		switch field {
		case 1:
			p.text = string(w.data)
			return w.want(wireBytes)
		case 2:
			p.score = w.float()
			return w.want(wire32)
		case 3:
			p.kind = pieceKind(min(w.word, 255))
			return w.want(wireVarint)
		}
		return nil
	})
	f.pieces = append(f.pieces, p)
	return err
}

func (f *spmFile) readTrainer(data []byte) error {
	return fields(data, func(field uint64, w *wire) error {
		switch field {
		case 3:
			f.model = w.word
			return w.want(wireVarint)
		case 24:
			f.suffix = w.word != 0
			return w.want(wireVarint)
		case 46:
			f.bos = string(w.data)
			return w.want(wireBytes)
		case 47:
			f.eos = string(w.data)
			return w.want(wireBytes)
		}
		return nil
	})
}

func (f *spmFile) readRules(data []byte) error {
	return fields(data, func(field uint64, w *wire) error {
		switch field {
		case 2:
			f.rules.charsmap = w.data
			return w.want(wireBytes)
		case 3:
			f.rules.dummyPrefix = w.word != 0
			return w.want(wireVarint)
		case 4:
			f.rules.trimSpaces = w.word != 0
			return w.want(wireVarint)
		case 5:
			f.rules.escapeSpaces = w.word != 0
			return w.want(wireVarint)
		}
		return nil
	})
}

// parseSentencePiece builds the tokenizer of a .model file.
func parseSentencePiece(data []byte, config *configJSON) (*Tokenizer, error) {
	f, err := parseSPM(data)
	if err != nil {
		return nil, err
	}
	s := spm{pieces: f.pieces, rules: f.rules, unigram: f.model == 1, bos: none, eos: none, addBOS: true}
	for id, p := range f.pieces {
		if p.kind == controlPiece && p.text == f.bos {
			s.bos = int32(id)
		}
		if p.kind == controlPiece && p.text == f.eos {
			s.eos = int32(id)
		}
	}
	s.rules.charsmap = append([]byte(nil), f.rules.charsmap...)
	return s.tokenizer(config)
}
