package tokenizer

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

const configFile = "tokenizer_config.json"

// configJSON is what a tokenizer_config.json says of the ends of a text, and
// for files that do not say it themselves, of a space in front.
type configJSON struct {
	Class          string    `json:"tokenizer_class"`
	BOS            tokenName `json:"bos_token"`
	EOS            tokenName `json:"eos_token"`
	Unknown        tokenName `json:"unk_token"`
	Pad            tokenName `json:"pad_token"`
	AddBOS         *bool     `json:"add_bos_token"`
	AddEOS         *bool     `json:"add_eos_token"`
	AddPrefixSpace bool      `json:"add_prefix_space"`
}

// A tokenName is the text of a token, which files have as a string, or as an
// object with flags, or as null.
type tokenName string

func (n *tokenName) UnmarshalJSON(data []byte) error {
	var flagged struct{ Content *string }
	if err := json.Unmarshal(data, &flagged); err == nil {
		if flagged.Content != nil {
			*n = tokenName(*flagged.Content)
		}
		return nil
	}
	return json.Unmarshal(data, (*string)(n))
}

// readConfig reads the tokenizer_config.json of a folder. It is nil where there is none.
func readConfig(folder string) (*configJSON, error) {
	path := filepath.Join(folder, configFile)
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	data, err := readLimited(path)
	if err != nil {
		return nil, err
	}
	var c configJSON
	if err := json.Unmarshal(data, &c); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return &c, nil
}

// setEnds overrides what the tokenizer's own file says.
func (c *configJSON) setEnds(t *Tokenizer) error {
	if c == nil {
		return nil
	}
	if err := t.setNamed(&t.ends.bos, "bos_token", c.BOS); err != nil {
		return err
	}
	if err := t.setNamed(&t.ends.eos, "eos_token", c.EOS); err != nil {
		return err
	}
	switch {
	case c.AddBOS != nil:
		t.ends.addBOS = *c.AddBOS
	case c.addsByClass():
		t.ends.addBOS = true
	}
	if c.AddEOS != nil {
		t.ends.addEOS = *c.AddEOS
	}
	if t.ends.addBOS && t.ends.bos == none {
		return fmt.Errorf("%s asks for a bos_token that it does not name", configFile)
	}
	return nil
}

// addsByClass says whether the class begins texts with a token unless told otherwise.
func (c *configJSON) addsByClass() bool {
	for _, family := range []string{"Llama", "CodeLlama", "Gemma"} {
		if strings.HasPrefix(c.Class, family+"Tokenizer") {
			return c.BOS != ""
		}
	}
	return false
}

// setNamed sets id to that of a name, if there is a name.
func (t *Tokenizer) setNamed(id *int32, field string, name tokenName) error {
	if name == "" {
		return nil
	}
	list := t.names
	if list == nil {
		list = t.tokens
	}
	at := slices.Index(list, string(name))
	if at < 0 {
		return fmt.Errorf("%s: %s %q is not in the vocabulary", configFile, field, name)
	}
	*id = int32(at)
	return nil
}
