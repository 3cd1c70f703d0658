package tokenizer

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"strings"
)

// Ids that are the same in every file of llama2.c.
const (
	llama2cUnknown = 0
	llama2cBOS     = 1
	llama2cEOS     = 2
)

// parseLlama2c reads the tokenizer.bin of llama2.c (its tokenizer.py, export):
// the length of the longest token, then for each id a score, a length and the
// bytes, all little-endian and 32 bits wide. There is no
// count: of a file cut between two tokens only the longest token may tell. Spaces are
// written out, and the names of the ends stand between line ends.
func parseLlama2c(data []byte) (*Tokenizer, error) {
	if len(data) < 4 {
		return nil, errors.New("no llama2.c tokenizer: shorter than its header")
	}
	longest, seen := binary.LittleEndian.Uint32(data), uint32(0)
	s := spm{rules: spmRules{dummyPrefix: true, escapeSpaces: true}, bos: llama2cBOS, eos: llama2cEOS, addBOS: true}
	for rest := data[4:]; len(rest) > 0; {
		if len(rest) < 8 || uint64(binary.LittleEndian.Uint32(rest[4:])) > uint64(len(rest)-8) {
			return nil, fmt.Errorf("the llama2.c tokenizer is cut short in token %d", len(s.pieces))
		}
		n := binary.LittleEndian.Uint32(rest[4:])
		if n > longest || len(s.pieces) == maxVocab {
			return nil, fmt.Errorf("no llama2.c tokenizer: token %d has %d bytes and the longest %d", len(s.pieces), n, longest)
		}
		score := math.Float32frombits(binary.LittleEndian.Uint32(rest))
		s.pieces = append(s.pieces, llama2cPiece(len(s.pieces), string(rest[8:8+n]), score))
		seen = max(seen, n)
		rest = rest[8+n:]
	}
	if seen != longest {
		return nil, fmt.Errorf("the llama2.c tokenizer is cut short: its longest token should have %d bytes and has %d", longest, seen)
	}
	if err := checkLlama2cEnds(s.pieces); err != nil {
		return nil, err
	}
	return s.tokenizer(nil)
}

func llama2cPiece(id int, text string, score float32) piece {
	p := piece{text: strings.ReplaceAll(text, " ", metaspace), score: score, kind: normalPiece}
	switch _, isByte := namedByte(text); {
	case id == llama2cUnknown:
		p.kind = unknownPiece
	case id == llama2cBOS, id == llama2cEOS:
		p.kind, p.text = controlPiece, strings.Trim(p.text, "\n")
	case isByte && id < llama2cEOS+1+256:
		p.kind = bytePiece
	}
	return p
}

func checkLlama2cEnds(pieces []piece) error {
	for id, want := range []string{"<unk>", "<s>", "</s>"} {
		if len(pieces) <= id || pieces[id].text != want {
			return fmt.Errorf("no llama2.c tokenizer: id %d is not %s", id, want)
		}
	}
	return nil
}
