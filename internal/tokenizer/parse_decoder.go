package tokenizer

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// decoderJSON is a decoder of a tokenizer.json, or several.
type decoderJSON struct {
	Type           string             `json:"type"`
	Decoders       short[decoderJSON] `json:"decoders"`
	Pattern        patternJSON        `json:"pattern"`
	Content        string             `json:"content"`
	Start          int                `json:"start"`
	Stop           int                `json:"stop"`
	Replacement    string             `json:"replacement"`
	PrependScheme  string             `json:"prepend_scheme"`
	AddPrefixSpace *bool              `json:"add_prefix_space"`
}

// A decoding turns the name of a token into the bytes that it stands for.
type decoding struct {
	byteLevel bool
	replaces  [][2]string // texts and what they become
	bytes     bool        // names like <0x0A> are bytes
	front     frontSpaces
}

func (d decoding) decode(name string) (string, error) {
	if d.byteLevel {
		return unspell(name)
	}
	if d.bytes {
		if b, ok := namedByte(name); ok {
			return string([]byte{b}), nil
		}
	}
	for _, r := range d.replaces {
		name = strings.ReplaceAll(name, r[0], r[1])
	}
	return name, nil
}

// namedByte returns the byte that fallbackByte spells as name.
func namedByte(name string) (byte, bool) {
	if len(name) != 6 || name[:3] != "<0x" || name[5] != '>' {
		return 0, false
	}
	b, err := strconv.ParseUint(name[3:5], 16, 8)
	return byte(b), err == nil
}

// parseDecoder reads a decoder, which must fit the words.
func parseDecoder(data json.RawMessage, byteLevel bool) (decoding, error) {
	if isNull(data) {
		if byteLevel {
			return decoding{byteLevel: true}, nil
		}
		return decoding{}, errors.New("no decoder is not supported where words are characters (have Metaspace, Sequence)")
	}
	var d decoderJSON
	if err := json.Unmarshal(data, &d); err != nil {
		return decoding{}, fmt.Errorf("decoder: %w", err)
	}
	list, err := d.flat(nil, 0)
	if err != nil {
		return decoding{}, err
	}
	var decode decoding
	fused := false
	for i, d := range list {
		if err := decode.add(d, i, len(list), &fused); err != nil {
			return decoding{}, err
		}
	}
	if decode.byteLevel != byteLevel {
		return decoding{}, fmt.Errorf("decoder %q does not fit the pre-tokenizer: one of them is ByteLevel and the other is not", d.Type)
	}
	return decode, nil
}

// flat appends the decoders of d, those of sequences one by one.
func (d decoderJSON) flat(list []decoderJSON, depth int) ([]decoderJSON, error) {
	if d.Type != "Sequence" {
		return append(list, d), nil
	}
	if depth == maxNesting {
		return nil, fmt.Errorf("decoders are nested more than %d deep", maxNesting)
	}
	for _, inner := range d.Decoders {
		var err error
		if list, err = inner.flat(list, depth+1); err != nil || len(list) > maxSteps {
			return nil, errors.Join(err, fmt.Errorf("more than %d decoders", maxSteps))
		}
	}
	return list, nil
}

// add adds decoder i of n. What works on tokens comes before Fuse, Strip after it.
func (d *decoding) add(from decoderJSON, i, n int, fused *bool) error {
	switch old := from.Pattern.text(); from.Type {
	case "ByteLevel":
		if n > 1 {
			return errors.New("decoder ByteLevel beside others is not supported")
		}
		d.byteLevel = true
	case "Replace":
		if from.Pattern.Regex != nil || old == "" || len(from.Content) > len(old) || *fused || d.bytes {
			return fmt.Errorf("decoder Replace of %q by %q as number %d is not supported (have fixed texts that do not grow, first)", old, from.Content, i+1)
		}
		d.replaces = append(d.replaces, [2]string{old, from.Content})
	case "ByteFallback":
		d.bytes = true
	case "Fuse":
		*fused = true
	case "Strip":
		if !*fused || from.Content != " " || from.Start != 1 || from.Stop != 0 {
			return fmt.Errorf("decoder Strip of %d %q and %d at the end is not supported (have one space at the start, after Fuse)", from.Start, from.Content, from.Stop)
		}
		d.front = dropOneSpace
	case "Metaspace":
		return d.addMetaspace(from, n)
	default:
		return fmt.Errorf("decoder %q is not supported (have ByteFallback, ByteLevel, Fuse, Metaspace, Replace, Sequence, Strip)", from.Type)
	}
	return nil
}

func (d *decoding) addMetaspace(from decoderJSON, n int) error {
	if _, single := onlyRune(from.Replacement); !single || n > 1 {
		return fmt.Errorf("decoder Metaspace with replacement %q beside %d others is not supported (have one character, alone)", from.Replacement, n-1)
	}
	d.replaces = append(d.replaces, [2]string{from.Replacement, " "})
	never := from.PrependScheme == "never" || from.PrependScheme == "" && from.AddPrefixSpace != nil && !*from.AddPrefixSpace
	if !never {
		d.front = dropOneSpace
	}
	return nil
}
